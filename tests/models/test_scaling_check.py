"""A network that misses its input scaling is recognised; one that takes 0..255 is not suspected."""

import warnings

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import ModelWarning
from breastcls.models import ModelCard, set_card
from breastcls.models.persistence import load_model
from support.foreign_models import CLASSES, write_torch_like_onnx

RNG = np.random.default_rng(0)
# Their mean red is 0.3 to 0.7.
IMAGES = np.stack([RNG.normal(255 * red, 20, (16, 16, 3)) for red in np.linspace(0.3, 0.7, 12)])
IMAGES = IMAGES.clip(0, 255).astype(np.uint8)


def network(slope, threshold, first=()):
    """Return the sigmoid of slope * (mean red - threshold), red in the units of the input."""
    mean = keras.layers.Conv2D(3, 1, use_bias=False)
    dense = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((16, 16, 3)), *first, mean, keras.layers.GlobalAveragePooling2D(), dense])
    mean.set_weights([np.eye(3).reshape(1, 1, 3, 3)])
    dense.set_weights([np.array([[slope], [0], [0]]), np.array([-slope * threshold])])
    return model


def warned(model, images=IMAGES, **arguments):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        predictions = bc.predict(model, images, **arguments)
    texts = [str(one.message) for one in found if issubclass(one.category, ModelWarning)]
    return predictions, texts


@pytest.mark.parametrize("images", [IMAGES, IMAGES[-1:]])
def test_a_missing_scaling_is_recognised(tmp_path, images):
    network(20, 0.5).save(tmp_path / "student.h5")
    model = load_model(tmp_path / "student.h5", classes=CLASSES)
    predictions, texts = warned(model, images)
    assert (predictions.probabilities[:, 1] > 0.999).all()
    assert len(texts) == 1
    assert "scaled by '0-1'" in texts[0]
    assert "load_model(path, classes=..., scaling='0-1')" in texts[0]
    # Without a card, too.
    assert warned(load_model(tmp_path / "student.h5"), images, classes=CLASSES)[1]
    scaled = load_model(tmp_path / "student.h5", classes=CLASSES, scaling="0-1")
    predictions, texts = warned(scaled)
    assert predictions.probabilities[:, 1].std() > 0.2
    assert not texts
    assert not warned(load_model(tmp_path / "student.h5", classes=CLASSES, scaling="none"))[1]


def test_a_nested_network_and_a_file_of_another_runtime(tmp_path):
    inner = network(20, 0.5, first=[keras.layers.ZeroPadding2D(0)])
    images = keras.Input((16, 16, 3))
    nested = keras.Model(images, inner(keras.layers.RandomFlip()(images)))
    assert warned(nested, classes=CLASSES)[1]
    write_torch_like_onnx(tmp_path / "net.onnx", kernel=np.array([[-5, 5], [0, 0], [0, 0]]))
    assert warned(load_model(tmp_path / "net.onnx", classes=CLASSES))[1]
    assert not warned(load_model(tmp_path / "net.onnx", classes=CLASSES, scaling="-1-1"))[1]


@pytest.mark.parametrize(
    "model",
    [
        network(20 / 255, 127),
        # Certain of every image, as an overfitted network is.
        network(5, 127),
        # The same for all images under any scaling: not trained.
        network(0, 0),
        network(1000, -1),
        network(20, 0.5, first=[keras.layers.Rescaling(1 / 255)]),
        network(1e4, 0.5, first=[keras.layers.Rescaling(1 / 255)]),
    ],
)
def test_networks_for_0_to_255_are_not_suspected(model):
    assert not warned(model, classes=CLASSES)[1]


def test_models_of_breastcls_are_not_suspected():
    model = network(20, 0.5)
    set_card(model, ModelCard(classes=CLASSES, image_size=(16, 16), provenance={"training": {"epochs": 3}}))
    assert not warned(model)[1]
