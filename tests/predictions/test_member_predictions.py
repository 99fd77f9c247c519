import cv2
import keras
import numpy as np
import pytest

from breastcls.calibration.calibrators import Calibrator
from breastcls.calibration.stored_calibration import store_calibration
from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.models.building import build_model
from breastcls.models.ensemble import build_ensemble
from breastcls.models.persistence import save_model
from breastcls.predictions.member_predictions import predict_members
from breastcls.predictions.predict import predict

CLASSES = ("benign", "malignant")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def member(seed, size=32):
    model = build_model("cnn4", classes=CLASSES, image_size=size, weights=None, seed=seed)
    logits = model.get_layer("logits")
    logits.set_weights([np.random.default_rng(seed).normal(0, 3, weight.shape) for weight in logits.get_weights()])
    return model


@pytest.fixture(scope="module")
def models():
    return [member(seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def ensemble(models):
    return build_ensemble(models, weights=[1, 1, 2])


def test_each_member_says_what_it_says_alone(models, ensemble):
    for batch_size in (2, 32):
        found = predict_members(ensemble, IMAGES, batch_size=batch_size)
        assert found.shape == (3, 5, 2)
        assert found.dtype == np.float32
        for one, model in zip(found, models, strict=True):
            np.testing.assert_allclose(one, predict(model, IMAGES).probabilities, atol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (32, 40)])
def test_views_follow_one_another_within_each_member(size):
    models = [member(seed, size) for seed in (1, 2)]
    images = np.random.default_rng(1).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    found = predict_members(build_ensemble(models), images, tta="dihedral", batch_size=2)
    turns = (0, 1, 2, 3) if size[0] == size[1] else (0, 2)
    expected = [
        keras.ops.convert_to_numpy(model(np.rot90(seen, turn, (1, 2)).copy(), training=False))
        for model in models
        for seen in (images, images[:, :, ::-1])
        for turn in turns
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_mean_is_the_prediction(ensemble):
    found = predict_members(ensemble, IMAGES, tta="dihedral").reshape(3, 8, 5, 2).mean(axis=1)
    expected = predict(ensemble, IMAGES, tta="dihedral").probabilities
    np.testing.assert_allclose(np.tensordot([0.25, 0.25, 0.5], found, 1), expected, atol=1e-6)


def test_a_calibration_of_the_mean_is_not_one_of_the_members(models):
    whole = build_ensemble(models)
    before = predict_members(whole, IMAGES)
    store_calibration(whole, Calibrator("temperature", CLASSES, {"temperature": 3.0}))
    np.testing.assert_array_equal(predict_members(whole, IMAGES), before)
    assert np.abs(predict(whole, IMAGES).probabilities - before.mean(axis=0)).max() > 0.01


def test_any_other_model_is_its_own_member(models, tmp_path):
    path = save_model(models[0], tmp_path / "model.keras")
    paths = []
    for number, image in enumerate(IMAGES):
        paths.append(str(tmp_path / f"{number}.png"))
        cv2.imwrite(paths[-1], image[..., ::-1])
    data = Dataset.from_columns(CLASSES, path=paths, label=["benign"] * 5, case=list("abcde"))
    found = predict_members(path, data)
    np.testing.assert_allclose(found, predict(models[0], IMAGES).probabilities[np.newaxis], atol=1e-6)
    assert predict_members(models[0], IMAGES, tta="dihedral").shape == (8, 5, 2)


def test_one_sigmoid_gives_two_columns():
    pixels = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, keras.layers.Dense(1, "sigmoid")(flat))
    images = IMAGES[:, :8, :8].copy()
    found = predict_members(model, images)
    np.testing.assert_allclose(found[0, :, 1], keras.ops.convert_to_numpy(model(images))[:, 0], atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)


def test_what_is_refused(ensemble):
    with pytest.raises(EvaluationError, match="tta"):
        predict_members(ensemble, IMAGES, tta="turns")
    with pytest.raises(EvaluationError, match="one channel"):
        predict_members(ensemble, IMAGES[..., :1])
    with pytest.raises(EvaluationError, match="batch_size"):
        predict_members(ensemble, IMAGES, batch_size=0)
    pixels = keras.Input((8, 8, 3))
    with pytest.raises(EvaluationError, match=r"\(n, classes\)"):
        predict_members(keras.Model(pixels, keras.layers.Conv2D(2, 3)(pixels)), IMAGES[:, :8, :8].copy())
