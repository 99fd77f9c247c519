"""Colour maps for heat-maps: only those whose lightness changes evenly, so that equal steps look equal."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from breastcls.errors import ExplanationError

COLOUR_MAPS = ("viridis", "cividis", "magma", "inferno", "plasma", "gray")
"""Colour maps of Matplotlib that are perceptually uniform and readable with every kind of colour blindness."""

# The largest step of lightness of the six above is at most 1.3 times the mean step, that of "hot" 1.7 times; jet,
# turbo and coolwarm change direction.
_LARGEST_STEP = 1.65
_LEAST_RANGE = 50.0


def find_colour_map(name: str) -> Any:
    """Return a Matplotlib colour map by name.

    Maps whose lightness (L* of CIELAB) does not change in one direction and in even steps are refused: `"jet"` and
    other rainbows draw edges where the heat-map has none, and lose their order in greyscale and for colour-blind
    readers (Borland & Taylor 2007, DOI 10.1109/MCG.2007.323435). A map that was registered with Matplotlib is measured
    in the same way.

    Raises:
        ExplanationError: If there is no colour map of that name, or it is not perceptually uniform.

    Example:
        >>> find_colour_map("viridis").name
        'viridis'
        >>> find_colour_map("jet")
        Traceback (most recent call last):
        ...
        breastcls.errors.ExplanationError: The colour map 'jet' is not perceptually uniform: equal steps of the \
heat-map do not look equal, and colour-blind readers cannot order its colours. Use viridis, cividis, magma, inferno, \
plasma, gray.
    """
    import matplotlib

    if name not in matplotlib.colormaps:
        raise ExplanationError(f"Matplotlib has no colour map {name!r}. Use {', '.join(COLOUR_MAPS)}.")
    found = matplotlib.colormaps[name]
    if name.removesuffix("_r") not in COLOUR_MAPS and not is_uniform(_table(found)):
        raise ExplanationError(
            f"The colour map {name!r} is not perceptually uniform: equal steps of the heat-map do not look equal, and "
            f"colour-blind readers cannot order its colours. Use {', '.join(COLOUR_MAPS)}."
        )
    return found


def is_uniform(table: np.ndarray) -> bool:
    """Return whether the lightness of a table of colours changes in one direction and in even steps.

    Args:
        table: uint8 (256, 3), RGB.
    """
    lightness = cv2.cvtColor(table[np.newaxis].astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)[0, :, 0]
    # Steps over sixteen colours, because those between neighbours are mostly rounding.
    steps = np.diff(lightness[::17])
    total = abs(float(lightness[-1] - lightness[0]))
    if total < _LEAST_RANGE or not (np.all(steps > 0) or np.all(steps < 0)):
        return False
    return bool(np.abs(steps).max() <= _LARGEST_STEP * np.abs(steps).mean())


def colour_table(name: str) -> np.ndarray:
    """Return the 256 colours of a map, uint8 (256, 3), RGB.

    Raises:
        ExplanationError: As in `find_colour_map`.
    """
    return _table(find_colour_map(name))


def _table(colour_map: Any) -> np.ndarray:
    return np.asarray(colour_map(np.linspace(0.0, 1.0, 256))[:, :3] * 255.0).astype(np.uint8)
