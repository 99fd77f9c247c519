import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.explain import explain
from breastcls.explanation.gradients.score_gradients import branch_gradients
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


@pytest.mark.parametrize("layer", [keras.layers.ZeroPadding2D(((0, 1), (0, 1))), keras.layers.Cropping2D(1)])
def test_the_map_before_padding_or_cropping_is_used(layer):
    """In the map behind it the positions of the image are shifted."""
    value = inputs = keras.Input((8, 8, 3))
    value = layer(keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(value))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(value)))
    assert scored(model).feature_map().path == "conv"


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


def build_two(weights, *, around=False):
    """Two convolutions whose features are joined; with `around` the mean colour is joined too."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((16, 16, 3))
    left = keras.layers.Conv2D(2, 3, activation="relu", name="left")(inputs)
    right = keras.layers.Conv2D(2, 3, strides=2, activation="relu", name="right")(inputs)
    parts = [keras.layers.GlobalAveragePooling2D()(value) for value in (left, right)]
    if around:
        parts.append(keras.layers.GlobalAveragePooling2D(name="colour")(inputs))
    joined = keras.layers.Concatenate()(parts)
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(inputs, dense(joined))
    kernel = np.repeat(np.repeat(weights, [2, 2, 3][: len(parts)])[:, np.newaxis], 2, axis=1) * [-0.1, 0.1]
    dense.set_weights([kernel, np.zeros(2)])
    return model


def test_a_model_that_looks_at_one_branch_has_the_map_of_that_branch(noise_images):
    model = build_two([0.0, 1.0])
    both = explain(model, noise_images, "grad-cam", target_class=1)
    assert both.layer == "left, right"
    with pytest.warns(ExplanationWarning, match=r"depends on the image through left"):
        right = explain(model, noise_images, "grad-cam", target_class=1, layer="right")
    # The coarse map is enlarged in two steps instead of one.
    for one, other in zip(both.heatmaps, right.heatmaps, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.95
    assert np.abs(both.positive_share - right.positive_share).max() < 0.02


def test_maps_of_branches_sum_to_the_score(noise_images):
    """HiResCAM of heads that are linear in the maps: the values of all branches together are the score."""
    model = build_two([0.4, -1.0])
    prepared = ScoredModel(model, noise_images)
    images = noise_images.astype(np.float32)
    targets = np.ones(5, np.int64)
    pairs = branch_gradients(prepared, images, targets, prepared.feature_maps())
    total = sum((features * gradients).sum(axis=(1, 2, 3)) for features, gradients in pairs)
    np.testing.assert_allclose(total, prepared.scores(images)[:, 1], rtol=1e-4)


def test_a_path_around_the_map_is_named(noise_images):
    with pytest.warns(ExplanationWarning, match=r"a part of the evidence only.*through colour"):
        explain(build_two([1.0, 1.0, 1.0], around=True), noise_images, "grad-cam", target_class=1)
    whole = scored(build_two([1.0, 1.0]))
    assert whole.bypass(whole.feature_maps()) == ()


def test_methods_without_a_sum_over_branches_are_told_the_layers():
    with pytest.raises(ExplanationError, match=r"on each of 2 branches: left, right"):
        scored(build_two([1.0, 1.0])).feature_map()


def test_a_model_that_looks_at_one_quadrant_has_its_evidence_there(noise_images):
    inputs = keras.Input((16, 16, 3))
    value = keras.layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")(inputs)
    mask = np.zeros((1, 16, 16, 1), np.float32)
    mask[:, 8:, :8] = 1.0
    value = keras.layers.GlobalAveragePooling2D()(value * mask)
    kernel = keras.initializers.Constant([[-0.01, 0.01]])
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax", kernel_initializer=kernel)(value))
    for method in ("grad-cam", "hires-cam", "layer-cam", "integrated-gradients"):
        options = {"baseline": "black"} if method == "integrated-gradients" else {}
        heat = explain(model, noise_images, method, target_class=1, **options).heatmaps
        assert heat[:, 8:, :8].sum() > 0.95 * heat.sum()


def test_a_backbone_called_twice_has_two_maps_under_its_name():
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, name="conv")], name="network")
    inputs = keras.Input((8, 8, 3))
    values = [keras.layers.GlobalMaxPooling2D()(network(image)) for image in (inputs, 255.0 - inputs)]
    prepared = scored(keras.Model(inputs, keras.layers.Concatenate()(values)))
    paths = ["network/conv", "network#2/conv"]
    assert [item.path for item in prepared.feature_maps()] == paths
    assert [item.path for item in prepared.feature_maps("conv")] == paths
    assert [item.path for item in prepared.feature_maps("network#2/conv")] == paths[1:]
