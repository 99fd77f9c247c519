"""Cell nuclei: their types, their positions, and drawing them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from breastcls.datasets.synthetic.noise_textures import FloatMap, Mask, smooth_noise

Positions = NDArray[np.float64]


@dataclass(frozen=True)
class NucleusType:
    """Size, shape and chromatin of the nuclei of one cell type; lengths in micrometres.

    Attributes:
        length: Mean long axis.
        width: Mean short axis.
        spread: Standard deviation of the logarithm of the size: pleomorphism.
        darkness: Mean concentration of haematoxylin; 1 is a condensed nucleus.
        darkness_spread: Standard deviation of `darkness` between nuclei.
        irregularity: Deviation of the outline from an ellipse, as a fraction of the radius.
        vesicular: 0 for uniform chromatin, 1 for a pale nucleus with a dark membrane.
        angle_spread: Standard deviation in radians of the orientation.
    """

    length: float
    width: float
    spread: float
    darkness: float
    darkness_spread: float = 0.08
    irregularity: float = 0.05
    vesicular: float = 0.2
    angle_spread: float = 0.2


LUMINAL = NucleusType(7.6, 5.2, 0.10, 0.76, vesicular=0.25)
MYOEPITHELIAL = NucleusType(8.0, 2.4, 0.16, 0.86)
FIBROBLAST = NucleusType(12.0, 2.5, 0.28, 0.78, darkness_spread=0.12, irregularity=0.08)
LYMPHOCYTE = NucleusType(6.2, 5.8, 0.08, 1.0, darkness_spread=0.05, vesicular=0.0)
TUMOUR = NucleusType(9.8, 7.4, 0.20, 0.78, darkness_spread=0.15, irregularity=0.11, vesicular=0.55)


@dataclass(frozen=True)
class Nuclei:
    """A set of n nuclei: positions (n, 2) as x and y, axes (n, 2), all other arrays (n,); lengths in pixels."""

    position: Positions
    axes: NDArray[np.float64]
    angle: NDArray[np.float64]
    darkness: NDArray[np.float64]
    irregularity: NDArray[np.float64]
    vesicular: NDArray[np.float64]

    @staticmethod
    def concatenate(parts: list[Nuclei]) -> Nuclei:
        """Return the union of several sets."""
        names = ("position", "axes", "angle", "darkness", "irregularity", "vesicular")
        return Nuclei(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def scatter(rng: np.random.Generator, shape: tuple[int, int], spacing: float, jitter: float = 0.28) -> Positions:
    """Return positions (n, 2) on a jittered hexagonal grid around the centre of the image.

    Args:
        rng: Source of randomness.
        shape: (height, width) in pixels.
        spacing: Pixels between neighbours.
        jitter: Standard deviation of the jitter, as a fraction of `spacing`.
    """
    height, width = shape
    rows = np.arange(-int(height / 2 / spacing / 0.866) - 2, int(height / 2 / spacing / 0.866) + 3)
    columns = np.arange(-int(width / 2 / spacing) - 2, int(width / 2 / spacing) + 3)
    y, x = np.meshgrid(rows * 0.866, columns.astype(float), indexing="ij")
    x = x + 0.5 * (rows[:, None] % 2)
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    # The random shift keeps the centre of the image near a grid point, but not on it.
    grid += rng.uniform(-0.35, 0.35, 2) + rng.normal(0, jitter, grid.shape)
    spread: Positions = grid * spacing + np.array([width / 2, height / 2])
    return spread


def sample_at(values: NDArray[Any], position: Positions, step: int = 1) -> NDArray[Any]:
    """Return the values of a map at positions; the map is `step` times coarser than the image, its border repeats."""
    column = np.clip((position[:, 0] / step).astype(int), 0, values.shape[1] - 1)
    row = np.clip((position[:, 1] / step).astype(int), 0, values.shape[0] - 1)
    found: NDArray[Any] = values[row, column]
    return found


def along_contours(rng: np.random.Generator, mask: Mask, spacing: float) -> tuple[Positions, NDArray[np.float64]]:
    """Return positions every `spacing` pixels along the outlines of `mask`, and the directions of the tangents.

    Returns:
        Positions (n, 2) and angles (n,) in radians. The border of the image does not count as an outline.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.zeros((0, 2)), np.zeros(0)
    chain = np.concatenate([contour[:, 0] for contour in contours]).astype(float)
    steps = np.minimum(np.hypot(*np.diff(chain, axis=0, prepend=chain[:1]).T), 1.5)
    phase = np.cumsum(steps) / spacing + rng.uniform()
    chosen = np.flatnonzero(np.diff(np.floor(phase), prepend=0.0) > 0)
    reach = max(2, round(spacing / 2))
    ahead = chain[np.minimum(chosen + reach, len(chain) - 1)]
    behind = chain[np.maximum(chosen - reach, 0)]
    angle = np.arctan2(*(ahead - behind).T[::-1])
    position = chain[chosen]
    size = np.array(mask.shape[::-1])
    inside = ((position > 0.5) & (position < size - 1.5)).all(axis=1)
    position = position[inside] + rng.normal(0, 0.12 * spacing, (int(inside.sum()), 2))
    return position, angle[inside]


def make_nuclei(
    rng: np.random.Generator,
    position: Positions,
    nucleus_type: NucleusType,
    scale: float,
    angle: NDArray[Any] | None = None,
) -> Nuclei:
    """Return nuclei of one type at the positions, with random size, shape and darkness.

    Args:
        rng: Source of randomness.
        position: (n, 2), x and y in pixels.
        nucleus_type: The distribution of size, shape and chromatin.
        scale: Pixels per micrometre.
        angle: (n,) orientation of the long axes in radians, or None for a uniform distribution.
    """
    count = len(position)
    size = np.exp(rng.normal(0, nucleus_type.spread, count))
    shape = np.exp(rng.normal(0, 0.10, count))
    axes = np.stack([nucleus_type.length * size * shape, nucleus_type.width * size / shape], axis=1) * (scale / 2)
    orientation = (
        rng.uniform(0, np.pi, count) if angle is None else angle + rng.normal(0, nucleus_type.angle_spread, count)
    )
    return Nuclei(
        position,
        axes,
        np.asarray(orientation, dtype=float),
        np.clip(rng.normal(nucleus_type.darkness, nucleus_type.darkness_spread, count), 0.35, 1.15),
        np.full(count, nucleus_type.irregularity),
        np.clip(rng.normal(nucleus_type.vesicular, 0.15, count), 0, 1),
    )


def draw_nuclei(
    rng: np.random.Generator, shape: tuple[int, int], nuclei: Nuclei, scale: float
) -> tuple[FloatMap, FloatMap]:
    """Draw nuclei with outline and chromatin and, at high magnification, with nucleoli.

    Args:
        rng: Source of randomness.
        shape: (height, width) in pixels.
        nuclei: The nuclei; later ones are drawn over earlier ones.
        scale: Pixels per micrometre.

    Returns:
        The concentration of haematoxylin, and the fraction of each pixel that is covered by a nucleus; float32 (height,
        width).
    """
    reach = nuclei.axes.max(axis=1, initial=0.0)
    x, y = nuclei.position.T
    keep = (x > -reach) & (y > -reach) & (x < shape[1] + reach) & (y < shape[0] + reach)
    position, axes = nuclei.position[keep], np.maximum(nuclei.axes[keep], 0.55)
    angle, darkness = nuclei.angle[keep], nuclei.darkness[keep]
    irregularity, vesicular = nuclei.irregularity[keep], nuclei.vesicular[keep]
    # About a quarter as many corners as pixels on the circumference; eight suffice for the smallest nuclei.
    corners = 8 if scale < 1 else 14 if scale < 2 else 24
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = np.ones((len(position), corners))
    for wave in (2, 3, 5):
        phase = rng.uniform(0, 2 * np.pi, (len(position), 1))
        radius += (irregularity[:, None] * 1.6 / wave) * np.cos(wave * turn + phase)
    local_x, local_y = axes[:, :1] * radius * np.cos(turn), axes[:, 1:] * radius * np.sin(turn)
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    outline_x = position[:, :1] + local_x * cosine - local_y * sine
    outline_y = position[:, 1:] + local_x * sine + local_y * cosine
    # Fixed-point coordinates of OpenCV, 16 steps per pixel, preserve the subpixel positions of small nuclei.
    outlines = np.rint(np.stack([outline_x, outline_y], axis=2) * 16).astype(np.int32)

    canvas = np.zeros(shape, np.uint8)
    cover = np.zeros(shape, np.uint8)
    large = scale > 1.2
    fill = np.clip(darkness * (1 - 0.45 * vesicular) * 200, 1, 255) if large else np.clip(darkness * 185, 1, 255)
    rim = np.clip(darkness * (1 + 0.15 * vesicular) * 205, 1, 255)
    thickness = max(1, round(0.35 * scale))
    for index, outline in enumerate(outlines):
        cv2.fillConvexPoly(canvas, outline, int(fill[index]), cv2.LINE_AA, 4)
        if large:
            cv2.polylines(canvas, [outline], True, int(rim[index]), thickness, cv2.LINE_AA, 4)
            cv2.fillConvexPoly(cover, outline, 255, cv2.LINE_AA, 4)
    if large:
        _draw_nucleoli(rng, canvas, position, axes, vesicular, rim, scale)
    else:
        cover = np.minimum(canvas, 127) * 2
    concentration = canvas.astype(np.float32) / np.float32(200)
    if large:
        clumps = smooth_noise(rng, shape, 0.9 * scale)
        concentration *= np.clip(1 + 0.12 * clumps, 0.5, 1.5)
    share: FloatMap = cover.astype(np.float32) / np.float32(255)
    return concentration, share


def _draw_nucleoli(
    rng: np.random.Generator,
    canvas: NDArray[np.uint8],
    position: Positions,
    axes: NDArray[np.float64],
    vesicular: NDArray[np.float64],
    rim: NDArray[np.float64],
    scale: float,
) -> None:
    """Draw one dark nucleolus into each pale nucleus."""
    shift = rng.normal(0, 0.22, position.shape) * axes
    size = np.clip(rng.normal(0.9, 0.25, len(position)), 0.4, 1.6) * scale
    for index in np.flatnonzero(vesicular > 0.45):
        x, y = np.rint((position[index] + shift[index]) * 16).astype(int)
        cv2.circle(canvas, (int(x), int(y)), int(size[index] * 16), int(rim[index]), -1, cv2.LINE_AA, 4)
