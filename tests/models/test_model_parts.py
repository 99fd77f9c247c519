import keras
import numpy as np
import pytest

from breastcls.errors import ModelError
from breastcls.models.building import build_model
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import find_backbone, split_model, with_inference_backbone
from breastcls.models.persistence import load_model, save_model

CLASSES = ("benign", "malignant")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3)).astype("float32")


def build_confident(**arguments):
    """A CancerNet whose outputs are far from one half, unlike those of the initial weights."""
    model = build_model("cancernet", classes=CLASSES, seed=1, **arguments)
    model.set_weights([weight * 3 if weight.ndim > 1 else weight for weight in model.get_weights()])
    return model


@pytest.mark.parametrize(
    ("head", "shape"), [("linear", (None, 128)), ("mlp", (None, 128)), ("flatten-mlp", (None, 6 * 6 * 128))]
)
def test_features_then_head_is_the_model(head, shape):
    model = build_model("cancernet", classes=CLASSES, head=head, seed=1)
    features, top = split_model(model)
    assert features.output_shape == top.input_shape == shape
    np.testing.assert_allclose(np.asarray(top(features(IMAGES))), np.asarray(model(IMAGES)), rtol=1e-5)
    assert not any(weight is other for weight in top.weights for other in features.weights)


def test_training_the_head_trains_the_model(tmp_path):
    model = build_confident()
    before, kernel = np.asarray(model(IMAGES)), model.get_layer("logits").get_weights()[0]
    features, head = split_model(model)
    head.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    # The less probable class of each image, so that the gradient is large.
    head.fit(np.asarray(features(IMAGES)), before.argmin(axis=1), epochs=3, verbose=0)
    after = np.asarray(model(IMAGES))
    assert not np.array_equal(after, before)
    assert np.abs(model.get_layer("logits").get_weights()[0] - kernel).max() > 1e-4
    np.testing.assert_array_equal(np.asarray(load_model(save_model(model, tmp_path / "m.keras"))(IMAGES)), after)


def test_splitting_works_on_a_loaded_model_and_twice(tmp_path):
    model = load_model(save_model(build_model("cancernet", classes=CLASSES, seed=1), tmp_path / "m.keras"))
    for _ in range(2):
        features, head = split_model(model)
        np.testing.assert_allclose(np.asarray(head(features(IMAGES))), np.asarray(model(IMAGES)), rtol=1e-5)


def test_the_inference_backbone_shares_weights_and_is_deterministic():
    model = build_confident(dropout=0.0)
    model.trainable = False
    shared = with_inference_backbone(model)
    assert all(a is b for a, b in zip(model.weights, shared.weights, strict=True))
    assert get_card(shared) == get_card(model)
    quiet = [np.asarray(shared(IMAGES, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(*quiet)
    np.testing.assert_allclose(quiet[0], np.asarray(model(IMAGES)), rtol=1e-5)
    noisy = [np.asarray(model(IMAGES, training=True)) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-4, "dropout inside the backbone must have been there to silence"


def test_a_model_with_inference_backbone_can_be_saved_and_loaded(tmp_path):
    shared = with_inference_backbone(build_confident())
    shared.save(tmp_path / "shared.keras")
    again = keras.models.load_model(tmp_path / "shared.keras")
    np.testing.assert_array_equal(np.asarray(again(IMAGES)), np.asarray(shared(IMAGES)))


def test_training_with_inference_backbone_trains_the_model(tmp_path):
    model = build_confident()
    find_backbone(model).trainable = False
    inner = [weight.copy() for weight in find_backbone(model).get_weights()]
    before, kernel = np.asarray(model(IMAGES)), model.get_layer("logits").get_weights()[0]
    shared = with_inference_backbone(model)
    shared.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    shared.fit(IMAGES, before.argmin(axis=1), epochs=2, verbose=0)
    # The outputs of the test model are saturated, so the weights of its head are compared too.
    assert not np.array_equal(np.asarray(model(IMAGES)), before)
    assert np.abs(model.get_layer("logits").get_weights()[0] - kernel).max() > 1e-4
    for now, then in zip(find_backbone(model).get_weights(), inner, strict=True):
        np.testing.assert_array_equal(now, then)
    loaded = load_model(save_model(model, tmp_path / "m.keras"))
    np.testing.assert_array_equal(np.asarray(loaded(IMAGES)), np.asarray(model(IMAGES)))


def flat():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))


def test_models_without_the_expected_parts_are_refused():
    with pytest.raises(ModelError, match="has 0 nested models"):
        find_backbone(flat())
    inputs = keras.Input((8, 8, 3))
    with pytest.raises(ModelError, match="has 2 nested models"):
        find_backbone(keras.Model(inputs, keras.layers.add([flat()(inputs), flat()(inputs)])))
    with pytest.raises(ModelError, match="expected a head"):
        split_model(keras.Model(inputs, flat()(inputs)))


def test_a_path_around_the_backbone_cannot_be_split():
    inputs = keras.Input((8, 8, 3))
    beside = keras.layers.GlobalAveragePooling2D()(inputs)
    inner = keras.Input((8, 8, 3))
    backbone = keras.Model(inner, keras.layers.Conv2D(3, 3)(inner))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.add([pooled, beside])))
    with pytest.raises(ModelError, match="cannot be split"):
        split_model(model)
