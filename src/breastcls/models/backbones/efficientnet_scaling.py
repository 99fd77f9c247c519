"""The input scaling that the published EfficientNet weights were trained with."""

from __future__ import annotations

from typing import Any

import numpy as np

from breastcls.models.imagenet_statistics import MEAN, STANDARD_DEVIATION


def restore_imagenet_scaling(backbone: Any) -> None:
    """Give an EfficientNet B0 to B7 that holds published weights the scaling they were trained with.

    The published files hold the ImageNet variance, by whose square root the normalisation layer divides. The networks
    were trained with images divided by the fourth root once more. Keras adds a layer for that when it builds the
    network for `weights="imagenet"`, and leaves it out when the same file is given by its path; the same file would
    then mean two different networks. Here the factor goes into the stored variance, so there is one.

    Weights that were trained from scratch hold another variance and are left alone.

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
                # The layer computes with copies that it takes from its variables when told to.
                layer.finalize_state()
