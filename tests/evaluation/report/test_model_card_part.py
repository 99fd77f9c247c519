import dataclasses

from breastcls.evaluation.report import model_card_part as card
from breastcls.predictions.prediction_fingerprint import fingerprint_predictions


def facts_of(evaluation):
    return {name: text for _, facts in card.model_card(evaluation) for name, text in facts}


def test_the_card_names_use_sample_decision_and_uncertainty(evaluate):
    facts = facts_of(evaluate())
    assert "Research" in facts["Intended use"]
    assert "Diagnosis" in facts["Not intended for"]
    assert facts["Decision rule"] == "malignant from a probability of 0.500"
    assert facts["Confidence intervals"] == "95% intervals by resampling whole cases, 2,000 times (percentile)"
    assert facts["Labelled benign"] == "144 images from 12 cases"
    assert facts["Magnifications"] == "40×, 100×, 200× and 400×"


def test_without_a_threshold_two_classes_are_decided_at_one_half(evaluate):
    found = evaluate()
    none = dataclasses.replace(found, predictions=found.predictions.with_threshold(None))
    assert facts_of(none)["Decision rule"] == "malignant from a probability of 0.500"
    eight = evaluate(("A", "F", "PT", "TA", "DC", "LC", "MC", "PC"))
    assert facts_of(eight)["Decision rule"] == "the most probable class"


def test_by_case_the_images_are_still_counted_as_images(whole):
    assert facts_of(whole(aggregation="case"))["Labelled benign"] == "144 images from 12 cases"


def test_images_without_a_label_are_counted(evaluate):
    evaluation = evaluate()
    labels = evaluation.predictions.labels.copy()
    labels[:5] = -1
    other = evaluate(predictions=dataclasses.replace(evaluation.predictions, labels=labels))
    assert facts_of(other)["Without a known label"] == "5 images, not scored"
    assert "Without a known label" not in facts_of(evaluation)


def test_the_card_names_its_limits_and_missing_items(whole):
    facts = facts_of(whole(threshold=0.4))
    assert "Not a medical device" in facts["Regulation"]
    assert "ethics" in facts["For the authors to add"]
    assert facts["By case"].startswith("Balanced accuracy 0.")
    assert facts["Decision rule"] == "malignant from a probability of 0.400"
    assert facts["Calibration"] == "none is recorded"
    assert facts["Robustness"] == "Robustness"


def test_a_calibration_is_named(evaluate):
    def told(**record):
        return facts_of(evaluate(model={"provenance": {"calibration": {"method": "isotonic", **record}}}))[
            "Calibration"
        ]

    assert told(cases=["elsewhere"]) == "by isotonic, fitted on other cases"
    assert told(cases=[]) == told() == "by isotonic; whether it was fitted on other cases than these is not known"
    own = sorted(set(evaluate().predictions.cases))[:2]
    assert told(cases=[*own, "elsewhere"]).startswith("by isotonic, fitted on 2 cases of these")
    temperature = facts_of(evaluate(model={"temperature": 1.5}))["Calibration"]
    assert temperature.startswith("by temperature; whether")
    # Of another framework: what the predictions carry.
    carried = dataclasses.replace(evaluate().predictions, calibration={"method": "platt", "cases": ["elsewhere"]})
    assert facts_of(evaluate(predictions=carried))["Calibration"] == "by platt, fitted on other cases"
    nameless = dataclasses.replace(carried, cases=None)
    assert facts_of(evaluate(predictions=nameless))["Calibration"].endswith("is not known")


def test_known_fingerprints_are_listed(evaluate):
    first, other = evaluate(), evaluate(seed=5)
    name = "Predictions, SHA-256"
    assert facts_of(first)[name] == fingerprint_predictions(first.predictions) != facts_of(other)[name]
    assert "Model weights, SHA-256" not in facts_of(first)
    assert facts_of(evaluate(fingerprints={"weights": "ab"}))["Model weights, SHA-256"] == "ab"
