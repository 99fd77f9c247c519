"""Confidence intervals of zero width: metrics that have the same value in every resample."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

# Metrics that do not vary may still differ by a rounding error.
ROUNDING = 1e-9


def find_degenerate_intervals(metrics: pd.DataFrame, groups: Mapping[str, pd.DataFrame | None]) -> tuple[str, ...]:
    """Return a sentence that names the metrics, and tables, with intervals of zero width; nothing without any.

    Not meant for the bins of a reliability diagram: almost every diagram has a bin of few images of one class.

    Args:
        metrics: Index metric, columns `low` and `high`.
        groups: Tables by the name of their rows, such as "class": columns `x_low` and `x_high` of each metric `x`.

    Example:
        >>> metrics = pd.DataFrame({"low": [1.0, 0.6], "high": [1.0, 0.9]}, index=["recall", "accuracy"])
        >>> find_degenerate_intervals(metrics, {})[0].split(",")[0]
        'The confidence interval of recall has zero width'
    """
    names = [str(name) for name in metrics.index[_same(metrics["low"], metrics["high"])]]
    tables = [what for what, table in groups.items() if table is not None and _has_one(table)]
    if not names and not tables:
        return ()
    where = [f"The confidence interval of {', '.join(names)}"] if names else []
    # The rows are not named one by one: the table shows them.
    where += (
        [f"{'some' if names else 'Some'} confidence intervals in the tables by {', '.join(tables)}"] if tables else []
    )
    return (
        f"{', and '.join(where)} {'has' if names and not tables else 'have'} zero width, since every resample gives "
        "the same value. This does not mean certainty: a bootstrap cannot resample an error that is not in the "
        "sample, and with no error in n cases the error rate may be up to about 3/n.",
    )


def _has_one(table: pd.DataFrame) -> bool:
    columns = [name for name in table.columns if f"{name}_low" in table.columns]
    return any(_same(table[f"{name}_low"], table[f"{name}_high"]).any() for name in columns)


def _same(low: pd.Series, high: pd.Series) -> npt.NDArray[np.bool_]:
    return np.asarray((high - low).abs() < ROUNDING)
