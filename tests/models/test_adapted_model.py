import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import ModelError
from breastcls.models.adapted_model import adapt_model
from breastcls.models.input_scaling import InputScaling
from breastcls.models.model_card import get_card
from breastcls.models.persistence import load_model, save_model
from support.foreign_models import CLASSES, IMAGES, student_network


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_sigmoid_trained_on_0_to_1(tmp_path, suffix):
    network = student_network()
    network.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    network.save(tmp_path / f"student{suffix}")
    model = load_model(tmp_path / f"student{suffix}", classes=CLASSES, scaling="0-1")
    expected = network.predict(IMAGES / 255, verbose=0)[:, 0]
    np.testing.assert_allclose(bc.predict(model, IMAGES).probabilities[:, 1], expected, atol=1e-6)
    card = get_card(model)
    assert (card.classes, card.image_size) == (CLASSES, (16, 16))
    assert card.provenance["loaded_from"]["scaling"]["name"] == "0-1"
    # What was stated once is saved with the model.
    again = load_model(save_model(model, tmp_path / "saved.keras"))
    assert get_card(again) == card
    np.testing.assert_allclose(bc.predict(again, IMAGES).probabilities[:, 1], expected, atol=1e-6)
    with pytest.raises(ModelError, match=r"has a card.*Omit `scaling`"):
        load_model(tmp_path / "saved.keras", scaling="0-1")


def test_logits_of_any_size_with_mean_and_deviation(tmp_path):
    mean, deviation = (0.7, 0.5, 0.6), (0.2, 0.25, 0.15)
    network = student_network("linear", 3, size=None)
    network.save(tmp_path / "logits.keras")
    names = ("a", "b", "c")
    with pytest.raises(ModelError, match=r"any size; pass.*image_size=\(height, width\)"):
        load_model(tmp_path / "logits.keras", classes=names)
    model = load_model(
        tmp_path / "logits.keras", classes=names, scaling=(mean, deviation), image_size=16, outputs="logits"
    )
    logits = network.predict((IMAGES / 255 - mean) / deviation, verbose=0)
    expected = np.asarray(keras.ops.softmax(logits))
    np.testing.assert_allclose(bc.predict(model, IMAGES).probabilities, expected, atol=1e-5)
    assert model.input_shape == (None, 16, 16, 3)


def test_one_logit_gets_a_sigmoid(tmp_path):
    network = student_network("linear", 1)
    model = adapt_model(network, tmp_path / "x.h5", image_size=None, scaling=None, logits=True)
    expected = 1 / (1 + np.exp(-network.predict(IMAGES.astype(np.float32), verbose=0)))
    np.testing.assert_allclose(model.predict(IMAGES.astype(np.float32), verbose=0), expected, atol=1e-5)


def test_a_fixed_batch_size(tmp_path):
    student_network(batch=1).save(tmp_path / "one.keras")
    model = load_model(tmp_path / "one.keras", classes=CLASSES, scaling="none")
    assert bc.predict(model, IMAGES).probabilities.shape == (5, 2)


def test_an_adapted_model_is_trained_and_explained_like_any_other(easy):
    backbone = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3, strides=4, activation="relu", name="conv")],
        name="backbone",
    )
    images = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(images))
    network = keras.Model(images, keras.layers.Dense(1, "sigmoid")(pooled))
    scaling = InputScaling(1 / 255)
    model = adapt_model(network, "x.h5", image_size=None, scaling=scaling, logits=False)
    train, val = easy.split((0.6, 0.4), seed=1)
    run = bc.fit(model, train, val, epochs=1, fine_tune=False, augment="none")
    assert run.config["input_modes"] == ["features"]
    explanation = bc.explain(model, val[:1])
    assert explanation.layer == "backbone/conv"


def test_a_model_that_fits_is_not_changed(tmp_path):
    network = student_network()
    assert adapt_model(network, tmp_path, image_size=None, scaling=InputScaling(), logits=False) is network


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scaling": "zscore"}, "expected 'none', '0-1'"),
        ({"scaling": ((124.0, 117.0, 104.0), (58.0, 57.0, 57.0))}, "Divide a mean and sd of values 0..255"),
        ({"scaling": (1, 2, 3)}, "expected one of"),
        ({"outputs": "logits"}, "ends with a sigmoid"),
        ({"outputs": "scores"}, "expected one of 'probabilities', 'logits'"),
        ({"image_size": 32}, r"takes images of \(16, 16\)"),
        ({"classes": ("a", "b", "c")}, r"has the output \(None, 1\); expected \(n, 3\)"),
    ],
)
def test_arguments_that_do_not_fit(tmp_path, arguments, message):
    student_network().save(tmp_path / "student.keras")
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path / "student.keras", **{"classes": CLASSES, **arguments})


def test_inputs_that_are_no_rgb_images(tmp_path):
    layers = keras.layers

    def flat(*shapes):
        inputs = [keras.Input(shape, name=f"in{place}") for place, shape in enumerate(shapes)]
        parts = [layers.Flatten()(one) for one in inputs]
        joined = parts[0] if len(parts) == 1 else layers.Concatenate()(parts)
        return keras.Model(inputs, layers.Dense(2, "softmax")(joined))

    for model, message in [
        (flat((16, 16, 3), (4,)), r"has 2 inputs: in0 \(None, 16, 16, 3\), in1 \(None, 4\)"),
        (flat((3, 16, 16)), "channels are first"),
        (flat((16, 16, 1)), "rgb_to_grayscale"),
        (flat((16, 4)), r"expected images \(n, height, width, 3\)"),
    ]:
        model.save(tmp_path / "model.keras")
        with pytest.raises(ModelError, match=message):
            load_model(tmp_path / "model.keras", classes=CLASSES)
