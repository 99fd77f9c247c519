"""`PoolingComparison`: attention over the images of a case compared with their mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from breastcls.comparison.comparison import CORRECTED, Comparison
from breastcls.datasets.leakage_report import LeakageReport
from breastcls.errors import EvaluationError
from breastcls.html_parts import html_list, html_paragraph, html_table
from breastcls.intervals.limitations import few_cases
from breastcls.intervals.score_values import interval_text
from breastcls.json_values import table_to_dict
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_number
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result
from breastcls.text_tables import format_count, limitation_lines, wide_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = ("roc_auc", "balanced_accuracy", "log_loss")
# The verdicts here are by the intervals of the table, those of the comparison of all pairs by corrected ones.
NOT_CORRECTED = (
    "The confidence intervals of the differences from the mean, and the verdicts, are not corrected for the number of "
    "poolings; corrected ones of all pairs are in `comparison`."
)


@dataclass(frozen=True, eq=False, repr=False)
class PoolingComparison(Result):
    """The result of `compare_pooling`.

    Attributes:
        table: One row per pooling: for the ROC AUC, the balanced accuracy and the log loss of the cases `x`, `x_low`,
            `x_high` (pooled over folds, with a confidence interval over cases), `x_folds` (mean over the folds in which
            it is defined), and against the mean `x_difference`, `x_difference_low`, `x_difference_high` (paired).
        comparison: The same predictions compared by `breastcls.compare`, with every metric and p-values.
        predictions: By pooling, one row per case, each predicted by a model that was not fitted on it.
        attention: One row per image and pooling: `pooling`, `path`, `case`, `fold`, `weight` and `relative_weight`, of
            the model that was not fitted on the case.
        penalties: By pooling, the penalty of each fold.
        settings: `folds`, `seed`, `hidden` and the `penalties` to choose from.
        leakage: What the folds share.
    """

    table: pd.DataFrame
    comparison: Comparison
    predictions: Mapping[str, Predictions]
    attention: pd.DataFrame
    penalties: Mapping[str, tuple[float, ...]]
    settings: Mapping[str, Any]
    leakage: LeakageReport

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One sentence per pooling: whether it is better than the mean."""
        few = bool(few_cases(self.comparison.counts))
        return tuple(_verdict(str(name), row, few) for name, row in self.table.iterrows() if name != "mean")

    @property
    def limitations(self) -> tuple[str, ...]:
        """Sentences to read with the values."""
        return tuple(NOT_CORRECTED if one.startswith(CORRECTED) else one for one in self.comparison.limitations)

    def __str__(self) -> str:
        lines = [f"{self._headline()}.", "", wide_table(self._rows()), "", *self.verdicts]
        return "\n".join([*lines, *limitation_lines(self.limitations)])

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return (
            html_paragraph(f"{self._headline()}.")
            + html_table(self._rows())
            + html_list("Verdicts", self.verdicts)
            + html_list("Limitations", self.limitations)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON values."""
        return {
            "settings": dict(self.settings),
            "table": table_to_dict(self.table),
            "verdicts": list(self.verdicts),
            "penalties": {name: list(values) for name, values in self.penalties.items()},
            "comparison": self.comparison.to_dict(),
            "limitations": list(self.limitations),
        }

    def plot_case(
        self,
        case: str,
        path: str | os.PathLike[str] | None = None,
        *,
        pooling: str = "gated-attention",
        count: int = 24,
        dpi: int = 150,
    ) -> Figure:
        """Draw the images of a case in the order of their attention, tinted by it; save the figure.

        Args:
            case: The case.
            path: Where to save, as `.svg`, `.png` or `.pdf`; None to save nothing.
            pooling: The pooling whose attention is drawn.
            count: Most images that are drawn: those of the largest weights.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If there is no such case or pooling.
            ImageError: If an image cannot be read, as of vectors without image files.
            OutputError: If it cannot be saved.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.experiments.case_pooling.attention_figure import draw_case

        rows = self.attention[(self.attention["case"] == case) & (self.attention["pooling"] == pooling)]
        if rows.empty:
            raise EvaluationError(f"There is no attention of {pooling!r} for the case {case!r}.")
        predicted = self.predictions[pooling]
        assert predicted.cases is not None
        place = int(np.flatnonzero(predicted.cases == case)[0])
        title = (
            f"Case {case}, {predicted.classes[predicted.labels[place]]}, "
            f"P({predicted.classes[-1]}) {format_number(predicted.positive[place], 2)}"
        )
        return export_figure(draw_case(rows, title, count), path, dpi=dpi)

    def _headline(self) -> str:
        counts = self.comparison.counts
        return (
            f"Pooling over the images of a case: {format_count(counts['cases'], 'case')}, "
            f"{self.settings['folds']} folds by case, seed {self.settings['seed']}; scored by case, 95% confidence "
            "intervals over cases"
        )

    def _rows(self) -> list[list[str]]:
        names = [name for name in SHOWN if name in self.table]
        head = [part for name in names for part in (describe_metric(name).short, "over folds", "minus mean")]
        rows = [["Pooling", *head]]
        for pooling, row in self.table.iterrows():
            cells = []
            for name in names:
                against = _part(row, f"{name}_difference")
                cells += [
                    interval_text(_part(row, name)),
                    format_number(row[f"{name}_folds"]),
                    "-" if pooling == "mean" else _signed(against),
                ]
            rows.append([str(pooling), *cells])
        return rows


def _part(row: pd.Series, name: str) -> pd.Series:
    return pd.Series({"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"], "reason": ""})


def _signed(row: pd.Series) -> str:
    """Return a difference with its confidence interval, such as "+0.050 (−0.020 to +0.110)"."""
    value, low, high = (
        format_number(one) if one < 0 or not np.isfinite(one) else f"+{format_number(one)}"
        for one in (row["value"], row["low"], row["high"])
    )
    return f"{value} ({low} to {high})" if np.isfinite(row["low"]) else f"{value} (CI not estimable)"


def _verdict(name: str, row: pd.Series, few: bool) -> str:
    low, high = row["roc_auc_difference_low"], row["roc_auc_difference_high"]
    difference = f"difference of the ROC AUC {_signed(_part(row, 'roc_auc_difference'))}"
    if not np.isfinite(low):
        return f"Whether {name} is better than the mean is not estimable ({difference})."
    if few and (low > 0 or high < 0):
        return f"The cases are too few to show whether {name} and the mean differ: {difference}."
    if low > 0:
        return f"{name} is better than the mean: {difference}."
    if high < 0:
        return f"{name} is worse than the mean: {difference}."
    return f"{name} is not shown to be better than the mean: {difference}."
