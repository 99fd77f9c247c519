"""Haematoxylin and eosin as two grey pictures, inside the model."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# As `breastcls.stain.macenko`, which this equals: light 240, glass below density 0.15.
_LIGHT = 240.0
_TISSUE_LEVEL = 205.0
_LEAST_TISSUE = 0.005
_LEAST_ANGLE = 3.0
_LEAST_STRENGTH = 0.01
# Haematoxylin and eosin of Ruifrok & Johnston 2001, as rows of length one: for images whose own cannot be found, and
# for the colour picture, in which their 99th percentiles have these strengths.
_COLOUR_STRENGTHS = (1.6, 1.0)
_USUAL_STAINS = ((0.6511, 0.7012, 0.2905), (0.0701, 0.9910, 0.1101))


@keras.saving.register_keras_serializable(package="breastcls")
class StainSeparation(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Takes an H&E image apart into what haematoxylin and what eosin alone would show, in grey.

    Each image's two stains are found as Macenko et al. 2009 (DOI 10.1109/ISBI.2009.5193250) do, and the amounts are
    divided by their 99th percentile. Then each stain is drawn as the light that passes it, `255 * exp(-density *
    amount)`, so that pale and dark slides, blue and purple ones give pictures of one look. There is no reference image,
    and nothing is learnt. An image that does not show two stains (glass, one colour) is taken apart by the usual
    stains of Ruifrok & Johnston 2001, at strength one.

    Gradients go through the amounts, with the stains that were found taken as given.

    Args:
        density: Optical density of the 99th percentile of either stain in the pictures.
        colours: Whether to give the image in normalised colours too: both stains together, in the usual colours.

    Input: RGB 0..255, (n, height, width, 3), any dtype. Output: float32 0..255, (n, height, width, 2): haematoxylin,
    eosin; with `colours`, (n, height, width, 5): red, green, blue, haematoxylin, eosin.

    Example:
        >>> import numpy as np
        >>> image = np.full((1, 8, 8, 3), 255, "uint8")
        >>> StainSeparation()(image).shape
        TensorShape([1, 8, 8, 2])
    """

    def __init__(self, density: float = 1.2, colours: bool = False, **keywords: Any) -> None:
        # float32 whatever the precision policy: percentiles of amounts in bfloat16 would be steps.
        super().__init__(**{**keywords, "dtype": "float32", "trainable": False})
        self.density = float(density)
        self.colours = bool(colours)

    def build(self, input_shape: Any) -> None:
        """There is nothing to make."""
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Return the pictures."""
        amounts, strengths = self.find_amounts(inputs)
        relative = amounts / strengths[:, None, None, :]
        light = 255.0 * ops.exp(-self.density * relative)
        if self.colours:
            usual = ops.convert_to_tensor(_USUAL_STAINS, "float32") * ops.reshape(_COLOUR_STRENGTHS, (2, 1))
            light = ops.concatenate([_LIGHT * ops.exp(-ops.matmul(relative, usual)), light], axis=-1)
        return ops.clip(light, 0.0, 255.0)

    def find_amounts(self, inputs: Any) -> tuple[Any, Any]:
        """Return the amounts of both stains, (n, height, width, 2), and their 99th percentiles, (n, 2)."""
        images = ops.cast(inputs, "float32")
        _, height, width, _ = images.shape
        pixels = ops.reshape(images, (-1, height * width, 3))
        density = -ops.log((ops.maximum(pixels, 0.0) + 1.0) / _LIGHT)
        tissue = ops.cast(ops.all(pixels <= _TISSUE_LEVEL, axis=-1), "float32")
        stains, found = _find_stains(ops.stop_gradient(density), tissue)
        stains = ops.where(found[:, None, None], stains, ops.convert_to_tensor(_USUAL_STAINS, "float32")[None])
        amounts = ops.matmul(density, _pseudo_inverse(stains))
        everywhere = ops.ones_like(tissue)
        strengths = ops.stack(
            [_percentile(ops.stop_gradient(amounts[..., stain]), everywhere, 99.0) for stain in (0, 1)], axis=-1
        )
        strong = ops.min(strengths, axis=-1) >= _LEAST_STRENGTH
        usual = ops.matmul(density, _pseudo_inverse(ops.convert_to_tensor(_USUAL_STAINS, "float32")[None]))
        keep = ops.logical_and(found, strong)
        amounts = ops.where(keep[:, None, None], amounts, usual)
        strengths = ops.where(keep[:, None], strengths, ops.ones_like(strengths))
        return ops.reshape(amounts, (-1, height, width, 2)), ops.stop_gradient(strengths)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, height, width, 2), or 5 channels with colours."""
        return (*input_shape[:-1], 5 if self.colours else 2)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        config = {name: value for name, value in super().get_config().items() if name not in ("dtype", "trainable")}
        return {**config, "density": self.density, "colours": self.colours}


def _find_stains(density: Any, tissue: Any) -> tuple[Any, Any]:
    """Return the stains as rows of length one, (n, 2, 3), and whether there are two, (n,)."""
    count = ops.sum(tissue, axis=-1)
    share = tissue / ops.maximum(count, 1.0)[:, None]
    mean = ops.sum(density * share[..., None], axis=1)
    centred = density - mean[:, None]
    covariance = ops.matmul(ops.transpose(centred * share[..., None], (0, 2, 1)), centred)
    spreads, axes = ops.eigh(covariance)
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
    # Haematoxylin takes more of the red.
    swap = (first[:, 0] > second[:, 0])[:, None]
    return ops.stack([ops.where(swap, first, second), ops.where(swap, second, first)], axis=1), found


def _pseudo_inverse(stains: Any) -> Any:
    """Return the matrix (n, 3, 2) from densities to amounts, by the closed form for two stains."""
    gram = ops.matmul(stains, ops.transpose(stains, (0, 2, 1)))
    a, b, d = gram[:, 0, 0], gram[:, 0, 1], gram[:, 1, 1]
    # Two stains that are one have no inverse; such an image is not kept, and must only not become NaN.
    determinant = ops.maximum(a * d - b * b, 1e-6)
    inverse = ops.stack([ops.stack([d, -b], -1), ops.stack([-b, a], -1)], 1) / determinant[:, None, None]
    return ops.matmul(ops.transpose(stains, (0, 2, 1)), inverse)


def _percentile(values: Any, counted: Any, share: float) -> Any:
    """Return a percentile of the values that count, as NumPy defines it, (n,); infinity where none counts."""
    ordered = ops.sort(ops.where(counted > 0, values, float("inf")), axis=-1)
    last = ops.maximum(ops.sum(counted, axis=-1) - 1.0, 0.0)
    place = share / 100.0 * last
    below = ops.floor(place)
    pair = ops.cast(ops.stack([below, ops.minimum(below + 1.0, last)], axis=-1), "int32")
    around = ops.take_along_axis(ordered, pair, axis=-1)
    return around[:, 0] + (around[:, 1] - around[:, 0]) * (place - below)
