"""The result of comparing models on the same images."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from breastcls.comparison.comparison_tables import comparison_rows
from breastcls.drawing.paged_result import PagedResult
from breastcls.files import export_text
from breastcls.html_parts import html_list, html_paragraph, html_table
from breastcls.intervals.table_export import latex_table
from breastcls.json_values import to_json_values
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_count
from breastcls.text_tables import limitation_lines, markdown_table, wide_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from breastcls.drawing.result_page import PagePart

SHOWN = ("balanced_accuracy", "roc_auc", "average_precision", "f1", "mcc", "brier", "log_loss")
# How the limitation on the correction for several pairs starts, which is of these tables and verdicts only.
CORRECTED = "low_adjusted, high_adjusted, p_holm and the verdicts are corrected"
# Columns of names in each table.
_NAMES = {"metrics": 1, "differences": 3, "tests": 2}


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(PagedResult):
    """The result of `compare`. Print it, plot it, or write it as HTML, JSON, Markdown or LaTeX.

    Attributes:
        metrics: Every metric of every model: index metric, one column per model.
        scores: The same with confidence intervals: index `(model, metric)`, columns `value`, `low`, `high`, and
            `reason`: why there is no interval. To judge whether models differ use `differences`, whose intervals are
            paired.
        differences: One row per pair of models and metric (`first`, `second`, `metric`), columns `difference` (first
            minus second), `low`, `high` (its confidence interval) and `p` (paired bootstrap over cases, below 0.05
            where the 95% interval excludes 0; NaN with fewer than five cases of a class); and corrected for all pairs
            within the metric by Holm's method, `low_adjusted`, `high_adjusted` and `p_holm`, which is below 0.05 where
            the adjusted interval excludes 0.
        tests: One row per pair (`first`, `second`): `delong_p` and `delong_p_holm` of the AUC (over cases; two classes
            of five cases or more), and `mcnemar_p` and `mcnemar_p_holm` of the predicted classes (where each case has
            one); NaN where not defined.
        verdicts: One sentence per pair.
        settings: `bootstrap`, `aggregation`, and the `metric` of the verdicts.
        counts: What was scored, as `Evaluation.counts`.
        limitations: Sentences on the limitations of these numbers.
    """

    _page_title: ClassVar[str] = "Comparison of models"

    metrics: pd.DataFrame
    scores: pd.DataFrame
    differences: pd.DataFrame
    tests: pd.DataFrame
    verdicts: tuple[str, ...]
    settings: dict[str, Any]
    counts: dict[str, Any]
    limitations: tuple[str, ...] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        return {name: getattr(self, name) for name in ("metrics", "scores", "differences", "tests")}

    def __str__(self) -> str:
        # Turned, so that the width follows the number of models.
        rows = [list(row) for row in zip(*self._rows("metrics", metrics=SHOWN), strict=True)]
        rows[0][0] = ""
        lines = [f"{self._headline()}.", "", wide_table(rows), "", *self.verdicts]
        return "\n".join([*lines, *limitation_lines(self.limitations)])

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return (
            html_paragraph(f"{self._headline()}.")
            + html_table(self._rows("metrics", metrics=SHOWN))
            + html_table(self._rows("differences", metrics=(self._metric,)), names=2)
            + html_list("Verdicts", self.verdicts)
            + html_list("Limitations", self.limitations)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN becomes None."""
        tables = {}
        for name, table in self.tables.items():
            rows = table.reset_index()
            tables[name] = rows.astype(object).where(rows.notna(), None).to_dict("records")
        return {
            **tables,
            "verdicts": list(self.verdicts),
            "settings": dict(self.settings),
            "counts": to_json_values(self.counts),
            "limitations": list(self.limitations),
        }

    def to_markdown(
        self, path: str | os.PathLike[str] | None = None, *, table: str = "differences", digits: int = 3
    ) -> str:
        """Return a table as Markdown, each confidence interval in the cell of its value; given a path, write it there.

        Args:
            path: Where to write.
            table: "metrics", "differences" or "tests".
            digits: Decimals.

        Raises:
            EvaluationError: If there is no such table.
            OutputError: If it cannot be written.
        """
        return export_text(markdown_table(self._rows(table, digits)) + "\n", path)

    def to_latex(
        self, path: str | os.PathLike[str] | None = None, *, table: str = "differences", digits: int = 3
    ) -> str:
        """Return a table as LaTeX for the package booktabs; see `to_markdown`."""
        rows = self._rows(table, digits)
        return export_text(latex_table(rows, names=_NAMES[table], notes=self._notes(table)), path)

    def _page_parts(self) -> list[PagePart]:
        from breastcls.drawing.html_figure import figure_to_html
        from breastcls.drawing.result_page import PagePart, table_part

        name = describe_metric(self._metric).name
        figure = figure_to_html(self.plot(), f"{name} of each model, and the differences.", key="differences")
        return [
            PagePart("", html_paragraph(f"{self._headline()}.") + html_list("Result", self.verdicts)),
            PagePart(name, str(figure)),
            table_part("Models", [list(row) for row in zip(*self._rows("metrics"), strict=True)]),
            table_part("Differences", self._rows("differences"), names=3),
            PagePart("", "".join(map(html_paragraph, self._notes("differences")))),
            table_part("Tests", self._rows("tests"), names=2),
            PagePart("Limitations", html_list("", self.limitations)),
        ]

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        metric: str | None = None,
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw a metric of every model, and the differences, with confidence intervals; given a path, save it.

        Args:
            path: Where to save, as `.svg`, `.png` or `.pdf`.
            metric: The metric; that of the verdicts by default.
            width_mm: Width in millimetres; default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If there is no such metric.
            OutputError: If it cannot be saved.
        """
        from breastcls.comparison.comparison_figure import plot_comparison
        from breastcls.drawing.figures import export_figure

        figure = plot_comparison(self.scores, self.differences, metric or self._metric, self._confidence)
        return export_figure(figure, path, width_mm=width_mm, dpi=dpi)

    @property
    def _metric(self) -> str:
        return str(self.settings.get("metric", "balanced_accuracy"))

    @property
    def _confidence(self) -> float:
        return float(self.settings.get("bootstrap", {}).get("confidence", 0.95))

    def _rows(self, table: str, digits: int = 3, metrics: tuple[str, ...] | None = None) -> list[list[str]]:
        return comparison_rows(self.tables, table, digits=digits, confidence=self._confidence, metrics=metrics)

    def _notes(self, table: str) -> tuple[str, ...]:
        """Return what must be read with a table: how its intervals and p-values are corrected."""
        pairs = len(self.tests)
        if table != "differences" or pairs < 2:
            return ()
        return (
            f"CI (Holm) and p (Holm) are corrected for {pairs} pairs within each metric by Holm's method; the interval "
            "beside the difference and p are not corrected.",
        )

    def _headline(self) -> str:
        models = format_count(len(self.metrics.columns), "model")
        if not self.counts:
            return models
        images, cases = format_count(self.counts["images"], "image"), format_count(self.counts["cases"], "case")
        level = self.settings["aggregation"]["level"]
        percent = f"{100 * self._confidence:g}%"
        return f"{models} on {images} of {cases}, scored by {level}; {percent} confidence intervals over cases"
