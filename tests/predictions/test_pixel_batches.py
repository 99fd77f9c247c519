import warnings

import cv2
import keras
import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationWarning, ModelError
from breastcls.evaluation.evaluate import evaluate
from breastcls.images.decode import read_image
from breastcls.images.resize import resize_image
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.models.model_card import ModelCard, set_card
from breastcls.predictions.pixel_batches import input_size, open_batches
from breastcls.predictions.predict import predict
from breastcls.stain.fitting import fit_normalizer
from breastcls.stain.normalizer_registry import list_normalizers

BINARY = ("benign", "malignant")


def stained(seed, strength):
    generator = np.random.default_rng(seed)
    amounts = strength * generator.gamma(0.6, 0.6, (20, 26, 2)) + 0.1
    return (250 * np.exp(-amounts @ [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])).astype(np.uint8)


@pytest.fixture
def data(tmp_path):
    paths = [str(tmp_path / f"{number}.png") for number in range(5)]
    for number, path in enumerate(paths):
        cv2.imwrite(path, stained(number, 0.5 + 0.2 * number)[..., ::-1])
    return Dataset.from_columns(BINARY, path=paths, label=[BINARY[n % 2] for n in range(5)], case=list("abcde"))


def make_model(size=(12, 16)):
    pixels = keras.Input((*size, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 50, -2)(pixels))
    layer = keras.layers.Dense(2, "softmax", kernel_initializer=keras.initializers.RandomNormal(0, 0.3, seed=1))
    return keras.Model(pixels, layer(pooled))


def with_stain(normalizer, **fields):
    model = make_model()
    stain = None if normalizer is None else normalizer.to_dict()
    set_card(model, ModelCard(classes=BINARY, image_size=(12, 16), stain=stain, **fields))
    return model


@pytest.mark.parametrize("name", list_normalizers())
@pytest.mark.parametrize("resize", ["stretch", "crop"])
def test_a_dataset_is_normalised_at_its_own_size_and_then_resized(data, name, resize):
    normalizer = fit_normalizer(stained(9, 1.0), name)
    model = with_stain(normalizer, resize=resize)
    images = np.stack([resize_image(normalizer.transform(read_image(path)), (12, 16), resize) for path in data.paths])
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    found = predict(model, data, batch_size=2)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    plain = predict(with_stain(None, resize=resize), data)
    assert np.abs(found.probabilities - plain.probabilities).max() > 1e-3
    np.testing.assert_array_equal(evaluate_quietly(model, data).predictions.probabilities, found.probabilities)


def evaluate_quietly(model, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationWarning)
        return evaluate(model, data, bootstrap=Bootstrap(10))


@pytest.mark.filterwarnings("ignore:Stain normalizer reinhard:breastcls.errors.EvaluationWarning")
def test_an_array_is_normalised_as_it_is(data):
    normalizer = fit_normalizer(stained(9, 1.0), "reinhard")
    images, _ = data.to_numpy((12, 16))
    before = images.copy()
    model = with_stain(normalizer)
    expected = model(np.stack([normalizer.transform(image) for image in images]), training=False)
    np.testing.assert_allclose(predict(model, images).probabilities, keras.ops.convert_to_numpy(expected), atol=1e-6)
    np.testing.assert_array_equal(images, before)


def test_images_that_cannot_be_normalised_are_counted():
    model = with_stain(fit_normalizer(stained(9, 1.0), "reinhard"))
    images = np.full((3, 12, 16, 3), 255, np.uint8)
    with pytest.warns(EvaluationWarning, match=r"reinhard: 3 images were left unchanged: 3 with too little tissue"):
        predict(model, images)


def test_the_size_of_the_model_decides():
    model = make_model()
    assert input_size(model, None) == (12, 16)
    assert input_size(make_model((None, None)), None) is None
    images = np.zeros((5, 12, 16, 3), np.uint8)
    opened = open_batches(model, None, images, 2)
    assert opened.image_size == (12, 16)
    assert [len(batch) for batch in opened.batches] == [2, 2, 1]
    flat = keras.Input((4,))
    with pytest.raises(ModelError, match=r"one input of shape \(n, height, width, 3\)"):
        input_size(keras.Model(flat, keras.layers.Dense(2)(flat)), None)
