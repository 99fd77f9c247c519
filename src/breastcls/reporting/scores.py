"""A metric as a value with its interval, read from the tables of an evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from breastcls.reporting.wording import format_interval, format_number, is_defined

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


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

    @property
    def interval_text(self) -> str:
        """The interval in words."""
        return format_interval(self.low, self.high)


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


def percent_of(evaluation: Evaluation) -> str:
    """Return the confidence of the intervals, such as "95%"."""
    return f"{100 * evaluation.settings['confidence']:g}%"


def unit_of(evaluation: Evaluation) -> str:
    """Return what was scored: "image", "slide" or "case"."""
    return str(evaluation.settings.get("level", "image"))
