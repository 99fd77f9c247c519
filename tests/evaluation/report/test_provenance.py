import pytest

from breastcls.evaluation.report.provenance import describe_value, flatten, training_facts


def test_the_training_facts_come_from_the_card_and_its_provenance(evaluate):
    facts = dict(training_facts(evaluate()))
    assert facts["Backbone"] == "mobilenet"
    assert facts["Input size"] == "224 × 224 pixels (height × width)"
    assert facts["Trained on: images"] == "1,204"
    assert facts["Seed of the model"] == "20240"
    assert facts["Data SHA-256"] == "9f2c" * 16


def test_a_calibration_is_one_line_and_what_has_its_own_section_is_left_to_it(evaluate):
    kept = {
        "calibration": {"method": "platt", "images": 77, "cases": ["a", "b"], "parameters": {}},
        "threshold": {"value": 0.4},
        "conformal": {"coverage": 0.9},
    }
    facts = dict(training_facts(evaluate(model={"provenance": kept})))
    assert facts == {"Calibrated": "by platt on 77 images, 2 cases"}


def test_what_is_not_known_is_left_out():
    content = {"a": None, "b": "", "c": [], "d": {"e": 0, "f": False}, "g": float("nan")}
    assert flatten(content) == [("D: e", "0"), ("D: f", "no"), ("G", "not defined")]


@pytest.mark.parametrize(
    ("value", "text"),
    [(list(range(14)), "0, 1, 2, 3, 4, 5, 6, 7 and 6 more"), (1e-5, "1e-05"), ("x", "x")],
)
def test_values_in_words(value, text):
    assert describe_value(value) == text


def test_what_fit_wrote_of_itself_is_put_into_words(evaluate):
    training = {
        "cases": [f"14-{number}" for number in range(12)],
        "slides": ["14-1AB"],
        "data": {
            "train": {
                "images": 1204,
                "slides": 58,
                "cases": 49,
                "by_class": {"benign": {"images": 400, "cases": 9}},
            },
            "val": {"images": 100, "slides": 8, "cases": 1},
        },
        "epochs": 30,
        "best_epoch": None,
        "scores": {"val_loss": 0.25},
        "fit": {"batch_size": 32, "seed": 20240, "weights": "/home/me/own.h5"},
        "leakage": {"clean": True},
        "environment": {"breastcls": "0.1.0", "python": "3.11.7", "packages": {"keras": "3.15.1"}},
    }
    facts = dict(training_facts(evaluate(model={"provenance": {"training": training, "note": "a note"}})))
    assert facts == {
        "Cases seen in training": "12: 14-0, 14-1, 14-2, 14-3, 14-4, 14-5, 14-6, 14-7 and 4 more",
        "Slides seen in training": "1: 14-1AB",
        "Training and validation": "share nothing",
        "Trained with": "breastcls 0.1.0, Python 3.11.7, keras 3.15.1",
        "Epochs": "30",
        "Scores: val loss": "0.25",
        "Fit: batch size": "32",
        "Fit: seed": "20240",
        "Fit: weights": "own.h5",
        "Note": "a note",
    }
