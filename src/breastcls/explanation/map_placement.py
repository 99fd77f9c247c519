"""Where in the image a feature map is, for models that crop, pad, flip or transpose images or feature maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from breastcls.explanation.layer_graph import LayerGraph, Step

Shapes = Mapping[int, tuple[int | None, ...]]
Side = tuple[int, float, float]

# Smaller shares of a side are not followed: they only align positions.
_SMALLEST_SHARE = 0.1


@dataclass(frozen=True)
class Placement:
    """Where in the image the rows and columns of a tensor are.

    Attributes:
        rows: The axis of the image along which the rows are (0: height, 1: width), and the positions where the first
            row starts and where the last one ends, as fractions of that side. The end is smaller in a flipped tensor.
        columns: The same for the columns.
        joined: The layer that joined tensors of different parts of the image, so that the position is not known.
    """

    rows: Side = (0, 0.0, 1.0)
    columns: Side = (1, 0.0, 1.0)
    joined: str = ""

    def place(self, values: np.ndarray) -> np.ndarray:
        """Return a map of the whole image, with zeros where the tensor does not reach.

        Args:
            values: (n, rows, columns) or (n, rows, columns, channels), values of the positions of the tensor.

        Returns:
            float32 (n, height, width) or (n, height, width, channels), with about the resolution of the tensor.

        Example:
            >>> Placement(rows=(0, 0.5, 1.0), columns=(1, 1.0, 0.0)).place(np.array([[[1.0, 2.0]]])).tolist()
            [[[0.0, 0.0], [2.0, 1.0]]]
        """
        if self == WHOLE or self.joined:
            return values
        row_weights = _interpolate(values.shape[1], *self.rows[1:])
        column_weights = _interpolate(values.shape[2], *self.columns[1:])
        placed = np.einsum("hr,wc,nrc...->nhw...", row_weights, column_weights, values, optimize=True)
        return np.asarray(placed if self.rows[0] == 0 else placed.swapaxes(1, 2), np.float32)


WHOLE = Placement()


def find_placements(graph: LayerGraph, shapes: Shapes) -> dict[int, Placement]:
    """Return where in the image each tensor of a model is, by its slot.

    Followed are the operations that select or reorder rows and columns: cropping, slicing, padding, flipping, rotating
    and transposing. All others keep the positions. Padding of feature maps, and cropping of one row or column of them,
    is part of how convolutions are aligned, and is not followed.

    Args:
        graph: The layer calls of the model.
        shapes: The shape of each tensor.
    """
    found = {0: WHOLE}
    convolved: set[int] = set()
    for step in graph.steps:
        is_convolved = bool(convolved.intersection(step.inputs))
        if is_convolved or holds_a_convolution(step.operation):
            convolved.update(step.outputs)
        given = [found[slot] for slot in step.inputs if slot in found and _has_positions(shapes.get(slot, ()))]
        placement = given[0] if given else WHOLE
        if any(not _is_near(other, placement) for other in given):
            placement = Placement(joined=step.path)
        elif given and len(shapes.get(step.inputs[0], ())) == 4:
            placement = placement if is_convolved and _aligns(step.operation) else _follow(step, placement, shapes)
        found.update(dict.fromkeys(step.outputs, placement))
    return found


def holds_a_convolution(operation: Any) -> bool:
    """Return whether a layer, or a layer inside it, has a kernel over height and width."""
    return any(len(weight.shape) >= 4 for weight in getattr(operation, "weights", ()))


def _aligns(operation: Any) -> bool:
    if isinstance(operation, keras.layers.Cropping2D):
        return all(pixels <= 1 for pair in operation.cropping for pixels in pair)
    return isinstance(operation, keras.layers.ZeroPadding2D)


def _has_positions(shape: tuple[int | None, ...]) -> bool:
    return len(shape) >= 3 and int(np.prod([int(side or 1) for side in shape[1:-1]])) > 1


def _is_near(first: Placement, second: Placement) -> bool:
    if first.joined or second.joined:
        return first.joined == second.joined
    sides = zip((first.rows, first.columns), (second.rows, second.columns), strict=True)
    return all(one[0] == other[0] and np.allclose(one[1:], other[1:], atol=_SMALLEST_SHARE) for one, other in sides)


def _follow(step: Step, placement: Placement, shapes: Shapes) -> Placement:
    """Return the placement of the output of an operation on a tensor (n, rows, columns, channels)."""
    if not isinstance(step.operation, keras.Layer) and type(step.operation).__name__ == "Rot90":
        return _turn(placement, step.operation)
    order = _find_order(step)
    if order == (2, 1):
        return Placement(placement.columns, placement.rows)
    lengths = [int(side or 0) for side in shapes[step.inputs[0]][1:3]]
    outputs = [int(side or 0) for side in shapes.get(step.outputs[0], ())[1:3]]
    spans = _find_spans(step, lengths, outputs)
    if spans is None or 0 in lengths:
        return placement
    sides = []
    for (axis, start, end), length, (first, last) in zip(
        (placement.rows, placement.columns), lengths, spans, strict=True
    ):
        moved = max(abs(min(first, last)), abs(length - max(first, last)))
        if moved < _SMALLEST_SHARE * length and first < last:
            sides.append((axis, start, end))
        else:
            sides.append((axis, start + (end - start) * first / length, start + (end - start) * last / length))
    return Placement(sides[0], sides[1])


def _turn(placement: Placement, operation: Any) -> Placement:
    axes = tuple(int(axis) % 4 for axis in operation.axes)
    if axes not in ((1, 2), (2, 1)):
        return placement
    for _ in range((operation.k if axes == (1, 2) else -operation.k) % 4):
        axis, start, end = placement.columns
        placement = Placement(rows=(axis, end, start), columns=placement.rows)
    return placement


def _find_order(step: Step) -> tuple[int, ...] | None:
    """Return the order of the axes of height and width after an operation that transposes, or None."""
    operation = step.operation
    if isinstance(operation, keras.layers.Permute):
        order = tuple(int(axis) for axis in operation.dims)
    elif not isinstance(operation, keras.Layer) and type(operation).__name__ == "Transpose" and operation.axes:
        order = tuple(int(axis) for axis in operation.axes[1:])
    else:
        return None
    return tuple(axis for axis in order if axis in (1, 2))


def _find_spans(step: Step, lengths: list[int], outputs: list[int]) -> Sequence[tuple[float, float]] | None:
    """Return where the rows and the columns of the output start and end in those of the input, or None."""
    operation = step.operation
    name = type(operation).__name__
    if isinstance(operation, keras.layers.Cropping2D):
        before = [pair[0] for pair in operation.cropping]
        return [(start, start + size) for start, size in zip(before, outputs, strict=True)]
    if isinstance(operation, keras.layers.CenterCrop):
        # Keras enlarges an image that is smaller than the crop.
        pairs = list(zip(lengths, outputs, strict=True))
        if all(size <= length for length, size in pairs):
            return [((length - size) // 2, (length - size) // 2 + size) for length, size in pairs]
        return None
    if isinstance(operation, keras.layers.Resizing):
        return _find_resized_spans(operation, lengths, outputs)
    if isinstance(operation, keras.layers.ZeroPadding2D):
        before = [pair[0] for pair in operation.padding]
        return [(-start, size - start) for start, size in zip(before, outputs, strict=True)]
    if isinstance(operation, keras.Layer):
        return None
    if name == "Flip":
        axes = operation.axis
        axes = (0, 1, 2, 3) if axes is None else axes if isinstance(axes, tuple | list) else (axes,)
        flipped = {int(axis) % 4 for axis in axes}
        return [(length, 0) if axis in flipped else (0, length) for axis, length in enumerate(lengths, start=1)]
    if name == "GetItem":
        return _find_slices(step, lengths)
    return None


def _find_resized_spans(operation: Any, lengths: list[int], outputs: list[int]) -> list[tuple[float, float]] | None:
    """Return the part in the centre that a layer resizes, larger than the image where it pads; None for all of it."""
    if 0 in outputs or 0 in lengths:
        return None
    scales = [size / length for length, size in zip(lengths, outputs, strict=True)]
    if operation.crop_to_aspect_ratio:
        scale = max(scales)
    elif operation.pad_to_aspect_ratio:
        scale = min(scales)
    else:
        return None
    halves = [size / scale / 2 for size in outputs]
    return [(length / 2 - half, length / 2 + half) for length, half in zip(lengths, halves, strict=True)]


def _find_slices(step: Step, lengths: list[int]) -> list[tuple[int, int]] | None:
    args, kwargs = step.arguments
    key = kwargs.get("key", args[1] if len(args) > 1 else None)
    parts = list(key) if isinstance(key, tuple) else [key]
    for place in [number for number, part in enumerate(parts) if part is Ellipsis]:
        parts[place : place + 1] = [slice(None)] * (4 - len(parts) + 1)
    parts += [slice(None)] * (4 - len(parts))
    slices = [part for part in parts if isinstance(part, slice)]
    if len(slices) < len(parts):
        return None
    spans = []
    for part, length in zip(slices[1:3], lengths, strict=True):
        taken = range(*part.indices(length))
        if not taken:
            return None
        if taken[0] < taken.step and taken[-1] + taken.step >= length:
            # Every second row, for example, reaches over the whole side, whichever is the first one.
            spans.append((0, length))
            continue
        back = taken.step < 0
        spans.append((taken[0] + back, min(taken[-1] + back + taken.step, length)))
    return spans


def _interpolate(count: int, start: float, end: float) -> np.ndarray:
    """Return the weights (length, count) of linear interpolation from the positions of a tensor to those of an image.

    Args:
        count: Number of positions of the tensor.
        start: Where the first one starts, as a fraction of the side of the image.
        end: Where the last one ends.
    """
    length = max(1, round(count / abs(end - start)))
    positions = ((np.arange(length) + 0.5) / length - start) / (end - start) * count - 0.5
    inside = (positions >= -0.5) & (positions <= count - 0.5)
    positions = np.clip(positions, 0.0, count - 1.0)
    lower = np.minimum(np.floor(positions).astype(int), max(count - 2, 0))
    weights = np.zeros((length, count))
    rows = np.arange(length)
    weights[rows, lower] = 1.0 - (positions - lower)
    weights[rows, np.minimum(lower + 1, count - 1)] += positions - lower
    return np.asarray(weights * inside[:, np.newaxis])
