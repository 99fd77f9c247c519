"""Eigenvalues and eigenvectors of symmetric 3x3 matrices by a closed form."""

from __future__ import annotations

import math
from typing import Any

from keras import ops


def eigh_3x3(matrices: Any) -> tuple[Any, Any]:
    """Return the eigenvalues and eigenvectors of symmetric 3x3 matrices.

    The operation `eigh` of TensorFlow has no counterpart in ONNX, OpenVINO and LiteRT; this consists of elementwise
    operations, which all of them have. The eigenvalue that is farthest from the others comes from the trigonometric
    solution of the characteristic equation (Smith 1961, DOI 10.1145/355578.366316), and its eigenvector is orthogonal
    to two rows of the shifted matrix. The other two follow from the 2x2 matrix in the plane orthogonal to it (Eberly
    2014, "A Robust Eigensolver for 3x3 Symmetric Matrices"), so that equal and nearly equal eigenvalues do no harm.

    Args:
        matrices: (n, 3, 3), symmetric.

    Returns:
        The eigenvalues in ascending order, (n, 3), and the eigenvectors as columns, (n, 3, 3), orthonormal. The sign of
        each eigenvector is arbitrary, and so are the eigenvectors of equal eigenvalues.

    Example:
        >>> import numpy as np
        >>> values, vectors = eigh_3x3(np.diag([3.0, 1.0, 2.0]).astype("float32")[None])
        >>> np.round(values, 6).tolist(), np.abs(np.round(vectors, 6))[0, :, 2].tolist()
        ([[1.0, 2.0, 3.0]], [1.0, 0.0, 0.0])
    """
    # A constant: `ops.eye` is an operation that OpenVINO does not have.
    identity = ops.convert_to_tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], matrices.dtype)
    # Without the scale the squares of small elements would underflow.
    largest = ops.max(ops.abs(matrices), axis=(1, 2))
    scale = ops.where(largest > 0, largest, ops.ones_like(largest))
    scaled = matrices / scale[:, None, None]
    mean = (scaled[:, 0, 0] + scaled[:, 1, 1] + scaled[:, 2, 2]) / 3
    deviation = scaled - mean[:, None, None] * identity
    spread = _root(ops.sum(ops.square(deviation), axis=(1, 2)) / 6)
    # Of three equal eigenvalues every vector is an eigenvector.
    normal = deviation / ops.where(spread > 0, spread, ops.ones_like(spread))[:, None, None]

    half_determinant = ops.sum(normal[:, 0] * _cross(normal[:, 1], normal[:, 2]), axis=-1) / 2
    half_determinant = ops.clip(half_determinant, -1.0, 1.0)
    # The arc cosine, which LiteRT does not have.
    sine = _root((1 - half_determinant) * (1 + half_determinant))
    angle = ops.arctan2(sine, half_determinant) / 3
    top = half_determinant >= 0
    farthest = ops.where(top, 2 * ops.cos(angle), 2 * ops.cos(angle + 2 * math.pi / 3))
    single = _null_vector(normal - farthest[:, None, None] * identity)

    first, second = _complement(single)
    rest, vectors = _solve_plane(scaled, first, second)
    value = _form(single, scaled, single)
    values = ops.where(
        top[:, None],
        ops.stack([rest[0], rest[1], value], axis=-1),
        ops.stack([value, rest[0], rest[1]], axis=-1),
    )
    columns = ops.where(
        top[:, None, None],
        ops.stack([vectors[0], vectors[1], single], axis=-1),
        ops.stack([single, vectors[0], vectors[1]], axis=-1),
    )
    return values * scale[:, None], columns


def _root(squares: Any) -> Any:
    """Return the square root, whose gradient at zero is zero instead of infinite."""
    some = squares > 0
    return ops.where(some, ops.sqrt(ops.where(some, squares, ops.ones_like(squares))), ops.zeros_like(squares))


def _null_vector(matrices: Any) -> Any:
    """Return a unit vector orthogonal to the rows of singular matrices, (n, 3)."""
    rows = [matrices[:, index] for index in range(3)]
    best = _cross(rows[0], rows[1])
    length = ops.sum(ops.square(best), axis=-1)
    # The longest cross product is the most accurate one; two rows may be parallel.
    for other in (_cross(rows[0], rows[2]), _cross(rows[1], rows[2])):
        square = ops.sum(ops.square(other), axis=-1)
        longer = square > length
        best, length = ops.where(longer[:, None], other, best), ops.where(longer, square, length)
    found = length > 0
    unit = best / ops.sqrt(ops.where(found, length, ops.ones_like(length)))[:, None]
    return ops.where(found[:, None], unit, ops.convert_to_tensor([[0.0, 0.0, 1.0]], matrices.dtype))


def _complement(unit: Any) -> tuple[Any, Any]:
    """Return two unit vectors (n, 3) that are orthogonal to unit vectors and to each other."""
    x, y, z = unit[:, 0], unit[:, 1], unit[:, 2]
    zero = ops.zeros_like(x)
    # Either pair of components has a length of at least 0.7 here.
    wide = ops.abs(x) > ops.abs(y)
    first = ops.where(wide[:, None], ops.stack([-z, zero, x], axis=-1), ops.stack([zero, z, -y], axis=-1))
    first = first / ops.sqrt(ops.sum(ops.square(first), axis=-1, keepdims=True))
    return first, _cross(unit, first)


def _solve_plane(matrices: Any, first: Any, second: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return both eigenvalues (n,) and eigenvectors (n, 3) in the plane of two unit vectors, the smaller one first."""
    a, b, d = _form(first, matrices, first), _form(first, matrices, second), _form(second, matrices, second)
    middle, half = (a + d) / 2, (a - d) / 2
    radius = _root(half * half + b * b)
    some = radius > 0
    safe = ops.where(some, radius, ops.ones_like(radius))
    # The larger one of cosine and sine by its half-angle formula, the smaller one from their product; sqrt(1 - x) of
    # an x close to 1 would have few digits. Two equal eigenvalues keep the vectors as they are.
    larger = ops.sqrt((1 + ops.where(some, ops.abs(half) / safe, ops.ones_like(half))) / 2)
    smaller = b / safe / (2 * larger)
    ahead = half >= 0
    cosine, sine = ops.where(ahead, larger, smaller), ops.where(ahead, smaller, larger)
    upper = cosine[:, None] * first + sine[:, None] * second
    lower = cosine[:, None] * second - sine[:, None] * first
    return (middle - radius, middle + radius), (lower, upper)


def _form(left: Any, matrices: Any, right: Any) -> Any:
    return ops.sum(left * ops.sum(matrices * right[:, None, :], axis=-1), axis=-1)


def _cross(left: Any, right: Any) -> Any:
    x, y, z = (left[:, index] for index in range(3))
    u, v, w = (right[:, index] for index in range(3))
    return ops.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=-1)
