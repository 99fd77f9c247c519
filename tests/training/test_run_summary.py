"""What a training leaves in the card of a model, and what it takes away from there."""

import warnings

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import EvaluationWarning, LeakageError, TrainingWarning
from breastcls.models.model_card import ModelCard, get_card, set_card
from breastcls.models.training_cases import list_weight_dependent

OPTIONS = {"epochs": 1, "augment": "none"}


@pytest.fixture(scope="module")
def parts(easy):
    return easy.split((0.3, 0.2, 0.3, 0.2), seed=1)


def tiny():
    pixels = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, keras.layers.Dense(2, "softmax")(pooled))
    set_card(model, ModelCard(classes=("benign", "malignant"), image_size=(32, 32)))
    return model


def test_no_image_of_any_training_counts_as_unseen(parts):
    one, two, three, four = parts
    model = tiny()
    bc.fit(model, one, two, **OPTIONS)
    bc.fit(model, three, **OPTIONS)
    for seen in (one, two, three):
        with pytest.raises(LeakageError):
            bc.evaluate(model, seen)
    with pytest.warns(EvaluationWarning, match="only 1 case"):
        assert bc.evaluate(model, four).leakage.clean


def test_training_cases_cannot_choose_the_best_epoch(parts):
    one, two, three, _ = parts
    model = tiny()
    bc.fit(model, one, two, **OPTIONS)
    # The same parts once more is how one goes on.
    bc.fit(model, one, two, **OPTIONS)
    with pytest.raises(LeakageError, match=r"shared cases?"):
        bc.fit(model, three, one, **OPTIONS)
    with pytest.warns(UserWarning, match="allow_leakage=True"):
        run = bc.fit(model, three, one, allow_leakage=True, **OPTIONS)
    assert not run.leakage["clean"]
    pair = bc.models.build_ensemble([model, tiny()])
    with pytest.raises(LeakageError):
        bc.fit(pair, two, one, **OPTIONS)
    bc.fit(pair, two, **OPTIONS)
    for seen in (one, two, three):
        with pytest.raises(LeakageError):
            bc.evaluate(pair, seen)


def test_new_weights_come_without_the_calibration_of_the_old_ones(parts):
    one, two, three, _ = parts
    model = tiny()
    bc.fit(model, one, **OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calibrator = bc.calibration.fit_calibrator(bc.predict(model, two))
        bc.calibration.store_calibration(model, calibrator)
        bc.decisions.store_threshold(model, bc.decisions.choose_threshold(bc.predict(model, two), "youden"))
    with pytest.warns(TrainingWarning, match="former ones is removed: threshold, calibration"):
        bc.fit(model, one, **OPTIONS)
    assert list_weight_dependent(get_card(model)) == []
    raw = model.predict(three.to_numpy((32, 32))[0], verbose=0)
    np.testing.assert_allclose(bc.predict(model, three).probabilities, raw, atol=1e-6)
