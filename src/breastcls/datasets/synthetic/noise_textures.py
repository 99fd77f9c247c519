"""Textures of synthetic tissue: smooth noise, sensor noise, fibres, borders between cells."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FloatMap = NDArray[np.float32]
Mask = NDArray[np.bool_]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], period: float) -> FloatMap:
    """Return smooth noise of about unit variance and a correlation length of about `period` pixels.

    Args:
        rng: Source of randomness.
        shape: (height, width) in pixels.
        period: Distance in pixels between independent values, at least one.

    Returns:
        float32, (height, width).
    """
    height, width = shape
    step = max(period, 1.0)
    grid = (max(2, round(height / step) + 1), max(2, round(width / step) + 1))
    # Cubic upsampling of white noise keeps about two thirds of its standard deviation.
    coarse: FloatMap = rng.standard_normal(grid, dtype=np.float32) * np.float32(1.4)
    if step > 16:
        # Low frequencies are computed at a quarter of the size, since cubic interpolation dominates the time.
        coarse = cv2.resize(coarse, (width // 4 + 1, height // 4 + 1), interpolation=cv2.INTER_CUBIC)
    sampling = cv2.INTER_LINEAR if step > 16 else cv2.INTER_CUBIC
    fine: FloatMap = cv2.resize(coarse, (width, height), interpolation=sampling)
    return fine


def grain(rng: np.random.Generator, shape: tuple[int, int]) -> FloatMap:
    """Return white noise, uniform in -1..1, float32 (height, width)."""
    raw = np.frombuffer(rng.bytes(shape[0] * shape[1]), np.uint8).reshape(shape)
    return raw.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def distance_to(mask: Mask) -> FloatMap:
    """Return the Euclidean distance of every pixel to the nearest one in `mask`, in pixels, float32 (height, width)."""
    if not mask.any():
        return np.full(mask.shape, 1e6, np.float32)
    distance: FloatMap = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return distance


def zero_crossings(noise: FloatMap) -> Mask:
    """Return the pixels at which `noise` changes its sign: closed, winding lines, bool (height, width)."""
    positive = noise > 0
    lines = np.zeros(noise.shape, np.bool_)
    lines[:, 1:] = positive[:, 1:] != positive[:, :-1]
    lines[1:] |= positive[1:] != positive[:-1]
    return lines


def fibre_direction(across: FloatMap) -> FloatMap:
    """Return the angle in radians of fibres along the level lines of `across`."""
    down, right = np.gradient(across)
    angle: FloatMap = np.arctan2(-right, down).astype(np.float32)
    return angle


def fibres(rng: np.random.Generator, along: FloatMap, across: FloatMap, length: float, width: float) -> FloatMap:
    """Return an oriented fibrous texture of about unit variance.

    White noise is stretched along the fibres: it is sampled at (`along` / `length`, `across` / `width`).

    Args:
        rng: Source of randomness.
        along: Coordinate of every pixel along the fibres, in pixels.
        across: Coordinate of every pixel across the fibres, in pixels.
        length: Length of a fibre in pixels.
        width: Width of a fibre in pixels.

    Returns:
        float32, of the shape of `along`.
    """
    # Four texture pixels per fibre avoid visible facets of the linear interpolation in remap.
    texture = smooth_noise(rng, (768, 384), 4.0)
    sampled: FloatMap = cv2.remap(
        texture,
        along * np.float32(4.0 / length) + np.float32(rng.uniform(0, 384)),
        across * np.float32(4.0 / width) + np.float32(rng.uniform(0, 768)),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return sampled


def cell_borders(shape: tuple[int, int], centres: NDArray[np.float64], width: float) -> FloatMap:
    """Return the borders of the Voronoi cells of the centres.

    Args:
        shape: (height, width) in pixels.
        centres: (n, 2), x and y in pixels; centres outside of the image are ignored.
        width: Width of the borders in pixels.

    Returns:
        float32 (height, width) in 0..1, 1 on a border, with blurred edges.
    """
    x, y = np.rint(centres).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    seeds = np.ones(shape, np.uint8)
    seeds[y[inside], x[inside]] = 0
    if inside.sum() < 2:
        return np.zeros(shape, np.float32)
    found: tuple[Any, Any] = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = found[1]
    edges = np.zeros(shape, np.float32)
    edges[:, 1:] = labels[:, 1:] != labels[:, :-1]
    edges[1:] = np.maximum(edges[1:], labels[1:] != labels[:-1])
    if width > 1.5:
        size = round(width) | 1
        edges = cv2.dilate(edges, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    soft: FloatMap = cv2.GaussianBlur(edges, (0, 0), max(0.6, 0.4 * width))
    return soft
