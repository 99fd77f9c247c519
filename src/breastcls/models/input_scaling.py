"""Input scaling by layers of Keras, so that Keras can load the saved model without breastcls."""

from __future__ import annotations

from typing import Any

import keras

from breastcls.models.imagenet_statistics import MEAN, MEAN_BGR_255, STANDARD_DEVIATION


def apply_scaling(images: Any, scaling: str) -> Any:
    """Apply the input scaling of a backbone to RGB images with values 0..255.

    Args:
        images: Symbolic tensor float32 (n, height, width, 3).
        scaling: One of `breastcls.models.backbones.backbone.SCALINGS`.

    Returns:
        Symbolic tensor float32 of the same shape. It equals `preprocess_input` of Keras Applications with the mode of
        the same name; `"unit"` scales to 0..1, and `"none"` returns the images unchanged.
    """
    if scaling == "none":
        return images
    if scaling == "caffe":
        images = keras.ops.flip(images, axis=-1)
    factors: dict[str, tuple[float | list[float], float | list[float]]] = {
        "unit": (1 / 255, 0.0),
        "tf": (1 / 127.5, -1.0),
        "torch": (
            [1 / (255 * deviation) for deviation in STANDARD_DEVIATION],
            [-mean / deviation for mean, deviation in zip(MEAN, STANDARD_DEVIATION, strict=True)],
        ),
        "caffe": (1.0, [-mean for mean in MEAN_BGR_255]),
    }
    scale, offset = factors[scaling]
    # float32 in every precision policy: in bfloat16, 251.3 and 251.9 are the same number.
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="scaling")(images)
