import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.scored_model import ScoredModel


def scored(model):
    return ScoredModel(model, np.zeros((1, *model.input_shape[1:]), np.uint8))


def test_the_last_map_is_found_through_nesting_and_before_pooling(nested_model):
    found = scored(nested_model).feature_map()
    # The nested model ends in max pooling to 8x8; its dropout, the last layer of 16x16, is inactive in inference.
    assert found.path.startswith("middle/spatial_dropout2d")
    assert found.shape == (16, 16, 4)


def test_tensors_of_one_position_are_no_feature_maps():
    inputs = keras.Input((8, 8, 3))
    value = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(value)
    gate = keras.layers.Conv2D(4, 1, activation="sigmoid")(gate)
    value = keras.layers.Multiply(name="excited")([value, gate])
    value = keras.layers.GlobalAveragePooling2D(keepdims=True)(value)
    value = keras.layers.Conv2D(2, 1)(value)
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Flatten()(value)))
    assert scored(model).feature_map().path == "excited"


@pytest.mark.parametrize(
    ("layer", "path", "shape"),
    [
        ("conv", "middle/inner/conv", (16, 16, 4)),
        ("middle/skip", "middle/skip", (16, 16, 4)),
        ("middle", "middle", (8, 8, 4)),
        ("inner", "middle/inner", (16, 16, 4)),
    ],
)
def test_a_layer_can_be_named(nested_model, layer, path, shape):
    found = scored(nested_model).feature_map(layer)
    assert (found.path, found.shape) == (path, shape)


def test_the_error_for_an_unknown_layer_lists_similar_names(nested_model):
    with pytest.raises(ExplanationError, match=r"No layer is named 'midle/skip'.*middle/skip"):
        scored(nested_model).feature_map("midle/skip")


def test_the_error_for_a_layer_without_a_map_names_its_output(nested_model):
    with pytest.raises(ExplanationError, match="expected a feature map"):
        scored(nested_model).feature_map("head")


def test_a_name_of_two_layers_requires_the_path():
    parts = [
        keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, padding="same", name="conv")], name=name)
        for name in ("left", "right")
    ]
    model = keras.Sequential([keras.Input((8, 8, 3)), *parts, keras.layers.GlobalMaxPooling2D()])
    with pytest.raises(ExplanationError, match="left/conv, right/conv"):
        scored(model).feature_map("conv")
    assert scored(model).feature_map("right/conv").shape == (8, 8, 3)


def test_a_model_without_a_convolution_has_no_feature_map():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    with pytest.raises(ExplanationError, match=r"no feature map.*occlusion"):
        scored(model).feature_map()
