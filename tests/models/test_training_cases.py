"""The training cases of a model are kept over several trainings; what was fitted to its outputs is not."""

import pytest

import breastcls as bc
from breastcls.models.model_card import ModelCard
from breastcls.models.training_cases import list_seen_names, list_trained_names, list_weight_dependent, record_training


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


def test_a_second_training_keeps_the_cases_of_the_first(card):
    once = record_training(card, {"epochs": 3}, make_data("ab"), make_data("cd"))
    twice = record_training(once, {"epochs": 5}, make_data("cd"), make_data("ef")).provenance["training"]
    assert list_seen_names(twice, "cases") == set("abcdef")
    assert list_trained_names(twice, "cases") == set("abcd")
    assert list_seen_names(twice, "slides") == {f"slide {case}" for case in "abcdef"}
    assert twice["epochs"] == 5
    assert twice["earlier_training"] == {"cases": 4, "slides": 4}
    assert list_trained_names({"cases": ["a"]}, "cases") == {"a"}
    assert list_trained_names(None, "cases") == list_seen_names(None, "cases") == set()


def test_what_was_fitted_to_the_outputs_is_removed(card):
    kept = card.replace(
        threshold=0.3, temperature=2.0, provenance={"threshold": {}, "calibration": {}, "conformal": {}, "by": "us"}
    )
    assert list_weight_dependent(kept) == ["threshold", "calibration", "prediction sets"]
    noted = record_training(kept, {}, make_data("ab"))
    assert list_weight_dependent(noted) == []
    assert (noted.threshold, noted.temperature) == (None, None)
    assert set(noted.provenance) == {"by", "training"}
