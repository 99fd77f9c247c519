"""A model file of version 0.1 is loaded by every later version; see `support/saved_model.py`."""

import zipfile

import numpy as np
import pytest

import breastcls as bc
from support.saved_model import PATH, make_image

CASES = tuple(f"15-{number}" for number in range(8))
CARD = {
    "classes": ("benign", "malignant"),
    "image_size": (32, 32),
    "backbone": "cnn4",
    "backbone_options": {"filters": [4, 4, 4, 8]},
    "weights": None,
    "head": "linear",
    "dropout": 0.2,
    "seed": 7,
    "resize": "stretch",
    "stain": None,
    "threshold": 0.6032881140708923,
    "temperature": None,
    "version": "0.1.0",
}
TRAINING = {
    "cases": ["14-1", "14-2", "14-3", "14-4"],
    "slides": ["14-1A", "14-2A", "14-3A", "14-4A"],
    "trained_on": {"cases": ["14-1", "14-2", "14-3"], "slides": ["14-1A", "14-2A", "14-3A"]},
    "epochs": 3,
}


@pytest.fixture(scope="module")
def model():
    return bc.load_model(PATH)


def test_it_predicts_the_known_probabilities(model):
    found = bc.predict(model, make_image()[None])
    np.testing.assert_allclose(found.probabilities, [[0.39200079, 0.60799921]], atol=1e-5)
    uncalibrated = np.asarray(model(make_image()[None].astype(np.float32)))
    np.testing.assert_allclose(uncalibrated, [[0.46855661, 0.53144342]], atol=1e-5)
    assert found.decisions.tolist() == [1]


@pytest.mark.parametrize("field", CARD)
def test_each_field_of_the_card_is_read(model, field):
    assert getattr(bc.models.get_card(model), field) == CARD[field]


def test_the_card_has_training_calibration_and_threshold(model):
    provenance = bc.models.get_card(model).provenance
    assert set(provenance) == {"training", "calibration", "threshold"}
    assert provenance["training"] == TRAINING
    assert provenance["calibration"] == {
        "method": "platt",
        "classes": ["benign", "malignant"],
        "parameters": {"weights": [[0.0, 0.0], [-1.5, 1.5]], "offsets": [0.0, 0.25]},
        "images": 16,
        "cases": list(CASES),
        "level": "image",
        "aggregation_method": None,
    }
    assert provenance["threshold"]["value"] == CARD["threshold"]
    assert provenance["threshold"]["calibration"] == "platt 4cd1da259610"
    assert provenance["threshold"]["cases"] == list(CASES)


def test_leakage_into_the_calibration_is_detected(model):
    predictions = bc.predict(model, np.stack([make_image()] * 2), labels=[0, 1], cases=["14-3", "15-0"])
    with pytest.raises(bc.errors.LeakageError, match=r"15-0"):
        bc.evaluate(predictions)


def test_the_file_is_small_and_of_schema_1():
    assert PATH.stat().st_size < 100_000
    with zipfile.ZipFile(PATH) as archive:
        assert '"schema": 1' in archive.read("breastcls.json").decode("utf-8")
