import dataclasses

from breastcls.evaluation.report import model_card_part as card
from breastcls.evaluation.report.tested_data import decision_rule, kinds_in_words
from breastcls.predictions.prediction_fingerprint import fingerprint_predictions
from support.report_fixtures import change


def facts_of(evaluation):
    return {name: text for _, facts in card.model_card(evaluation) for name, text in facts}


def test_the_card_names_use_uncertainty_and_missing_items(evaluate):
    facts = facts_of(evaluate())
    assert "Research" in facts["Intended use"]
    assert "Diagnosis" in facts["Not intended for"]
    assert "Not a medical device" in facts["Regulation"]
    assert facts["Confidence intervals"] == "95% intervals by resampling whole cases, 2,000 times (percentile, seed 7)."
    assert facts["Calibration"] == "none is recorded"
    assert facts["Robustness"] == "not measured"
    assert "ethics" in card.FOR_THE_AUTHORS
    assert facts_of(change(evaluate(), robustness=1))["Robustness"] == "Robustness"


def test_the_decision_rule_is_in_words(evaluate):
    assert decision_rule(evaluate()) == "malignant (positive class) from a probability of 0.500"
    found = evaluate()
    none = dataclasses.replace(found, predictions=found.predictions.with_threshold(None))
    assert decision_rule(none) == decision_rule(found)
    assert decision_rule(evaluate(("A", "F", "PT", "TA", "DC", "LC", "MC", "PC"))) == "the most probable class"


def test_images_without_a_label_are_counted(evaluate):
    evaluation = evaluate()
    labels = evaluation.predictions.labels.copy()
    labels[:5] = -1
    other = evaluate(predictions=dataclasses.replace(evaluation.predictions, labels=labels))
    assert dict(kinds_in_words(other))["Without a known label"] == "5 images, not scored"
    assert dict(kinds_in_words(evaluation))["Magnification"] == "40×, 100×, 200× and 400×"
    assert "Without a known label" not in dict(kinds_in_words(evaluation))


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
    def facts(evaluation):
        return dict(card.environment_facts(evaluation))

    first, other = evaluate(), evaluate(seed=5)
    name = "Predictions, SHA-256"
    assert facts(first)[name] == fingerprint_predictions(first.predictions) != facts(other)[name]
    assert "Model weights, SHA-256" not in facts(first)
    assert facts(evaluate(fingerprints={"weights": "ab"}))["Model weights, SHA-256"] == "ab"
