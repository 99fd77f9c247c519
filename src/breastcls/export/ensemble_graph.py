"""The graph of an ensemble whose members take images of different sizes, without an operation for resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from breastcls.models.ensemble import Member


def join_members(model: keras.Model, members: Sequence[Member], image: Any) -> Any:
    """Return the probabilities of an ensemble, (n, classes).

    `build_ensemble` resizes images by an operation that has no counterpart in ONNX, OpenVINO and LiteRT. It is linear
    and works on rows and columns separately, so that two multiplications by fixed matrices do the same.

    Args:
        model: The ensemble.
        members: Its members.
        image: The input of the new graph, (n, height, width, 3).
    """
    outputs = []
    for member in members:
        if member.resize is None:
            start, images = model.inputs[0], image
        else:
            start, images = member.resize.outputs[0], _resize(image, member.model.input_shape[1:3])
        outputs.append(keras.Model(start, member.probabilities)(images, training=False))
    joined = keras.Model([member.probabilities for member in members], model.outputs[0])
    return joined(outputs, training=False)


def _resize(images: Any, size: tuple[int, int]) -> Any:
    _, height, width, channels = images.shape
    # Every new row is a weighted mean of rows, and every new column of columns.
    rows = ops.matmul(_weights(height, size[0]), ops.reshape(images, (-1, height, width * channels)))
    turned = ops.transpose(ops.reshape(rows, (-1, size[0], width, channels)), (0, 1, 3, 2))
    return ops.transpose(ops.matmul(turned, _weights(width, size[1]).T), (0, 1, 3, 2))


def _weights(before: int, after: int) -> Any:
    """Return the matrix (after, before) of a resize along one axis."""
    identity = np.eye(before, dtype=np.float32)[:, :, None]
    resized = ops.image.resize(identity, (after, before), interpolation="bilinear", antialias=True)
    return np.asarray(resized)[:, :, 0]
