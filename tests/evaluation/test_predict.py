import cv2
import keras
import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, ModelError
from breastcls.evaluation.calibration_map import apply_temperature
from breastcls.evaluation.predict import predict
from breastcls.models.card import ModelCard, set_card

BINARY = ("benign", "malignant")


def make_model(outputs=2, activation="softmax", size=(8, 8), seed=0):
    pixels = keras.Input((*size, 3))
    features = keras.layers.Rescaling(1 / 255)(pixels)
    features = keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(seed))(features)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    scores = keras.layers.Dense(outputs, activation, kernel_initializer=keras.initializers.RandomNormal(0, 3, seed))
    return keras.Model(pixels, scores(pooled))


@pytest.fixture
def data(tmp_path):
    generator = np.random.default_rng(0)
    paths = [str(tmp_path / f"{number}.png") for number in range(7)]
    for path in paths:
        cv2.imwrite(path, generator.integers(0, 256, (8, 8, 3)).astype(np.uint8))
    return Dataset.from_columns(
        BINARY,
        path=paths,
        label=[BINARY[number % 2] for number in range(7)],
        case=[f"c{n // 2}" for n in range(7)],
        slide=[f"s{n // 2}" for n in range(7)],
        magnification=[40, 100, 200, 400, 40, 100, None],
        subtype=["F", "DC", "F", "DC", "F", "DC", None],
    )


def test_it_equals_the_model_called_directly(data):
    model = make_model()
    images, labels = data.to_numpy((8, 8))
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    for batch_size in (2, 7, 32):
        found = predict(model, data, batch_size=batch_size)
        np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(found.labels, labels)
    assert found.cases.tolist() == data.cases.tolist()
    assert found.magnifications.tolist() == [40, 100, 200, 400, 40, 100, -1]
    assert found.subtypes.tolist() == ["F", "DC", "F", "DC", "F", "DC", ""]
    assert found.paths.tolist() == data.paths
    by_array = predict(model, images, labels=labels, cases=data.cases, classes=BINARY)
    np.testing.assert_allclose(by_array.probabilities, expected, atol=1e-6)
    assert predict(model, images, classes=BINARY).labels.tolist() == [-1] * 7


def test_a_sigmoid_of_one_output_and_half_precision(data):
    model = make_model(1, "sigmoid")
    images, _ = data.to_numpy((8, 8))
    found = predict(model, data)
    np.testing.assert_allclose(found.positive, keras.ops.convert_to_numpy(model(images))[:, 0], atol=1e-6)
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        half = make_model(2)
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_allclose(predict(half, data).probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_card_is_followed(data):
    model = make_model()
    plain = predict(model, data)
    set_card(model, ModelCard(classes=BINARY, image_size=(8, 8), threshold=0.3, temperature=2.0, resize="squash"))
    found = predict(model, data)
    assert found.threshold == 0.3
    np.testing.assert_allclose(found.probabilities, apply_temperature(plain.probabilities, 2.0), atol=1e-6)


def test_a_file_is_loaded(data, tmp_path):
    model = make_model()
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(
        predict(str(tmp_path / "model.keras"), data).probabilities, predict(model, data).probabilities, atol=1e-6
    )
    with pytest.raises(ModelError):
        predict(tmp_path / "absent.keras", data)


def test_no_retracing_from_call_to_call(data):
    model = make_model()
    predict(model, data, batch_size=3)
    traces = model.predict_function.experimental_get_tracing_count()
    for _ in range(3):
        predict(model, data, batch_size=3)
    assert model.predict_function.experimental_get_tracing_count() == traces
    assert model.jit_compile is False


def test_classes_must_agree(data):
    model = make_model()
    set_card(model, ModelCard(classes=("negative", "positive"), image_size=(8, 8)))
    with pytest.raises(EvaluationError, match=r"\('negative', 'positive'\), the dataset's \('benign', 'malignant'\)"):
        predict(model, data)
    with pytest.raises(EvaluationError, match="5 outputs; the dataset has 2 classes"):
        predict(make_model(5), data)


def test_what_cannot_be_predicted(data):
    model = make_model()
    images, _ = data.to_numpy((8, 8))
    cases = [
        (images.astype(np.float32), "uint8"),
        (images[0], "uint8"),
        (images[:, :, :, :1], "uint8"),
        (images[:0], "uint8"),
        (np.zeros((2, 9, 8, 3), np.uint8), "takes images of 8x8"),
    ]
    for wrong, words in cases:
        with pytest.raises(EvaluationError, match=words):
            predict(model, wrong, classes=BINARY)
    with pytest.raises(EvaluationError, match="no card that names its classes"):
        predict(model, images)
    with pytest.raises(EvaluationError, match="leave them out"):
        predict(model, data, classes=BINARY)
    with pytest.raises(EvaluationError, match="batch_size"):
        predict(model, data, batch_size=0)
    with pytest.raises(EvaluationError, match="holds no images"):
        predict(model, data[:0])
    with pytest.raises(EvaluationError, match="images of any size"):
        predict(make_model(size=(None, None)), data)
    with pytest.raises(EvaluationError, match="must lie in"):
        predict(make_model(2, None), data)
