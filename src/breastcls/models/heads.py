"""Classification heads: from the feature maps of a backbone to probabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras import layers

from breastcls.errors import ModelError
from breastcls.models.backbones.backbone import NORM_MOMENTUM

_UNITS = 256


def _pool(features: Any) -> Any:
    # The output of a backbone such as a vision transformer may be one vector per image.
    return features if len(features.shape) == 2 else layers.GlobalAveragePooling2D(name="pool")(features)


def _linear(features: Any, dropout: float) -> Any:
    return layers.Dropout(dropout, name="dropout")(_pool(features))


def _mlp(features: Any, dropout: float) -> Any:
    x = layers.Dense(_UNITS, activation="relu", name="hidden")(_pool(features))
    return layers.Dropout(dropout, name="dropout")(x)


def _flatten_mlp(features: Any, dropout: float) -> Any:
    x = layers.Flatten(name="flatten")(features)
    x = layers.Dense(_UNITS, name="hidden")(x)
    x = layers.ReLU(name="hidden_relu")(x)
    x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name="hidden_bn")(x)
    return layers.Dropout(dropout, name="dropout")(x)


_HEADS: Mapping[str, tuple[Callable[[Any, float], Any], float]] = {
    "linear": (_linear, 0.2),
    "mlp": (_mlp, 0.5),
    "flatten-mlp": (_flatten_mlp, 0.5),
}


def default_dropout(head: str) -> float:
    """Return the default dropout rate of a head."""
    return _HEADS[head][1]


def apply_head(features: Any, head: str, *, classes: int, dropout: float) -> Any:
    """Apply a classification head to the output of a backbone.

    - `"linear"`: global average pooling, dropout, one dense layer;
    - `"mlp"`: global average pooling, a dense layer of 256 units with ReLU, dropout, one dense layer;
    - `"flatten-mlp"`: flattening, a dense layer of 256 units, ReLU, batch normalisation, dropout, one dense layer.

    The last dense layer has the name `logits`, the softmax after it `probabilities`.

    Args:
        features: Symbolic tensor (n, rows, columns, channels) or (n, channels).
        head: `"linear"`, `"mlp"` or `"flatten-mlp"`.
        classes: Number of classes.
        dropout: Fraction of the features that is set to zero in training.

    Returns:
        Symbolic tensor float32 (n, classes), also in mixed precision.

    Raises:
        ModelError: If there is no such head.
    """
    if head not in _HEADS:
        raise ModelError(f"head={head!r}: expected one of {', '.join(_HEADS)}.")
    x = _HEADS[head][0](features, dropout)
    x = layers.Dense(classes, dtype="float32", name="logits")(x)
    return layers.Softmax(dtype="float32", name="probabilities")(x)
