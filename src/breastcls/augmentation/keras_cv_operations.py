"""Augmentations of KerasCV with random numbers that follow from a seed and the position of an image in its batch.

The layers of KerasCV draw from generators with a state and from the global generator of TensorFlow, so that two layers
with the same seed give different images. Here all draws of a layer are replaced by stateless ones. KerasCV is imported
when a policy that needs it is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from breastcls.augmentation.keyed_draws import KeyedDraws
from breastcls.augmentation.policy_parameters import PolicyParameters

# RandAugment: operations per image, and standard deviation of their magnitude, the default of KerasCV.
_STEPS, _DEVIATION = 2, 0.15
# AugMix: number of chains and their maximum length, as in the paper; names of its operations in KerasCV.
_CHAINS, _LONGEST = 3, 3
_AUG_MIX = (
    *("auto_contrast", "equalize", "posterize", "rotate", "solarize"),
    *("shear_x", "shear_y", "translate_x", "translate_y"),
)


def hide_grid(image: Any, draws: KeyedDraws, largest: float) -> Any:
    """Set the squares of a rotated grid to black: GridMask (Chen et al. 2020, DOI 10.48550/arXiv.2001.04086).

    Args:
        image: float32 (height, width, 3), values 0..255.
        draws: The random numbers of this image.
        largest: Largest ratio of the side of a square to the distance between squares.
    """
    import keras_cv

    return use_draws(keras_cv.layers.GridMask(ratio_factor=(0.0, largest)), draws)(image)


def shuffle_channels(image: Any, draws: KeyedDraws, rate: float) -> Any:
    """Permute the colour channels of an image at random, with a probability of `rate`.

    Args:
        image: float32 (height, width, 3), values 0..255.
        draws: The random numbers of this image.
        rate: The probability.
    """
    import keras_cv
    import tensorflow as tf

    chosen = draws.uniform(()) < rate
    return tf.where(chosen, use_draws(keras_cv.layers.ChannelShuffle(), draws)(image), image)


def rand_augment(image: Any, draws: KeyedDraws, magnitude: float) -> Any:
    """Apply RandAugment with the operations of KerasCV (Cubuk et al. 2020, DOI 10.1109/CVPRW50498.2020.00359).

    Args:
        image: float32 (height, width, 3), values 0..255.
        draws: The random numbers of this image.
        magnitude: Strength of the operations, 0 to 1.
    """
    import keras_cv
    import tensorflow as tf

    for _ in range(_STEPS):
        inner = draws.split()
        layers = keras_cv.layers.RandAugment.get_standard_policy((0, 255), magnitude, _DEVIATION)
        # As in the paper, one of the operations leaves the image as it is.
        operations = [*(use_draws(layer, inner) for layer in layers), tf.identity]
        image = _apply_one(image, draws, inner, operations)
    return image


def aug_mix(image: Any, draws: KeyedDraws, severity: float) -> Any:
    """Average an image with three chains of one to three operations: AugMix (Hendrycks et al. 2020, arXiv 1912.02781).

    The operations are those of KerasCV. Chains and weights are drawn here: KerasCV draws within loops of TensorFlow,
    whose steps would all draw the same numbers.

    Args:
        image: float32 (height, width, 3), values 0..255.
        draws: The random numbers of this image.
        severity: Largest strength of the operations, 0 to 1.
    """
    import keras_cv
    import tensorflow as tf

    weights = draws.gamma((_CHAINS,), 1.0)
    weights /= tf.reduce_sum(weights)
    chains = draws.split()

    def run_chain(chain: Any) -> Any:
        own = chains.split_at(chain)
        depth = own.uniform((), 1, _LONGEST + 1, dtype=tf.int32)

        def take_step(step: Any, changed: Any) -> tuple[Any, Any]:
            drawn = own.split_at(step)
            inner = drawn.split()
            layer = use_draws(keras_cv.layers.AugMix(value_range=(0, 255), severity=severity), inner)
            return step + 1, _apply_one(changed, drawn, inner, [getattr(layer, f"_{name}") for name in _AUG_MIX])

        def is_left(step: Any, changed: Any) -> Any:
            return step < depth

        return tf.while_loop(is_left, take_step, [0, image])[1]

    changed = tf.map_fn(run_chain, tf.range(_CHAINS), fn_output_signature=tf.float32)
    mixed = tf.tensordot(weights, tf.ensure_shape(changed, (_CHAINS, *image.shape)), 1)
    # Both parameters of this Beta distribution are 1: it is uniform.
    kept = draws.uniform(())
    return kept * image + (1 - kept) * mixed


def _apply_one(image: Any, draws: KeyedDraws, inner: KeyedDraws, operations: Sequence[Callable[[Any], Any]]) -> Any:
    """Apply one of several operations, chosen at random, all of which draw from `inner`."""
    import tensorflow as tf

    def bind(operation: Callable[[Any], Any]) -> Callable[[], Any]:
        def apply() -> Any:
            # In a graph all operations are traced, otherwise only the chosen one is called.
            inner.restart()
            return tf.ensure_shape(tf.clip_by_value(operation(image), 0.0, 255.0), image.shape)

        return apply

    number = draws.uniform((), 0, len(operations), dtype=tf.int32)
    return tf.switch_case(number, [bind(operation) for operation in operations])


_OPERATIONS: Mapping[str, Callable[[Any, KeyedDraws, float], Any]] = {
    "rand_augment": rand_augment,
    "aug_mix": aug_mix,
    "channel_shuffle": shuffle_channels,
    "grid_mask": hide_grid,
}


def apply_keras_cv(images: Any, key: Any, policy: PolicyParameters, part: tuple[Any, Any] | None = None) -> Any:
    """Apply the operations of KerasCV of a policy to each image of a batch.

    Args:
        images: uint8 tensor (b, height, width, 3).
        key: Stateless seed, int64 (2,).
        policy: The parameters of the policy.
        part: For a part of a batch, the positions of its images in the whole batch and the size of that.

    Returns:
        uint8 tensor of the same shape.
    """
    import tensorflow as tf

    fold = tf.random.experimental.stateless_fold_in
    positions = tf.range(tf.shape(images)[0]) if part is None else tf.cast(part[0], tf.int32)

    def augment_one(item: tuple[Any, Any]) -> Any:
        image, position = item
        image = tf.cast(image, tf.float32)
        for number, (name, operation) in enumerate(_OPERATIONS.items()):
            if strength := getattr(policy, name):
                changed = operation(image, KeyedDraws(fold(fold(key, position), 300 + number)), strength)
                image = tf.clip_by_value(tf.ensure_shape(changed, images.shape[1:]), 0.0, 255.0)
        return tf.cast(tf.round(image), tf.uint8)

    return tf.map_fn(augment_one, (images, positions), fn_output_signature=tf.uint8)


def draw_fourier_masks(key: Any, shares: Any, height: int, width: int) -> Any:
    """Return binary masks of random smooth shape: FMix (Harris et al. 2020, DOI 10.48550/arXiv.2002.12047).

    Args:
        key: Stateless seed, int64 (2,).
        shares: The share of ones of each mask, float32 (b,).
        height: Height of the masks.
        width: Width of the masks.

    Returns:
        float32 tensor (b, height, width) of zeros and ones.
    """
    import keras_cv
    import tensorflow as tf

    def draw_one(item: tuple[Any, Any]) -> Any:
        position, share = item
        draws = KeyedDraws(tf.random.experimental.stateless_fold_in(key, position))
        layer = use_draws(keras_cv.layers.FourierMix(), draws)
        smooth = layer._sample_mask_from_transform(layer.decay_power, tf.constant([height, width]))
        return tf.ensure_shape(layer._binarise_mask(smooth, share, tf.constant([height, width])), (height, width))

    return tf.map_fn(draw_one, (tf.range(tf.shape(shares)[0]), shares), fn_output_signature=tf.float32)


def use_draws(layer: Any, draws: KeyedDraws) -> Any:
    """Replace the random generators of a layer of KerasCV, and of all layers inside it, by `draws`; return the layer.

    Args:
        layer: A new layer, which is used once.
        draws: The random numbers.
    """
    import keras_cv

    pending, seen = [layer], set()
    while pending:
        inner = pending.pop()
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        for name, value in list(vars(inner).items()):
            if isinstance(value, keras_cv.core.FactorSampler):
                setattr(inner, name, partial(_draw_factor, value, draws))
            parts = value if isinstance(value, list | tuple) else [value]
            pending += [part for part in parts if hasattr(part, "_random_generator")]
        inner._random_generator = draws
    return layer


def _draw_factor(factor: Any, draws: KeyedDraws, shape: Any = (), dtype: Any = "float32") -> Any:
    """Return numbers with the distribution of a `FactorSampler` of KerasCV."""
    import keras_cv
    import tensorflow as tf

    if isinstance(factor, keras_cv.core.ConstantFactorSampler):
        return factor(shape, dtype)
    if isinstance(factor, keras_cv.core.UniformFactorSampler):
        return draws.uniform(shape, factor.lower, factor.upper, dtype)
    drawn = draws.normal(shape, factor.mean, factor.stddev, dtype)
    return tf.clip_by_value(drawn, factor.min_value, factor.max_value)
