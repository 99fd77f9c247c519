"""A metric as a value with its confidence interval, read from a table."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from breastcls.metrics.number_format import NOT_DEFINED, NOT_ESTIMABLE, format_interval, format_number, is_defined


class Score(NamedTuple):
    """A value and the ends of its interval; NaN where not defined."""

    value: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        """Whether both ends are defined."""
        return is_defined(self.low) and is_defined(self.high)

    @property
    def value_text(self) -> str:
        """The value in words."""
        return format_number(self.value)

    def value_text_of(self, digits: int) -> str:
        """Return the value with so many decimals."""
        return format_number(self.value, digits)

    @property
    def interval_text(self) -> str:
        """The interval in words: "not estimable" where only the value is defined."""
        return self.interval_text_of(3)

    def interval_text_of(self, digits: int) -> str:
        """Return the interval with so many decimals."""
        return format_interval(self.low, self.high, digits) if is_defined(self.value) else NOT_DEFINED


UNDEFINED = Score(float("nan"), float("nan"), float("nan"))


def read_scores(metrics: pd.DataFrame) -> dict[str, Score]:
    """Return the rows of a table of metrics by name, in its order.

    Args:
        metrics: One row a metric, columns `value`, `low`, `high`.

    Example:
        >>> read_scores(pd.DataFrame({"value": [0.9], "low": [0.8], "high": [0.95]}, index=["roc_auc"]))
        {'roc_auc': Score(value=0.9, low=0.8, high=0.95)}
    """
    names = [str(name) for name in metrics.index]
    columns = [metrics[column].astype(float).tolist() for column in ("value", "low", "high")]
    return {name: Score(*row) for name, *row in zip(names, *columns, strict=True)}


def read_levels(by_level: pd.DataFrame) -> dict[str, dict[str, Score]]:
    """Return the rows of a table of metrics by level, index `(level, metric)`, by level and then by name."""
    levels: dict[str, dict[str, Score]] = {}
    columns = [by_level[column].astype(float).tolist() for column in ("value", "low", "high")]
    for (level, name), *row in zip(by_level.index.tolist(), *columns, strict=True):
        levels.setdefault(str(level), {})[str(name)] = Score(*row)
    return levels


def interval_text(row: Any, digits: int = 3) -> str:
    """Return a value with its confidence interval, such as "0.829 (0.742-0.901)".

    Args:
        row: With `value`, `low` and `high`, any of them NaN.
        digits: Decimals.
    """
    if np.isnan(row["value"]):
        return NOT_DEFINED
    if np.isnan(row["low"]):
        return f"{row['value']:.{digits}f} (CI {NOT_ESTIMABLE})"
    return f"{row['value']:.{digits}f} ({row['low']:.{digits}f}-{row['high']:.{digits}f})"
