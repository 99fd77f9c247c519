import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.explain import explain
from breastcls.explanation.map_placement import WHOLE, Placement
from breastcls.explanation.scored_model import ScoredModel
from breastcls.models.backbones.transformers.vision_transformer import VisionTransformer

IMAGES = np.random.default_rng(0).integers(1, 256, (2, 16, 16, 3), dtype=np.uint8)
UPPER, LOWER = slice(0, 8), slice(8, 16)
ops, layers = keras.ops, keras.layers


def convolve(value):
    return layers.Conv2D(2, 1, kernel_initializer="ones", name="conv")(value)


def build(make_map):
    """A model whose score for class 1 is the mean of a map."""
    inputs = keras.Input((16, 16, 3))
    kernel = keras.initializers.Constant([[-0.01, 0.01], [-0.01, 0.01]])
    pooled = layers.GlobalAveragePooling2D()(make_map(inputs))
    return keras.Model(inputs, layers.Dense(2, "softmax", kernel_initializer=kernel)(pooled))


# The part of the image that the score reads, and how the model selects it.
PARTS = {
    "slice of the image": (LOWER, UPPER, lambda image: convolve(image[:, 8:, :8])),
    "slice of the features": (LOWER, UPPER, lambda image: convolve(image)[:, -8:, :8, :]),
    "cropping": (UPPER, LOWER, lambda image: convolve(layers.Cropping2D(((0, 8), (8, 0)))(image))),
    "centre crop": (slice(4, 12), slice(4, 12), lambda image: convolve(layers.CenterCrop(8, 8)(image))),
    "flip": (UPPER, LOWER, lambda image: ops.flip(convolve(image), axis=2)[:, :8, :8]),
    "slice backwards": (LOWER, UPPER, lambda image: convolve(image[:, ::-1])[..., :8, :8, :]),
    "transposed": (UPPER, LOWER, lambda image: layers.Permute((2, 1, 3))(convolve(image))[:, 8:, :8]),
    "padded": (UPPER, LOWER, lambda image: convolve(layers.ZeroPadding2D(((0, 8), (0, 0)))(image))[:, :8, 8:]),
    "rotated": (UPPER, LOWER, lambda image: ops.rot90(convolve(image), axes=(1, 2))[:, :8, :8]),
    "rotated back": (LOWER, UPPER, lambda image: ops.rot90(convolve(image), k=-1, axes=(1, 2))[:, :8, :8]),
    "crop to proportions": (
        slice(0, 16),
        slice(4, 12),
        lambda image: convolve(layers.Resizing(16, 8, crop_to_aspect_ratio=True)(image)),
    ),
    "pad to proportions": (
        slice(0, 16),
        LOWER,
        lambda image: convolve(layers.Resizing(8, 16, pad_to_aspect_ratio=True)(image))[:, :, 8:],
    ),
    "every second row": (UPPER, UPPER, lambda image: convolve(image[:, 1::2, ::2])[:, :4, :4]),
}


@pytest.mark.parametrize("part", PARTS)
def test_the_evidence_is_where_the_score_reads_the_image(part):
    rows, columns, make_map = PARTS[part]
    model = build(make_map)
    for method in ("grad-cam", "eigen-cam", "score-cam", "ablation-cam", "fused-layer-cam"):
        heat = explain(model, IMAGES, method, target_class=1).heatmaps
        assert heat[:, rows, columns].sum() > 0.9 * heat.sum() > 0, method


def test_tokens_of_a_cropped_image_are_at_their_place():
    network = VisionTransformer(patch_size=2, width=8, depth=2, heads=2)((8, 12, 3))
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, layers.Dense(2, "softmax")(network(inputs[:, 8:, 2:14] / 255.0)))
    for method in ("attention-rollout", "gradient-rollout", "eigen-cam"):
        heat = explain(model, IMAGES, method, target_class=1).heatmaps
        assert heat[:, 8:, 2:14].sum() > 0.9 * heat.sum() > 0, method


def test_tiles_that_become_images_of_a_batch_are_refused():
    inputs = keras.Input((16, 16, 3))
    tiles = ops.reshape(convolve(ops.reshape(inputs, (-1, 8, 16, 3))), (-1, 2 * 8 * 16, 2))
    model = keras.Model(inputs, layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(tiles)))
    with pytest.raises(ExplanationError, match=r"conv.* 4 feature maps for 2 images.*occlusion"):
        explain(model, IMAGES, "hires-cam", target_class=1)


def test_a_sum_over_crops_has_each_at_its_place():
    """HiResCAM of a head that is linear in two crops: the values of a pixel are its part of the score."""
    crops = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 1, kernel_initializer="ones")])
    model = build(lambda image: layers.Concatenate(axis=1)([crops(image[:, :8, :8]), crops(image[:, 8:, 8:])]))
    with pytest.warns(ExplanationWarning, match="joins different parts"):
        explain(model, IMAGES, "hires-cam", target_class=1, layer=model.layers[-3].name)

    inputs = keras.Input((16, 16, 3))
    means = [layers.GlobalAveragePooling2D()(crops(part)) for part in (inputs[:, :8, :8], inputs[:, 8:, 8:])]
    kernel = keras.initializers.Constant([[-0.01, 0.01], [-0.01, 0.01]])
    joined = layers.Dense(2, "softmax", kernel_initializer=kernel)(layers.Average()(means))
    heat = explain(keras.Model(inputs, joined), IMAGES, "hires-cam", target_class=1).heatmaps
    expected = IMAGES.astype(np.float32).sum(axis=-1)
    expected[:, :8, 8:] = expected[:, 8:, :8] = 0.0
    np.testing.assert_allclose(heat, expected / expected.max(axis=(1, 2), keepdims=True), atol=1e-4)


def test_padding_and_cropping_that_align_convolutions_are_not_followed():
    """As in MobileNetV3, whose padding adds up to more than the image, and in NASNet, which shifts a map by one row."""
    value = inputs = keras.Input((16, 16, 3))
    for _ in range(3):
        value = layers.ZeroPadding2D(((0, 1), (0, 1)))(value)
        value = layers.Conv2D(2, 3, strides=2)(value)
    shifted = layers.Cropping2D(((1, 0), (1, 0)))(layers.ZeroPadding2D(((0, 1), (0, 1)))(value))
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([value, shifted])))
    scored = ScoredModel(keras.Model(inputs, layers.Dense(2)(pooled)), IMAGES)
    assert [item.placement for item in scored.feature_maps()] == [WHOLE]


def test_rows_that_are_transposed_and_flipped_are_put_back():
    values = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    placed = Placement(rows=(1, 1.0, 0.0), columns=(0, 0.0, 1.0)).place(values)
    np.testing.assert_array_equal(placed, [values[0, ::-1].T])
