"""RandAugment with the layers of Keras, sampled per image and reproducible.

The RandAugment layers of Keras and KerasCV have an internal state, so that an image depends on the previous ones; that
of Keras also computes all operations to apply two, the same two for the whole batch. Here, the operations of Keras are
sampled per image by a stateless seed, and only the selected ones are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

# Those of the paper except solarisation, which inverts the background only and does not occur in microscopy.
_NAMES = (
    "RandomShear",
    "RandomTranslation",
    "RandomRotation",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomContrast",
    "RandomSharpness",
    "RandomPosterization",
    "AutoContrast",
    "Equalization",
)


def apply_random_operations(
    images: Any, key: Any, count: int, magnitude: float, part: tuple[Any, Any] | None = None
) -> Any:
    """Apply `count` operations, sampled per image (Cubuk et al. 2020, DOI 10.1109/CVPRW50498.2020.00359).

    Args:
        images: uint8 tensor (b, height, width, 3).
        key: Stateless seed, int64 (2,).
        count: Number of operations per image.
        magnitude: Strength, 0 to 1.
        part: For a part of a batch, the positions of its images in the whole batch and the size of that.

    Returns:
        uint8 tensor of the same shape.
    """
    import tensorflow as tf

    fold = tf.random.experimental.stateless_fold_in
    # Layers create variables, which is not possible while a graph is traced.
    with tf.init_scope():
        layers = _layers(magnitude)
    number = tf.shape(images)[0]
    places, number = (tf.range(number), number) if part is None else (tf.cast(part[0], tf.int32), part[1])
    choices = tf.random.stateless_uniform((number, count), fold(key, 200), maxval=len(layers), dtype=tf.int32)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def augment_one(item: tuple[Any, Any, Any]) -> Any:
        image, chosen, number = item
        image = tf.cast(image, tf.float32)
        for step in range(count):
            drawn = fold(fold(key, number), 201 + step)
            image = tf.switch_case(chosen[step], [_bind(layer, image, drawn) for layer in layers])
            image = tf.clip_by_value(tf.ensure_shape(image, images.shape[1:]), 0.0, 255.0)
        return tf.cast(tf.round(image), tf.uint8)

    return tf.map_fn(augment_one, (images, tf.gather(choices, places), places), fn_output_signature=tf.uint8)


@lru_cache(maxsize=8)
def _layers(magnitude: float) -> tuple[Any, ...]:
    import keras

    layers = []
    for name in _NAMES:
        options: dict[str, Any] = {"value_range": (0, 255), "factor": magnitude}
        if name in ("RandomShear", "RandomTranslation", "RandomRotation"):
            del options["value_range"]
        if name == "RandomShear":
            options = {"x_factor": magnitude, "y_factor": magnitude}
        elif name == "RandomTranslation":
            options = {"height_factor": magnitude, "width_factor": magnitude}
        elif name == "RandomPosterization":
            options["factor"] = max(1, int(8 * (1 - magnitude)))
        elif name in ("AutoContrast", "Equalization"):
            del options["factor"]
        layer = getattr(keras.layers, name)(**options)
        # These layers run in tf.data, independent of the backend of the model.
        layer.backend.set_backend("tensorflow")
        layers.append(layer)
    return tuple(layers)


def _bind(layer: Any, image: Any, key: Any) -> Callable[[], Any]:
    import keras
    import tensorflow as tf

    class DrawnSeed(keras.random.SeedGenerator):  # type: ignore[misc]
        """A seed generator without variables, whose seeds depend on `key` only."""

        def __init__(self) -> None:
            self.drawn = 0

        def next(self, ordered: bool = True) -> Any:
            """Return the next seed."""
            self.drawn += 1
            seed = tf.random.experimental.stateless_fold_in(key, self.drawn)
            return tf.cast(seed % (2**31), tf.uint32)

    def operate() -> Any:
        batch = image[None]
        transformation = layer.get_random_transformation(batch, training=True, seed=DrawnSeed())
        return layer.transform_images(batch, transformation, training=True)[0]

    return operate
