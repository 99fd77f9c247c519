"""The key of a frozen part: all that decides its output, and nothing else."""

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.models.backbones.backbone_registry import list_backbones
from breastcls.models.frozen_key import hash_frozen
from breastcls.models.model_parts import split_model


def build(backbone="cnn4", size=32, seed=3, **options):
    model = bc.build_model(backbone, classes=("a", "b"), image_size=size, weights=None, seed=seed, **options)
    return split_model(model)[0]


def with_layers(*layers):
    inputs = keras.Input((8, 8, 3))
    x = inputs
    for layer in layers:
        x = layer(x)
    model = keras.Model(inputs, x)
    for weight in model.weights:
        weight.assign(np.full(weight.shape, 0.1, weight.dtype))
    return model


@pytest.mark.parametrize("backbone", ["cnn4", "mobilenet", "squeezenet", "efficientnetb0"])
def test_the_same_network_built_twice_has_one_key(backbone):
    assert backbone in {entry.name for entry in list_backbones()}
    first, second = build(backbone, 64), build(backbone, 64)
    assert hash_frozen(first) == hash_frozen(second)
    for layer in second._flatten_layers():
        layer.trainable = False
        layer.dtype_policy = "mixed_bfloat16"
    assert hash_frozen(first) == hash_frozen(second)
    # What the head learns is not in it.
    assert hash_frozen(build(backbone, 64, dropout=0.7)) == hash_frozen(first)


def test_every_weight_counts():
    frozen = build()
    keys = {hash_frozen(frozen)}
    for weight in frozen.weights:
        values = weight.numpy()
        values.reshape(-1)[-1] = np.nextafter(values.reshape(-1)[-1], np.float32(9))
        weight.assign(values)
        keys.add(hash_frozen(frozen))
    assert len(keys) == len(frozen.weights) + 1


def test_size_and_pooling_count():
    convolution = keras.layers.Conv2D
    average, largest = keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D
    models = [
        with_layers(convolution(4, 3), average()),
        with_layers(convolution(4, 3), largest()),
        with_layers(convolution(4, 3, strides=2), average()),
        with_layers(convolution(4, 3, activation="relu"), average()),
        with_layers(convolution(4, 3), keras.layers.ReLU(), average()),
    ]
    assert len({hash_frozen(model) for model in models}) == len(models)
    assert hash_frozen(models[0]) == hash_frozen(with_layers(convolution(4, 3), average()))
    assert hash_frozen(build(size=32)) != hash_frozen(build(size=48))


def test_names_count_by_what_they_connect():
    """Two branches with the same layers, joined in another order."""

    def join(order):
        inputs = keras.Input((4, 4, 3))
        branches = [keras.layers.Conv2D(2, 1), keras.layers.Conv2D(2, 1, activation="relu")]
        outputs = [branch(inputs) for branch in branches]
        model = keras.Model(inputs, keras.layers.Subtract()([outputs[place] for place in order]))
        for weight in model.weights:
            weight.assign(np.full(weight.shape, 0.1, weight.dtype))
        return model

    assert hash_frozen(join((0, 1))) == hash_frozen(join((0, 1)))
    assert hash_frozen(join((0, 1))) != hash_frozen(join((1, 0)))
