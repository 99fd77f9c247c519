import dataclasses
import pathlib
import warnings

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from breastcls.datasets.dataset import Dataset
from breastcls.decisions.conformal import fit_conformal
from breastcls.decisions.stored_decisions import store_conformal
from breastcls.errors import DatasetWarning, EvaluationError, EvaluationWarning, ImageError, ModelError
from breastcls.models.calibration_map import apply_temperature
from breastcls.models.model_card import ModelCard, set_card
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predict import predict
from breastcls.stain.fitting import fit_normalizer
from support.image_fixtures import draw

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
    set_card(model, ModelCard(classes=BINARY, image_size=(8, 8), threshold=0.3, temperature=2.0, resize="stretch"))
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
        (images[:, :, :, :1], "one channel"),
        (images[:0], "is empty"),
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


@pytest.mark.parametrize("size", [(8, 8), (6, 8)])
@pytest.mark.parametrize("batch_size", [3, 32])
def test_views_are_averaged_as_by_a_loop_over_them(data, size, batch_size):
    model = make_model(size=size)
    images, _ = data.to_numpy(size)
    seen = []
    for turns in (0, 1, 2, 3) if size[0] == size[1] else (0, 2):
        for flipped in (images, np.flip(images, axis=2)):
            turned = np.stack([np.rot90(image, turns) for image in flipped])
            seen.append(keras.ops.convert_to_numpy(model(turned, training=False)))
    found = predict(model, data, tta="dihedral", batch_size=batch_size)
    np.testing.assert_allclose(found.probabilities, np.mean(seen, axis=0), atol=1e-6)
    by_array = predict(model, images, tta="dihedral", batch_size=batch_size, classes=BINARY)
    np.testing.assert_allclose(by_array.probabilities, found.probabilities, atol=1e-6)
    plain = predict(model, data).probabilities
    assert np.abs(plain - found.probabilities).max() > 1e-4


def test_a_turned_image_is_predicted_as_the_image(data):
    pixels = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))  # sees where things are
    layer = keras.layers.Dense(2, "softmax", kernel_initializer=keras.initializers.RandomNormal(0, 1, seed=0))
    model = keras.Model(pixels, layer(flat))
    images, _ = data.to_numpy((8, 8))
    expected = predict(model, images, tta="dihedral", classes=BINARY).probabilities
    plain = predict(model, images, classes=BINARY).probabilities
    for turned in (np.rot90(images, 1, (1, 2)), np.rot90(images, 2, (1, 2)), images[:, ::-1], images[:, :, ::-1]):
        turned = np.ascontiguousarray(turned)
        found = predict(model, turned, tta="dihedral", classes=BINARY).probabilities
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert np.abs(predict(model, turned, classes=BINARY).probabilities - plain).max() > 0.01


def test_calibration_and_threshold_come_after_averaging(data):
    model = make_model()
    plain = predict(model, data, tta="dihedral")
    set_card(model, ModelCard(classes=BINARY, image_size=(8, 8), threshold=0.3, temperature=2.0))
    found = predict(model, data, tta="dihedral")
    np.testing.assert_allclose(found.probabilities, apply_temperature(plain.probabilities, 2.0), atol=1e-6)
    assert found.threshold == 0.3


def test_views_of_one_sigmoid_of_half_precision(data):
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        models = make_model(2), make_model(1, "sigmoid")
    finally:
        keras.config.set_dtype_policy(policy)
    for model in models:
        np.testing.assert_allclose(predict(model, data, tta="dihedral").probabilities.sum(axis=1), 1, atol=1e-6)


def test_views_that_are_not_known(data):
    with pytest.raises(EvaluationError, match="tta is 'flips'"):
        predict(make_model(), data, tta="flips")


def test_images_without_labels_and_cases(data):
    model = make_model()
    set_card(model, ModelCard(classes=BINARY, image_size=(8, 8)))
    bare = Dataset.from_columns(path=data.paths)
    found = predict(model, bare)
    np.testing.assert_array_equal(found.probabilities, predict(model, data).probabilities)
    assert (found.classes, found.cases, set(found.labels)) == (BINARY, None, {-1})
    with pytest.raises(EvaluationError, match="Neither the model, which has no card, nor the dataset"):
        predict(make_model(), bare)


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_the_same_images_give_the_same_bits_in_every_form(make_folder, resize):
    paths = make_folder(5)
    model = make_model()
    stain = fit_normalizer(draw(9), "reinhard").to_dict()
    set_card(model, ModelCard(classes=BINARY, image_size=(8, 8), stain=stain, resize=resize))
    data = Dataset.from_columns(path=paths)
    expected = predict(model, data, batch_size=2).probabilities
    assert np.ptp(expected[:, 1]) > 1e-3
    pixels = [draw(number) for number in range(5)]
    forms = {
        "paths": paths,
        "folder": pathlib.Path(paths[0]).parent,
        "bytes": [pathlib.Path(path).read_bytes() for path in paths],
        "Pillow": [Image.open(path) for path in paths],
        "arrays": pixels,
        "one array": np.stack(pixels),
        "generator": (path for path in paths),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for form, images in forms.items():
            found = predict(model, images, batch_size=2)
            np.testing.assert_array_equal(found.probabilities, expected, err_msg=form)
            assert (found.paths is not None) == (form in ("paths", "folder", "generator"))
        np.testing.assert_array_equal(predict(model, paths[0]).probabilities, predict(model, data[:1]).probabilities)


def test_files_are_predicted_without_the_image_cache(make_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path / "cache"))
    found = predict(make_model(), make_folder(2), classes=BINARY)
    assert not (tmp_path / "cache").exists()
    assert found.relative_paths.tolist() == ["000.png", "001.png"]
    assert found.labels.tolist() == [-1, -1]


def test_broken_files_are_named_or_skipped(data, tmp_path):
    model = make_model()
    set_card(model, ModelCard(classes=BINARY, image_size=(8, 8)))
    whole = predict(model, data[[0, 1, 3, 4, 6]], batch_size=2)
    for number in (2, 5):
        pathlib.Path(data.paths[number]).write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"2 images cannot be read:\n.*2\.png: not a PNG.*\n.*5\.png: not a PNG"):
        predict(model, data.paths)
    with pytest.warns(DatasetWarning, match="2 images of 7"):
        found = predict(model, data, on_error="skip", batch_size=2)
    np.testing.assert_array_equal(found.probabilities, whole.probabilities)
    assert found.cases.tolist() == whole.cases.tolist()
    assert found.to_dict()["skipped"]["path"] == ["2.png", "5.png"]
    assert found.to_dict()["skipped"]["reason"][0].startswith("not a PNG")
    with pytest.warns(DatasetWarning):
        some = predict(model, data.paths, on_error="skip", labels=list(range(2)) * 3 + [1], cases=list("abcdefg"))
    assert some.cases.tolist() == list("abdeg")
    assert some.labels.tolist() == [0, 1, 1, 0, 1]
    with pytest.warns(DatasetWarning), pytest.raises(EvaluationError, match="`labels` has 3 values; 7 images"):
        predict(model, data.paths, on_error="skip", labels=[0, 1, 0])
    with pytest.raises(EvaluationError, match="on_error"):
        predict(model, data, on_error="ignore")
    with pytest.raises(EvaluationError, match="known order"):
        predict(model, tmp_path, labels=[0])


def test_stored_prediction_sets_are_those_of_the_fit(data):
    model = make_model()
    set_card(model, ModelCard(classes=BINARY, image_size=(8, 8)))
    assert predict(model, data).prediction_sets is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationWarning)
        sets = fit_conformal(predict(model, data), coverage=0.5, per_class=True)
    store_conformal(model, sets)
    found = predict(model, data.paths)
    np.testing.assert_array_equal(found.prediction_sets, sets.sets(found))
    assert 0 < found.prediction_sets.mean() < 1
    np.testing.assert_array_equal(found[2:4].prediction_sets, found.prediction_sets[2:4])
    assert predict(model, data).aggregate(Aggregation("case", mixed_labels="last")).prediction_sets is None
    store_conformal(model, dataclasses.replace(sets, level="case"))
    assert predict(model, data.paths).prediction_sets is None
