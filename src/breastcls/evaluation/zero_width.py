"""Which figures came out the same in every resample, so that their intervals have no width and yet prove little."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

# Figures that cannot vary may still come out a rounding error apart.
ROUNDING = 1e-9


def find_zero_width(metrics: pd.DataFrame, groups: Mapping[str, pd.DataFrame | None]) -> tuple[str, ...]:
    """Return a sentence that names the figures whose interval has no width, or nothing where there are none.

    Not for the bins of a reliability diagram: nearly every one has a bin of few images that are all alike.

    Args:
        metrics: Index metric, columns `low` and `high`.
        groups: By what the rows of a table are, such as "class": columns `x_low` and `x_high` of each figure `x`.

    Example:
        >>> metrics = pd.DataFrame({"low": [1.0, 0.6], "high": [1.0, 0.9]}, index=["recall", "accuracy"])
        >>> find_zero_width(metrics, {})[0].split(",")[0]
        'The interval of recall has no width'
    """
    named = [str(name) for name in metrics.index[_same(metrics["low"], metrics["high"])]]
    for what, table in groups.items():
        if table is None:
            continue
        for figure in table.columns:
            if f"{figure}_low" in table.columns:
                same = _same(table[f"{figure}_low"], table[f"{figure}_high"])
                rows = [_text(row) for row in table.index[same]]
                named += [f"{figure} by {what} ({', '.join(rows)})"] if rows else []
    if not named:
        return ()
    return (
        f"The interval of {', '.join(named)} has no width, since every resample gives the same. That is no certainty: "
        "a bootstrap cannot draw a mistake that is not there, and where none of n cases has one, up to about 3/n of "
        "all cases may.",
    )


def _same(low: pd.Series, high: pd.Series) -> npt.NDArray[np.bool_]:
    return np.asarray((high - low).abs() < ROUNDING)


def _text(row: object) -> str:
    return " at ".join(f"{part:g}" for part in row) if isinstance(row, tuple) else str(row)
