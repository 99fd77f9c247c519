"""Every entry point applies one rule from outputs to probabilities and predicted classes."""

import cv2
import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.calibration.calibrators import METHODS
from breastcls.models import probability_rule
from breastcls.models.ensemble import build_ensemble
from breastcls.models.model_card import ModelCard, get_card, set_card
from breastcls.predictions.test_time_augmentation import list_transforms, transform_images

CLASSES = {2: ("benign", "malignant"), 3: ("A", "F", "PT")}
SIZE = (16, 16)
IMAGES = np.random.default_rng(0).integers(0, 256, (30, *SIZE, 3), dtype=np.uint8)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:breastcls.errors.EvaluationWarning", "ignore:.*:breastcls.errors.ExplanationWarning"
)


def make_network(outputs, activation, seed=1):
    """A small convolutional network whose probabilities vary from image to image."""
    pixels = keras.Input((*SIZE, 3))
    maps = keras.layers.Rescaling(1 / 255)(pixels)
    start = keras.initializers.RandomNormal(0, 0.4, seed)
    maps = keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=start)(maps)
    flat = keras.layers.Flatten()(maps)
    return keras.Model(pixels, keras.layers.Dense(outputs, activation, kernel_initializer=start)(flat))


def make_model(kind):
    classes = CLASSES[3 if kind == "three classes" else 2]
    if kind == "ensemble":
        members = [make_network(2, "softmax", seed) for seed in (1, 2)]
        for member in members:
            set_card(member, ModelCard(classes=classes, image_size=SIZE))
        return build_ensemble(members)
    if kind == "one output":
        model = make_network(1, "sigmoid")
    elif kind == "half precision":
        policy = keras.config.dtype_policy()
        try:
            keras.config.set_dtype_policy("mixed_bfloat16")
            model = make_network(2, "softmax")
        finally:
            keras.config.set_dtype_policy(policy)
    else:
        model = make_network(len(classes), "softmax")
    set_card(model, ModelCard(classes=classes, image_size=SIZE))
    return model


def make_dataset(folder, classes):
    paths = [str(folder / f"{number}.png") for number in range(len(IMAGES))]
    for path, image in zip(paths, IMAGES, strict=True):
        cv2.imwrite(path, image[:, :, ::-1])
    labels = [classes[number % len(classes)] for number in range(len(IMAGES))]
    return bc.Dataset.from_columns(classes, path=paths, label=labels, case=[f"c{n // 2}" for n in range(len(IMAGES))])


def calibrate(model, method):
    """Store a calibration, and for two classes a threshold other than 0.5, both fitted on validation predictions."""
    classes = get_card(model).classes
    labels = np.random.default_rng(1).permutation(np.arange(len(IMAGES)) % len(classes))
    raw = bc.predict(model, IMAGES, labels=labels)
    calibrator = bc.calibration.fit_calibrator(raw, method)
    bc.calibration.store_calibration(model, calibrator)
    if len(classes) == 2:
        calibrated = bc.predict(model, IMAGES, labels=labels)
        ranked = np.unique(calibrated.positive)
        threshold = float(ranked[len(ranked) // 3 : len(ranked) // 3 + 2].mean())
        if method != "temperature":  # a threshold is optional
            set_card(model, get_card(model).replace(threshold=threshold))
    return calibrator


def reference(model, calibrator, images=IMAGES):
    """Probabilities written out by hand: the model called directly, and the map that was fitted."""
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(model(images.astype(np.float32), training=False), "float64"))
    if outputs.shape[1] == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
    return outputs / outputs.sum(axis=1, keepdims=True) if calibrator is None else calibrator(outputs)


@pytest.fixture(scope="module", params=["two classes", "three classes", "one output", "half precision", "ensemble"])
def kind_and_model(request):
    return request.param, make_model(request.param)


@pytest.mark.parametrize("method", METHODS)
def test_all_entry_points_agree(kind_and_model, method, tmp_path):
    kind, model = kind_and_model
    classes = get_card(model).classes
    if method == "platt" and len(classes) > 2:
        pytest.skip("Platt scaling is for two classes.")
    set_card(model, get_card(model).replace(threshold=None))
    bc.calibration.store_calibration(model, None)
    calibrator = calibrate(model, method)
    threshold = get_card(model).threshold
    data = make_dataset(tmp_path, classes)
    found = bc.predict(model, data)
    if kind != "half precision":  # the graph rounds to bfloat16 elsewhere when the model is called directly
        np.testing.assert_allclose(found.probabilities, reference(model, calibrator), atol=1e-4)
    positive = found.probabilities[:, -1] >= np.float32(0.5 if threshold is None else threshold)
    expected = positive if len(classes) == 2 else found.probabilities.argmax(axis=1)
    np.testing.assert_array_equal(found.decisions, expected)
    assert found.calibration["method"] == method

    loaded = bc.load_model(bc.save_model(model, tmp_path / "model.keras"))
    for one in (
        bc.predict(model, IMAGES),
        bc.predict(loaded, data),
        bc.evaluate(model, data, bootstrap=bc.intervals.Bootstrap(10)).predictions,
    ):
        np.testing.assert_allclose(one.probabilities, found.probabilities, atol=1e-6)
        np.testing.assert_array_equal(one.decisions, found.decisions)
    for one, images in ((model, IMAGES[:8]), (loaded, data[:8])):
        explanation = bc.explain(one, images, batch_size=8)
        np.testing.assert_allclose(explanation.probabilities, found.probabilities[:8], atol=1e-6)
        np.testing.assert_array_equal(explanation.predicted, found.decisions[:8])
        np.testing.assert_array_equal(explanation.targets, found.decisions[:8])

    # Test-time augmentation: the calibration is applied to the mean over all transforms, also in `evaluate`.
    averaged = bc.predict(model, data, tta="dihedral")
    if kind != "half precision":
        transforms = list_transforms("dihedral", SIZE)
        outputs = [reference(model, None, transform_images(IMAGES, transform)) for transform in transforms]
        np.testing.assert_allclose(averaged.probabilities, calibrator(np.mean(outputs, axis=0)), atol=1e-4)
    assert averaged.threshold == threshold
    if method == "isotonic":  # `evaluate` calls `predict` with the transforms, whatever the method
        again = bc.evaluate(model, data, tta="dihedral", bootstrap=bc.intervals.Bootstrap(10)).predictions
        np.testing.assert_allclose(again.probabilities, averaged.probabilities, atol=1e-6)
        np.testing.assert_array_equal(again.decisions, averaged.decisions)
        assert again.threshold == threshold


def test_there_is_one_function(monkeypatch, tmp_path):
    """`predict`, `explain` and `evaluate` change with it."""
    model = make_model("two classes")
    data = make_dataset(tmp_path, CLASSES[2])
    calls = []

    def classify(passes, card):
        calls.append(len(passes))
        positive = np.linspace(0.1, 0.9, len(passes[0]), dtype=np.float32)
        probabilities = np.stack([1 - positive, positive], axis=1)
        return probability_rule.ClassifiedOutputs(probabilities, (positive >= 0.7).astype(np.int64), 0.7, None)

    before = (
        bc.predict(model, data),
        bc.explain(model, data, batch_size=len(data)),
        bc.evaluate(model, data, bootstrap=bc.intervals.Bootstrap(10)).predictions,
    )
    monkeypatch.setattr(probability_rule, "classify_outputs", classify)
    after = (
        bc.predict(model, data),
        bc.explain(model, data, batch_size=len(data)),
        bc.evaluate(model, data, bootstrap=bc.intervals.Bootstrap(10)).predictions,
    )
    assert len(calls) >= 3
    for old, new in zip(before, after, strict=True):
        assert np.abs(old.probabilities - new.probabilities).max() > 0.05
        np.testing.assert_allclose(new.probabilities[:, 1], np.linspace(0.1, 0.9, len(IMAGES)), atol=1e-6)
    for predictions in (after[0], after[2]):
        np.testing.assert_array_equal(predictions.decisions, np.linspace(0.1, 0.9, len(IMAGES)) >= 0.7)
    np.testing.assert_array_equal(after[1].predicted, after[0].decisions)
    np.testing.assert_array_equal(after[1].targets, after[0].decisions)
