"""Input scaling as ordinary Keras layers, so that any Keras opens the saved model."""

from __future__ import annotations

from typing import Any

import keras

from breastcls.models.imagenet_statistics import MEAN, MEAN_BGR_255, STANDARD_DEVIATION


def apply_scaling(images: Any, scaling: str) -> Any:
    """Bring RGB images of 0..255 to what a backbone was trained with.

    Args:
        images: Symbolic tensor float32 (n, height, width, 3).
        scaling: One of `breastcls.models.backbones.backbone.SCALINGS`.

    Returns:
        Symbolic tensor float32 of the same shape. It equals `preprocess_input` of Keras Applications with the mode of
        the same name; `"unit"` is 0..1 and `"none"` the images themselves.
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
    # float32 whatever the precision policy: bfloat16 cannot tell 251.3 from 251.9.
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="scaling")(images)
