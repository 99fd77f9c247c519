"""`ProtocolResult`: the rates of the BreakHis protocol, by fold and over all folds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from breastcls.argument_checks import check_choice
from breastcls.drawing.paged_result import PagedResult
from breastcls.errors import EvaluationError
from breastcls.files import export_text
from breastcls.html_parts import html_list, html_table
from breastcls.intervals.table_export import latex_table
from breastcls.json_values import table_to_dict, to_json_values
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import escape_markdown, markdown_table, wide_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from breastcls.drawing.result_page import PagePart

SCHEMA = "breastcls.breakhis-protocol/1"
HEAD = "BreakHis protocol: mean and sd over the published folds, in percent; a slide counts as a patient"
RATES = ("image_recognition_rate", "patient_recognition_rate")
SCORES = (*RATES, "balanced_accuracy", "roc_auc")
OFFICIAL, UNSEEN, CASE_CLEAN = "official", "unseen cases", "case-clean"
VARIANTS = {
    OFFICIAL: "the published folds as they are",
    UNSEEN: "the same predictions, on the test images whose case is not in training",
    CASE_CLEAN: "trained without the cases of the test images; all test images",
}
"""The variants that are compared, by name."""


@dataclass(frozen=True, eq=False, repr=False)
class ProtocolResult(PagedResult):
    """What `evaluate_protocol` found. Print it, plot it, or write it as HTML, JSON, Markdown or LaTeX.

    Attributes:
        by_fold: One row per fold and variant, index `(magnification, fold, variant)`: `train_images`, `test_images`,
            `shared_case_fraction` (of the test images, those whose case is in training), and `image_recognition_rate`,
            `patient_recognition_rate`, `balanced_accuracy`, `roc_auc`. NaN where a metric is not defined in a fold.
        missing: Sentences on which images, folds and classes are missing.
        predictions: By `(magnification, fold, variant)`.
        settings: `seed`, `fit`, and `external`: whether the predictions were given.
        environment: Versions and system.
        seconds: How long it took.
    """

    _page_title: ClassVar[str] = "BreakHis protocol"

    by_fold: pd.DataFrame
    missing: tuple[str, ...]
    predictions: Mapping[tuple[int, int, str], Predictions] = field(repr=False)
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    seconds: float

    @property
    def summary(self) -> pd.DataFrame:
        """Over the folds, as the paper reports it: index `(magnification, variant)`.

        Columns `folds`, and for each metric `<metric>_mean` and `<metric>_sd` (of the sample; NaN for one fold). The
        folds share images, so that the sd describes how much they vary and is no standard error.
        """
        rows: dict[tuple[int, str], dict[str, float]] = {}
        for key, group in self.by_fold.groupby(level=["magnification", "variant"], sort=False):
            row: dict[str, float] = {"folds": len(group)}
            for metric in SCORES:
                values = group[metric].dropna().to_numpy()
                row[f"{metric}_mean"] = float(values.mean()) if len(values) else np.nan
                row[f"{metric}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else np.nan
            rows[key] = row  # type: ignore[index]
        table = pd.DataFrame.from_dict(rows, orient="index").astype({"folds": np.int64})
        table.index = pd.MultiIndex.from_tuples(list(rows), names=["magnification", "variant"])
        return table

    def _rows(self, digits: int = 3) -> list[list[str]]:
        rows = [["magnification", "folds", "variant", "image rate", "patient rate", "test images of training cases"]]
        shares = self.by_fold.groupby(level=["magnification", "variant"], sort=False)["shared_case_fraction"].mean()
        summary = self.summary
        for (magnification, variant), row in zip(summary.index, summary.to_dict("records"), strict=True):
            rates = [_percent(row[f"{rate}_mean"], row[f"{rate}_sd"], digits) for rate in RATES]
            share = f"{shares[magnification, variant]:.0%}"
            rows.append([f"{magnification}X", str(row["folds"]), str(variant), *rates, share])
        return rows

    def _legend(self) -> list[str]:
        variants = self.by_fold.index.get_level_values("variant")
        return [f"{name}: {VARIANTS[name]}" for name in VARIANTS if name in variants]

    def __str__(self) -> str:
        missing = ["", "Missing", *(f"  - {sentence}" for sentence in self.missing)] if self.missing else []
        return "\n".join([HEAD, "", wide_table(self._rows(), names=3), "", *self._legend(), *missing])

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON values; NaN becomes None."""
        return {
            "schema": SCHEMA,
            "summary": table_to_dict(self.summary),
            "by_fold": table_to_dict(self.by_fold),
            "missing": list(self.missing),
            "settings": to_json_values(self.settings),
            "environment": to_json_values(self.environment),
            "seconds": self.seconds,
        }

    def to_markdown(self, path: str | os.PathLike[str] | None = None, *, digits: int = 3) -> str:
        """Return the table as Markdown and, given a path, write it there.

        Args:
            path: Where to write.
            digits: Decimals of the rates as fractions; in percent, as they are written, two fewer.

        Raises:
            OutputError: If it cannot be written.
        """
        lines = [markdown_table(self._rows(digits)), ""]
        lines += [f"- {escape_markdown(sentence)}" for sentence in (*self._legend(), *self.missing)]
        return export_text("\n".join(lines) + "\n", path)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return (
            html_table(self._rows(), caption=f"{HEAD}.", names=3)
            + html_list("", self._legend())
            + html_list("Missing", self.missing)
        )

    def to_latex(self, path: str | os.PathLike[str] | None = None, *, digits: int = 3) -> str:
        """Return the table as LaTeX for the package booktabs; given a path, write it there."""
        return export_text(latex_table(self._rows(digits), names=3), path)

    def _page_parts(self) -> list[PagePart]:
        from breastcls.drawing.html_figure import figure_to_html
        from breastcls.drawing.result_page import PagePart, table_part

        figure = figure_to_html(self.plot(), "Rates of each magnification and variant.", key="rates")
        return [
            PagePart("", f"<p>{HEAD}.</p>" + html_list("", self._legend())),
            PagePart("Patient recognition rate", str(figure)),
            table_part("Rates", self._rows(), names=3),
            PagePart("Missing", html_list("", self.missing)),
        ]

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        metric: str = "patient_recognition_rate",
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw a rate by magnification and variant, mean and sd over the folds; given a path, save the figure.

        Args:
            path: Where to save, as `.svg`, `.png` or `.pdf`.
            metric: "image_recognition_rate", "patient_recognition_rate", "balanced_accuracy" or "roc_auc".
            width_mm: Width in millimetres; default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If there is no such metric.
            OutputError: If it cannot be saved.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.drawing.forest_figure import ForestPanel, ForestRow, plot_forest

        check_choice("metric", metric, SCORES, error=EvaluationError)
        folds = self.by_fold[metric].groupby(level=["magnification", "variant"], sort=False)
        points = {key: values.dropna().tolist() for key, values in folds}
        summary = self.summary
        rows = []
        for key, row in zip(summary.index, summary.to_dict("records"), strict=True):
            mean, sd = row[f"{metric}_mean"], row[f"{metric}_sd"]
            label = f"{key[0]}X, {key[1]}"
            rows.append(ForestRow(label, mean, mean - sd, mean + sd, _percent(mean, sd) + "%", points[key]))
        axis = f"{metric_title(metric, capital=True)}. Point and line: mean and sd. Ticks: folds"
        figure = plot_forest([ForestPanel("BreakHis protocol", axis, rows)])
        return export_figure(figure, path, width_mm=width_mm, dpi=dpi)


def _percent(mean: float, sd: float, digits: int = 3) -> str:
    if np.isnan(mean):
        return "not defined"
    decimals = max(0, digits - 2)
    return f"{100 * mean:.{decimals}f}" + ("" if np.isnan(sd) else f" ± {100 * sd:.{decimals}f}")
