import keras
import numpy as np
import pytest

from breastcls.calibration.calibrators import Calibrator
from breastcls.calibration.stored_calibration import store_calibration
from breastcls.models.building import build_model
from breastcls.models.ensemble import build_ensemble
from breastcls.models.output_layer import find_logits
from breastcls.predictions.model_outputs import MultiOutputModel

BINARY = ("benign", "malignant")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.float32)


def plain(end):
    pixels = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, end(flat))


def dense(units=2, activation=None, **options):
    return keras.layers.Dense(units, activation, kernel_initializer=keras.initializers.RandomNormal(0, 1, 1), **options)


@pytest.mark.parametrize(
    "end",
    [
        lambda flat: keras.layers.Softmax()(dense()(flat)),
        lambda flat: keras.layers.Activation("softmax")(dense()(flat)),
        lambda flat: dense(activation="softmax", bias_initializer="ones")(flat),
        lambda flat: dense(activation="softmax", use_bias=False)(flat),
    ],
)
def test_logits_before_every_kind_of_softmax(end):
    model = plain(end)
    logits = keras.Model(model.inputs[0], find_logits(model))(IMAGES)
    np.testing.assert_allclose(keras.ops.softmax(logits), model(IMAGES), atol=1e-6)
    kernel = model.get_weights()[0]
    bias = model.get_weights()[1] if len(model.get_weights()) > 1 else 0.0
    np.testing.assert_allclose(logits, (IMAGES / 255).reshape(4, -1) @ kernel + bias, atol=1e-4)


def test_where_there_are_no_logits():
    assert find_logits(plain(lambda flat: dense(1, "sigmoid")(flat))) is None
    pair = [build_model("cnn4", classes=BINARY, image_size=32, weights=None, seed=seed) for seed in (1, 2)]
    assert find_logits(pair[0]) is not None
    assert MultiOutputModel(build_ensemble(pair), 8).channels is None


def test_features_and_calibration(tmp_path):
    model = build_model("cnn4", classes=BINARY, image_size=32, weights=None, seed=1)
    network = MultiOutputModel.open(model, 8)
    assert network.channels == 256
    assert not network.is_ensemble
    import cv2

    from breastcls.datasets.dataset import Dataset

    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, path in enumerate(paths):
        cv2.imwrite(path, np.full((32, 32, 3), 40 * number, np.uint8))
    data = Dataset.from_columns(("cat", "dog", "cow"), path=paths, label=["cat", "dog", "cow"], case=["1", "2", "3"])
    before = network(data, features=True)
    assert before.features.shape == (3, 256)
    store_calibration(model, Calibrator("temperature", BINARY, {"temperature": 0.5}))
    after = MultiOutputModel.open(model, 8)(data)
    assert after.features is None
    np.testing.assert_allclose(after.logits, before.logits, atol=1e-6)
    assert not np.allclose(after.probabilities, before.probabilities, atol=1e-4)
    sharp = np.exp(2 * before.logits)
    np.testing.assert_allclose(after.probabilities, sharp / sharp.sum(axis=1, keepdims=True), atol=1e-5)
