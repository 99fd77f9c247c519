"""Which figures came out the same in every resample, so that their intervals have no width and yet prove little."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

# Figures that cannot vary may still come out a rounding error apart.
ROUNDING = 1e-9


def find_zero_width(metrics: pd.DataFrame, groups: Mapping[str, pd.DataFrame | None]) -> tuple[str, ...]:
    """Return a sentence that names the figures, and tables, with intervals of no width; nothing where there are none.

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
    tables = [what for what, table in groups.items() if table is not None and _has_one(table)]
    if not named and not tables:
        return ()
    where = [f"The interval of {', '.join(named)}"] if named else []
    # Each row would be a name of its own; there they stand beside the figures.
    where += [f"{'some' if named else 'Some'} in the tables by {', '.join(tables)}"] if tables else []
    return (
        f"{', and '.join(where)} {'has' if named and not tables else 'have'} no width, since every resample gives the "
        "same. That is no certainty: a bootstrap cannot draw a mistake that is not there, and where none of n cases "
        "has one, up to about 3/n of all cases may.",
    )


def _has_one(table: pd.DataFrame) -> bool:
    figures = [name for name in table.columns if f"{name}_low" in table.columns]
    return any(_same(table[f"{name}_low"], table[f"{name}_high"]).any() for name in figures)


def _same(low: pd.Series, high: pd.Series) -> npt.NDArray[np.bool_]:
    return np.asarray((high - low).abs() < ROUNDING)
