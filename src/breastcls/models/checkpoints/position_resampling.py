"""Resampling of learned positions to another number of patches, equal to that of PyTorch (`interpolate`, bicubic)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float64]


def resample_positions(
    positions: npt.NDArray[np.float32], grid: tuple[int, int], resampling: str
) -> npt.NDArray[np.float32]:
    """Return learned positions for another grid of patches.

    Args:
        positions: (rows, columns, channels).
        grid: (rows, columns) of the result.
        resampling: `"bicubic"`, `"bicubic-antialias"`, or `"bicubic-offset"`: with a scale that is too large by 0.1
            patches, as in the first DINOv2.

    Returns:
        (rows, columns, channels); the input itself where the grid is the same.
    """
    if positions.shape[:2] == grid:
        return positions
    rows, columns = (_weights(old, new, resampling) for old, new in zip(positions.shape[:2], grid, strict=True))
    found = np.einsum("ri,cj,ijk->rck", rows, columns, positions.astype(np.float64), optimize=True)
    return np.asarray(found, np.float32)


def _weights(old: int, new: int, resampling: str) -> Weights:
    """Return the weights (new, old) of the old samples in each new one."""
    antialias = resampling == "bicubic-antialias"
    step = old / (new + 0.1) if resampling == "bicubic-offset" else old / new
    # PyTorch has the coefficient of Pillow where it filters against aliasing, and that of OpenCV where it does not.
    coefficient, width = (-0.5, max(step, 1.0)) if antialias else (-0.75, 1.0)
    centres = (np.arange(new) + 0.5) * step - 0.5
    weights = np.zeros((new, old))
    for row, centre in enumerate(centres):
        first = int(np.floor(centre - 2 * width)) + 1
        samples = np.arange(first, int(np.ceil(centre + 2 * width)))
        values = _cubic((samples - centre) / width, coefficient)
        if antialias:
            # Samples outside are left out; without the filter the border is repeated.
            inside = (samples >= 0) & (samples < old)
            samples, values = samples[inside], values[inside]
        np.add.at(weights[row], np.clip(samples, 0, old - 1), values)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _cubic(distance: npt.NDArray[np.float64], a: float) -> npt.NDArray[np.float64]:
    """Return the kernel of Keys 1981, DOI 10.1109/TASSP.1981.1163711."""
    x = np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
