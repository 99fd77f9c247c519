"""The input scaling with which the published EfficientNet weights were trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from breastcls.models.imagenet_statistics import MEAN, STANDARD_DEVIATION


def restore_imagenet_scaling(backbone: Any) -> None:
    """Set the input scaling of an EfficientNet B0 to B7 with published weights to that of their training.

    The published files contain the ImageNet variance; the normalisation layer divides by its square root. The networks
    were trained with images that were also divided by its fourth root. Keras adds a layer for this division when it
    builds the network with `weights="imagenet"`, but not when the same file is passed by its path, so that the same
    file gives two different networks. Here the factor becomes part of the stored variance, which gives one network.

    Weights that were trained from scratch have another variance and are not changed.

    Args:
        backbone: An EfficientNet of Keras Applications. Changed in place.
    """
    import keras

    deviation = np.array(STANDARD_DEVIATION)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            mean, variance, count = layer.get_weights()
            if np.allclose(mean, MEAN, atol=1e-3) and np.allclose(variance, deviation**2, atol=1e-4):
                layer.set_weights([mean, variance * deviation.astype(variance.dtype), count])
                # The layer computes with copies of its variables, which this call updates.
                layer.finalize_state()
