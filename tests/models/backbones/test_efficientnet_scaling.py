import keras
import numpy as np
import pytest

from breastcls.models.building import build_model
from breastcls.models.model_parts import find_backbone

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file like the published one: any weights, and the ImageNet mean and variance in the normalisation."""
    model = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    normalisation = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    normalisation.set_weights([MEAN, DEVIATION**2, np.array(0)])
    path = tmp_path_factory.mktemp("weights") / "efficientnetb0_notop.weights.h5"
    model.save_weights(path)
    return path


def stem(model):
    """Up to the first convolution: random weights let little through to the end."""
    part = keras.Model(model.inputs[0], model.get_layer("stem_conv").output)
    return lambda images: np.asarray(part(images))


def test_a_published_file_gives_the_same_network_as_in_keras(published, monkeypatch):
    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils, "get_file", lambda *args, **kwargs: str(published))
    expected = keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(32, 32, 3))
    ours = build_model("efficientnetb0", classes=("a", "b"), image_size=32, weights=published)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    maps = stem(expected)(images)
    np.testing.assert_allclose(stem(find_backbone(ours))(images), maps, rtol=1e-4, atol=1e-5)
    plain = keras.applications.EfficientNetB0(include_top=False, weights=published, input_shape=(32, 32, 3))
    assert np.abs(stem(plain)(images) - maps).max() > 0.1, "the difference must be seen"


def test_other_weights_are_not_changed(tmp_path):
    model = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path / "own.weights.h5"
    model.save_weights(path)
    ours = build_model("efficientnetb0", classes=("a", "b"), image_size=32, weights=path)
    for found, expected in zip(find_backbone(ours).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
