"""What a model has learnt from is kept over one training after another; what was fitted to its outputs is not."""

import pytest

import breastcls as bc
from breastcls.models.model_card import ModelCard
from breastcls.models.training_cases import kept_for_weights, names_learnt, names_seen, with_training


def make_data(cases):
    return bc.Dataset.from_columns(
        ("benign", "malignant"),
        path=[f"/{case}.png" for case in cases],
        label=["benign", "malignant"] * (len(cases) // 2),
        case=list(cases),
        slide=[f"slide {case}" for case in cases],
    )


@pytest.fixture
def card():
    return ModelCard(classes=("benign", "malignant"), image_size=(32, 32))


def test_a_second_training_keeps_what_the_first_saw(card):
    once = with_training(card, {"epochs": 3}, make_data("ab"), make_data("cd"))
    twice = with_training(once, {"epochs": 5}, make_data("cd"), make_data("ef")).provenance["training"]
    assert names_seen(twice, "cases") == set("abcdef")
    assert names_learnt(twice, "cases") == set("abcd")
    assert names_seen(twice, "slides") == {f"slide {case}" for case in "abcdef"}
    assert twice["epochs"] == 5
    assert twice["trained_before_on"] == {"cases": 4, "slides": 4}
    assert names_learnt({"cases": ["a"]}, "cases") == {"a"}
    assert names_learnt(None, "cases") == names_seen(None, "cases") == set()


def test_what_was_fitted_to_the_outputs_is_dropped(card):
    kept = card.replace(
        threshold=0.3, temperature=2.0, provenance={"threshold": {}, "calibration": {}, "conformal": {}, "by": "us"}
    )
    assert kept_for_weights(kept) == ["threshold", "calibration", "prediction sets"]
    noted = with_training(kept, {}, make_data("ab"))
    assert kept_for_weights(noted) == []
    assert (noted.threshold, noted.temperature) == (None, None)
    assert set(noted.provenance) == {"by", "training"}
