import dataclasses

import keras
import numpy as np
import pytest

from breastcls.calibration.calibrators import fit_calibrator
from breastcls.calibration.stored_calibration import store_calibration
from breastcls.decisions.conformal import fit_conformal
from breastcls.decisions.conformal_sets import ConformalSets
from breastcls.decisions.stored_decisions import (
    store_conformal,
    store_threshold,
)
from breastcls.decisions.thresholds import choose_threshold
from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.models.card_calibration import find_calibration
from breastcls.models.model_card import ModelCard, get_card, set_card
from breastcls.models.persistence import load_model, save_model
from breastcls.predictions.predict import predict

# The network is drawn at random, and knows nothing of the labels.
pytestmark = pytest.mark.filterwarnings("ignore:The temperature stopped:breastcls.errors.EvaluationWarning")

BINARY = ("benign", "malignant")
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
LABELS = np.arange(40) % 2
CASES = [str(number // 4) for number in range(40)]


@pytest.fixture
def model():
    pixels = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    start = keras.initializers.RandomNormal(0, 0.5, 1)
    made = keras.Model(pixels, keras.layers.Dense(2, "softmax", kernel_initializer=start)(flat))
    set_card(made, ModelCard(classes=BINARY, image_size=(8, 8)))
    return made


def judge(model):
    return predict(model, IMAGES, labels=LABELS, cases=CASES)


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic", "vector", "dirichlet"])
def test_a_calibration_is_applied_after_saving_and_loading(model, method, tmp_path):
    before = judge(model)
    fitted = fit_calibrator(before, method)
    store_calibration(model, fitted)
    again = load_model(save_model(model, tmp_path / "model.keras"))
    for one in (model, again):
        np.testing.assert_allclose(judge(one).probabilities, fitted.apply(before).probabilities, atol=1e-5)
    assert get_card(again).provenance["calibration"]["cases"] == sorted(set(CASES))
    with pytest.raises(EvaluationError, match="calibrated already"):
        store_calibration(model, fitted)
    store_calibration(model, None)
    assert find_calibration(get_card(model)) is None
    np.testing.assert_array_equal(judge(model).probabilities, before.probabilities)


def test_a_calibration_of_cases_is_not_kept(model):
    with pytest.raises(EvaluationError, match="Fitted on cases; the model predicts images"):
        store_calibration(model, dataclasses.replace(fit_calibrator(judge(model)), level="case"))


def test_a_threshold_is_applied_and_named(model, tmp_path):
    threshold = choose_threshold(judge(model), "sensitivity", target=0.9)
    store_threshold(model, threshold)
    again = load_model(save_model(model, tmp_path / "model.keras"))
    assert judge(again).threshold == threshold.value
    assert get_card(again).provenance["threshold"]["rule"] == "sensitivity of at least 0.9"
    with pytest.raises(EvaluationError, match="stores a threshold"):
        store_calibration(model, fit_calibrator(judge(model)))
    store_threshold(model, None)
    assert judge(model).threshold is None
    assert "threshold" not in get_card(model).provenance


def test_prediction_sets_go_with_the_model(model, tmp_path):
    fitted = fit_conformal(judge(model), coverage=0.8)
    store_conformal(model, fitted)
    again = load_model(save_model(model, tmp_path / "model.keras"))
    # As `evaluate` reads them from what the card says.
    assert ConformalSets.from_dict(get_card(again).to_dict()["provenance"]["conformal"]) == fitted
    with pytest.raises(EvaluationError, match="stores prediction sets"):
        store_calibration(model, fit_calibrator(judge(model)))
    with pytest.raises(EvaluationError, match="the model has the classes"):
        store_conformal(model, dataclasses.replace(fitted, classes=("no", "yes")))
    store_conformal(model, None)
    assert "conformal" not in get_card(model).provenance


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_what_was_chosen_before_calibrating_is_not_kept_or_used_after(model, method, tmp_path):
    raw = judge(model)
    calibrator = fit_calibrator(raw, method)
    early, early_sets = choose_threshold(raw), fit_conformal(raw, coverage=0.8)
    by_hand = calibrator.apply(raw)
    late, late_sets = choose_threshold(by_hand), fit_conformal(by_hand, coverage=0.8)
    for store, what in ((store_threshold, late), (store_conformal, late_sets)):
        with pytest.raises(EvaluationError, match=f"calibrated by {method} .* without a calibration on record"):
            store(model, what)
    store_calibration(model, calibrator)
    again = load_model(save_model(model, tmp_path / "model.keras"))
    # The card's map is the one that was applied by hand, and knows its cases.
    assert judge(again).calibration == by_hand.calibration
    for store, what in ((store_threshold, early), (store_conformal, early_sets)):
        with pytest.raises(EvaluationError, match=f"without a calibration .* these are calibrated by {method}"):
            store(again, what)
    with pytest.raises(EvaluationError, match="threshold was chosen on probabilities without a calibration"):
        evaluate(judge(again), threshold=early, allow_leakage=True, bootstrap=Bootstrap(10))
    store_threshold(again, late)
    store_conformal(again, late_sets)
    loaded = load_model(save_model(again, tmp_path / "again.keras"))
    provenance = get_card(loaded).provenance
    assert provenance["threshold"]["calibration"] == late.calibration
    assert ConformalSets.from_dict(provenance["conformal"]).calibration == late.calibration
    assert judge(loaded).threshold == late.value
    # Kept by an older version: not known, so nothing is refused.
    for old in (dataclasses.replace(early, calibration=None), dataclasses.replace(late, calibration=None)):
        store_threshold(again, old)


def test_a_model_without_a_card():
    pixels = keras.Input((8, 8, 3))
    bare = keras.Model(pixels, keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(pixels)))
    with pytest.raises(EvaluationError, match="no card"):
        store_threshold(bare, None)
