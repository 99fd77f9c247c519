"""What the report's own drawings are made of: axes, lines with bands, points with whiskers, columns.

The report draws SVG itself rather than embedding Matplotlib's, so that light and dark, screen and paper take their
colours from one style sheet and the text stays text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# The frame of the axes within a drawing of 400 by 400 units.
LEFT, TOP, SIDE = 54.0, 10.0, 334.0


@dataclass(frozen=True)
class Axis:
    """One axis: its title, its ends, and where it has ticks (place, label)."""

    name: str
    low: float = 0.0
    high: float = 1.0
    ticks: tuple[tuple[float, str], ...] = ((0.0, "0"), (0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75"), (1.0, "1"))

    def share(self, value: float) -> float:
        """Return where a value lies between the ends, 0..1 and beyond."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class DrawnCurve:
    """One line as SVG path data, with its band, and points with their whiskers (x, y, low, high) in drawing units."""

    name: str
    number: int
    path: str = ""
    band: str = ""
    points: tuple[tuple[float, float, float | None, float | None], ...] = ()
    columns: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True)
class Chart:
    """A chart, ready for the template.

    Attributes:
        key: A word for ids, unique in the report.
        title: What it shows.
        description: The same in words, for those who do not see it.
        caption: The visible caption.
        x: The horizontal axis.
        y: The vertical axis.
        curves: What is drawn.
        references: Lines to compare with: (name, path data).
        point: Place of the decisions taken, in drawing units, or None.
        band_name: What the bands are, or "" where there are none.
    """

    key: str
    title: str
    description: str
    caption: str
    x: Axis
    y: Axis
    curves: tuple[DrawnCurve, ...]
    references: tuple[tuple[str, str], ...] = ()
    point: tuple[float, float] | None = None
    band_name: str = ""

    @property
    def x_ticks(self) -> list[tuple[float, str]]:
        """Ticks of the horizontal axis in drawing units."""
        return [(round(LEFT + SIDE * self.x.share(place), 1), label) for place, label in self.x.ticks]

    @property
    def y_ticks(self) -> list[tuple[float, str]]:
        """Ticks of the vertical axis in drawing units."""
        return [(round(TOP + SIDE * (1 - self.y.share(place)), 1), label) for place, label in self.y.ticks]


UNIT = Axis("")


def to_drawing(x: float, y: float, axes: tuple[Axis, Axis] = (UNIT, UNIT)) -> tuple[float, float]:
    """Return the place of a point in drawing units; values upwards are drawn upwards."""
    return round(LEFT + SIDE * axes[0].share(x), 1), round(TOP + SIDE * (1 - axes[1].share(y)), 1)


def path_through(x: Floats, y: Floats, axes: tuple[Axis, Axis] = (UNIT, UNIT)) -> str:
    """Return SVG path data through points.

    Example:
        >>> path_through(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
        'M54,344L388,10'
    """
    points = [to_drawing(float(first), float(second), axes) for first, second in zip(x, y, strict=True)]
    return "M" + "L".join(f"{first:g},{second:g}" for first, second in points) if points else ""


def band_between(x: Floats, low: Floats, high: Floats, axes: tuple[Axis, Axis] = (UNIT, UNIT)) -> str:
    """Return a closed path along the lower edge and back along the upper, where both are known; "" if nowhere."""
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return ""
    low, high = (np.clip(edge[known], axes[1].low, axes[1].high) for edge in (low, high))
    around = np.concatenate([x[known], x[known][::-1]])
    return path_through(around, np.concatenate([low, high[::-1]]), axes) + "Z"


def level_line(y: float, axes: tuple[Axis, Axis] = (UNIT, UNIT)) -> str:
    """Return path data of a horizontal line across the frame."""
    return path_through(np.array([axes[0].low, axes[0].high]), np.array([y, y]), axes)
