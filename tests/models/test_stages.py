import keras
import numpy as np
import pytest

from breastcls.errors import ModelError
from breastcls.models.building import build_model
from breastcls.models.model_card import get_card, set_card
from breastcls.models.model_parts import find_backbone
from breastcls.models.stages import list_stages, set_trainable

CLASSES = ("benign", "malignant")
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype("float32")
LABELS = np.array([0, 1] * 4)


def cnn4(pretrained=False):
    model = build_model("cnn4", classes=CLASSES, image_size=32, seed=1)
    if pretrained:
        set_card(model, get_card(model).replace(weights="own.h5"))
    return model


def learning(model):
    return {weight.path.split("/")[-2] for weight in model.trainable_weights}


def train(model):
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(IMAGES, LABELS, epochs=1, verbose=0)


def test_every_depth_from_the_head_to_all_layers():
    model = cnn4()
    expected = {"logits"}
    set_trainable(model, "head")
    assert learning(model) == expected
    for count in (1, 2, 3):
        expected |= {f"conv{5 - count}", f"conv{5 - count}_bn"}
        set_trainable(model, count)
        assert learning(model) == expected
    set_trainable(model, "all")
    assert learning(model) == expected | {"conv1", "conv1_bn"}
    set_trainable(model, "last-stage")
    assert learning(model) == {"logits", "conv4", "conv4_bn"}
    assert set_trainable(model, 0) == set_trainable(model, "head") == 514


def test_the_count_is_that_of_keras():
    model = cnn4()
    assert set_trainable(model, "all") == model.count_params() - 2 * (32 + 64 + 128 + 256)


def test_batch_norm_is_trained_from_scratch_and_frozen_if_pretrained():
    for pretrained, moves in ((False, True), (True, False)):
        model = cnn4(pretrained)
        set_trainable(model, "all")
        norm = find_backbone(model).get_layer("conv1_bn")
        before = [weight.copy() for weight in norm.get_weights()]
        convolution = find_backbone(model).get_layer("conv1").get_weights()[0].copy()
        train(model)
        changed = [not np.array_equal(a, b) for a, b in zip(before, norm.get_weights(), strict=True)]
        assert changed == [moves] * 4, "gamma, beta, moving mean, moving variance"
        assert not np.array_equal(convolution, find_backbone(model).get_layer("conv1").get_weights()[0])


def test_batch_norm_can_be_set():
    model = cnn4(pretrained=True)
    set_trainable(model, "last-stage", batch_norm="train")
    assert learning(model) == {"logits", "conv4", "conv4_bn"}
    set_trainable(model, "last-stage", batch_norm="frozen")
    assert learning(model) == {"logits", "conv4"}


def test_a_frozen_backbone_does_not_change():
    model = cnn4()
    set_trainable(model, "head")
    before = [weight.copy() for weight in find_backbone(model).get_weights()]
    train(model)
    for now, then in zip(find_backbone(model).get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_batch_norm_of_the_head_is_always_trainable():
    model = build_model("cancernet", classes=CLASSES, seed=1)
    set_trainable(model, "head", batch_norm="frozen")
    assert learning(model) == {"hidden", "hidden_bn", "logits"}


def test_stages_cover_the_backbone_from_the_output_to_the_input():
    model = cnn4()
    stages = list_stages(model)
    assert [stage[0] for stage in stages[:-1]] == ["conv4", "conv3", "conv2"]
    assert [name for stage in reversed(stages) for name in stage] == [
        layer.name for layer in find_backbone(model).layers
    ]


@pytest.mark.parametrize("depth", ["tail", -1, 4, True, 1.5, None])
def test_wrong_depths_are_refused(depth):
    with pytest.raises(ModelError, match="depth="):
        set_trainable(cnn4(), depth)


def test_wrong_values_of_batch_norm_are_refused():
    with pytest.raises(ModelError, match="batch_norm is"):
        set_trainable(cnn4(), "all", batch_norm="no")


def test_a_model_without_a_card_has_the_depths_head_and_all():
    inner = keras.Input((8, 8, 3))
    backbone = keras.Model(inner, keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(inner)))
    inputs = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(pooled))
    assert set_trainable(model, "head") == 10
    assert set_trainable(model, "all") == 10 + 3 * 3 * 3 * 4 + 4
    with pytest.raises(ModelError, match="no card"):
        set_trainable(model, "last-stage")


class Block(keras.layers.Layer):
    """A layer made of layers, one of them in a list: no model, so that it has no `layers`."""

    def __init__(self):
        super().__init__()
        self.parts = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]

    def call(self, images, training=None):
        convolution, norm = self.parts
        return norm(convolution(images), training=training)


@pytest.mark.parametrize("kind", ["model", "layer"])
def test_batch_norm_inside_of_layers_is_frozen_too(kind):
    inner = keras.Input((8, 8, 3))
    parts = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
    part = keras.Sequential(parts) if kind == "model" else Block()
    backbone = keras.Model(inner, part(inner))
    inputs = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(pooled))
    assert set_trainable(model, "all") == 10 + 3 * 3 * 3 * 4 + 4
    # And it learns again where that is asked for.
    assert set_trainable(model, "all", batch_norm="train") == 10 + 3 * 3 * 3 * 4 + 4 + 8
