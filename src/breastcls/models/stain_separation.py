"""Separation of haematoxylin and eosin as a layer of the model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from breastcls.models.symmetric_eigenvectors import eigh_3x3

# The constants of `breastcls.stain.macenko`, whose results this layer equals: light 240, glass below density 0.15.
_LIGHT = 240.0
_TISSUE_LEVEL = 205.0
_LEAST_TISSUE = 0.005
_LEAST_ANGLE = 3.0
_LEAST_STRENGTH = 0.01
# By eight steps of three bits a percentile has the 24 bits of float32.
_SEARCH_STEPS, _SEARCH_PARTS = 8, 8
# The stain vectors of Ruifrok & Johnston 2001 as rows of length one. They are used for images whose own vectors cannot
# be estimated, and for the colour image, in which the 99th percentiles of both stains have these strengths.
_REFERENCE_STRENGTHS = (1.6, 1.0)
_REFERENCE_STAINS = ((0.6511, 0.7012, 0.2905), (0.0701, 0.9910, 0.1101))


@keras.saving.register_keras_serializable(package="breastcls")
class StainSeparation(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Separates an H&E image into greyscale images of haematoxylin and of eosin.

    The two stain vectors of each image are estimated as in Macenko et al. 2009 (DOI 10.1109/ISBI.2009.5193250), and the
    concentrations are divided by their 99th percentile. Each stain is then shown as transmitted light, `255 *
    exp(-density * concentration)`, so that the result does not depend on the strength and hue of the stain. There is no
    reference image and there are no weights. An image without two distinguishable stains (glass, one colour) is
    separated with the vectors of Ruifrok & Johnston 2001 and a strength of one.

    Gradients are computed with respect to the concentrations; the estimated stain vectors are treated as constant.

    Args:
        density: Optical density of the 99th percentile of either stain in the output.
        colours: Whether the output also has a colour image: both stains together, with reference colours.

    Input: RGB 0..255, (n, height, width, 3), any dtype. Output: float32 0..255, (n, height, width, 2): haematoxylin,
    eosin; with `colours`, (n, height, width, 5): red, green, blue, haematoxylin, eosin.

    Example:
        >>> import numpy as np
        >>> image = np.full((1, 8, 8, 3), 255, "uint8")
        >>> StainSeparation()(image).shape
        TensorShape([1, 8, 8, 2])
    """

    def __init__(self, density: float = 1.2, colours: bool = False, **keywords: Any) -> None:
        # float32 in every precision policy: bfloat16 is too coarse for percentiles of concentrations.
        super().__init__(**{**keywords, "dtype": "float32", "trainable": False})
        self.density = float(density)
        self.colours = bool(colours)

    def build(self, input_shape: Any) -> None:
        """Mark the layer as built; it has no weights."""
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Return the images of both stains."""
        concentrations, strengths = self.find_concentrations(inputs)
        relative = concentrations / strengths[:, None, None, :]
        light = 255.0 * ops.exp(-self.density * relative)
        if self.colours:
            reference = ops.convert_to_tensor(_REFERENCE_STAINS, "float32") * ops.reshape(_REFERENCE_STRENGTHS, (2, 1))
            light = ops.concatenate([_LIGHT * ops.exp(-ops.matmul(relative, reference)), light], axis=-1)
        return ops.clip(light, 0.0, 255.0)

    def find_concentrations(self, inputs: Any) -> tuple[Any, Any]:
        """Return the concentrations of both stains, (n, height, width, 2), and their 99th percentiles, (n, 2)."""
        images = ops.cast(inputs, "float32")
        _, height, width, _ = images.shape
        pixels = ops.reshape(images, (-1, height * width, 3))
        density = -ops.log((ops.maximum(pixels, 0.0) + 1.0) / _LIGHT)
        tissue = ops.cast(ops.all(pixels <= _TISSUE_LEVEL, axis=-1), "float32")
        stains, found = _find_stains(ops.stop_gradient(density), tissue)
        stains = ops.where(found[:, None, None], stains, ops.convert_to_tensor(_REFERENCE_STAINS, "float32")[None])
        concentrations = ops.matmul(density, _pseudo_inverse(stains))
        all_pixels = ops.ones_like(tissue)
        strengths = ops.stack(
            [_percentile(ops.stop_gradient(concentrations[..., stain]), all_pixels, 99.0) for stain in (0, 1)], axis=-1
        )
        strong = ops.min(strengths, axis=-1) >= _LEAST_STRENGTH
        reference = ops.matmul(density, _pseudo_inverse(ops.convert_to_tensor(_REFERENCE_STAINS, "float32")[None]))
        keep = ops.logical_and(found, strong)
        concentrations = ops.where(keep[:, None, None], concentrations, reference)
        strengths = ops.where(keep[:, None], strengths, ops.ones_like(strengths))
        return ops.reshape(concentrations, (-1, height, width, 2)), ops.stop_gradient(strengths)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, height, width, 2), or (n, height, width, 5) with colours."""
        return (*input_shape[:-1], 5 if self.colours else 2)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        config = {name: value for name, value in super().get_config().items() if name not in ("dtype", "trainable")}
        return {**config, "density": self.density, "colours": self.colours}


def _find_stains(density: Any, tissue: Any) -> tuple[Any, Any]:
    """Return the stain vectors as rows of length one, (n, 2, 3), and whether there are two, (n,)."""
    count = ops.sum(tissue, axis=-1)
    share = tissue / ops.maximum(count, 1.0)[:, None]
    mean = _sum_pixels(density * share[..., None])
    centred = density - mean[:, None]
    weighted = centred * share[..., None]
    covariance = ops.stack([_sum_pixels(weighted * centred[..., axis : axis + 1]) for axis in range(3)], axis=1)
    spreads, axes = eigh_3x3(covariance)
    enough = count >= max(16.0, _LEAST_TISSUE * density.shape[1])
    found = ops.logical_and(enough, ops.logical_and(spreads[:, 2] >= 1e-6, spreads[:, 1] >= 1e-8))
    plane = axes[..., 1:]
    # The sign of an eigenvector is arbitrary; densities are positive.
    plane = plane * ops.where(ops.sum(plane, axis=1, keepdims=True) < 0, -1.0, 1.0)
    turned = ops.matmul(density, plane)
    angle = ops.arctan2(turned[..., 1], turned[..., 0])
    low, high = (_percentile(angle, tissue, share) for share in (1.0, 99.0))
    found = ops.logical_and(found, (high - low) * (180.0 / 3.141592653589793) >= _LEAST_ANGLE)
    first, second = (
        ops.squeeze(ops.matmul(plane, ops.stack([ops.cos(a), ops.sin(a)], axis=-1)[..., None]), -1) for a in (low, high)
    )
    # Haematoxylin absorbs more red light.
    swap = (first[:, 0] > second[:, 0])[:, None]
    return ops.stack([ops.where(swap, first, second), ops.where(swap, second, first)], axis=1), found


def _sum_pixels(values: Any) -> Any:
    """Return the sums (n, 3) over the pixels of (n, pixels, 3), in steps.

    LiteRT adds one number after the other, by which a sum of 50,000 small numbers keeps three or four digits.
    """
    pixels = values.shape[1]
    rows = next(rows for rows in range(int(pixels**0.5), 0, -1) if pixels % rows == 0)
    return ops.sum(ops.sum(ops.reshape(values, (-1, rows, pixels // rows, 3)), axis=2), axis=1)


def _pseudo_inverse(stains: Any) -> Any:
    """Return the matrix (n, 3, 2) from densities to concentrations, by the closed form for two stains."""
    gram = ops.matmul(stains, ops.transpose(stains, (0, 2, 1)))
    a, b, d = gram[:, 0, 0], gram[:, 0, 1], gram[:, 1, 1]
    # Two equal stains have no inverse. The result for such an image is not used, but must not be NaN.
    determinant = ops.maximum(a * d - b * b, 1e-6)
    inverse = ops.stack([ops.stack([d, -b], -1), ops.stack([-b, a], -1)], 1) / determinant[:, None, None]
    return ops.matmul(ops.transpose(stains, (0, 2, 1)), inverse)


def _percentile(values: Any, counted: Any, share: float) -> Any:
    """Return a percentile of the counted values as in NumPy, (n,); infinity if no value is counted.

    The two values around it are found by counting, in eighths of an ever smaller range: OpenVINO sorts 50,000 values in
    seconds, and the order of all others is not needed.
    """
    number = ops.sum(counted, axis=-1)
    last = ops.maximum(number - 1.0, 0.0)
    place = share / 100.0 * last
    below = ops.floor(place)
    some = counted > 0
    finite = ops.where(some, values, float("inf"))
    top = ops.max(ops.where(some, values, -float("inf")), axis=-1)
    high = ops.where(number > 0, top, 1.0)
    low = ops.where(number > 0, ops.min(finite, axis=-1), 1.0) - 1.0
    for _ in range(_SEARCH_STEPS):
        width = (high - low) / _SEARCH_PARTS
        # At or below these borders fewer values are than the one looked for has.
        borders = low[:, None] + width[:, None] * np.arange(1, _SEARCH_PARTS, dtype=np.float32)
        passed = ops.sum(ops.cast(finite[:, None, :] <= borders[..., None], "float32"), axis=-1)
        part = ops.sum(ops.cast(passed <= below[:, None], "float32"), axis=-1)
        low = low + width * part
        high = low + width
    first = ops.min(ops.where(finite > low[:, None], finite, float("inf")), axis=-1)
    up_to_first = ops.sum(ops.cast(finite <= first[:, None], "float32"), axis=-1)
    following = ops.min(ops.where(finite > first[:, None], finite, float("inf")), axis=-1)
    alone = ops.logical_or(up_to_first > below + 1.0, below >= last)
    second = ops.where(alone, first, following)
    return ops.where(number > 0, first + (second - first) * (place - below), float("inf"))
