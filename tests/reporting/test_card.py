import dataclasses

from breastcls.reporting import card


def facts_of(evaluation):
    return {name: text for _, facts in card.model_card(evaluation) for name, text in facts}


def test_the_card_names_use_sample_decision_and_uncertainty(evaluate):
    facts = facts_of(evaluate())
    assert "Research" in facts["Intended use"]
    assert "Diagnosis" in facts["Not intended for"]
    assert facts["Decision rule"] == "malignant from a probability of 0.500"
    assert facts["Uncertainty"] == "95% intervals by resampling whole cases, 2,000 times (percentile)"
    assert facts["Labelled benign"] == "144 images from 12 cases"
    assert facts["Magnifications"] == "40×, 100×, 200× and 400×"


def test_images_without_a_label_are_counted(evaluate):
    evaluation = evaluate()
    labels = evaluation.predictions.labels.copy()
    labels[:5] = -1
    other = evaluate(predictions=dataclasses.replace(evaluation.predictions, labels=labels))
    assert facts_of(other)["Without a known label"] == "5 images, not scored"
    assert "Without a known label" not in facts_of(evaluation)


def test_the_fingerprint_changes_with_what_was_scored(evaluate):
    first, same, other = evaluate(), evaluate(), evaluate(seed=5)
    assert card.fingerprint(first) == card.fingerprint(same)
    assert card.fingerprint(first) != card.fingerprint(other)
