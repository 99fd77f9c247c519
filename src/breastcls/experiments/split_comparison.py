"""`SplitComparison`: the scores of the same model with several splits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from breastcls.argument_checks import check_choice
from breastcls.drawing.paged_result import PagedResult
from breastcls.errors import EvaluationError
from breastcls.files import export_text
from breastcls.html_parts import html_list, html_paragraph, html_table
from breastcls.intervals.table_export import latex_table
from breastcls.json_values import table_to_dict, to_json_values
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.metrics.number_format import format_count, format_estimate
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import escape_markdown, markdown_table, wide_table
from breastcls.training.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from breastcls.drawing.result_page import PagePart

SCHEMA = "breastcls.split-comparison/1"
SPLIT_NAMES = {"image": "image-wise", "slide": "slide-wise", "case": "case-wise"}


@dataclass(frozen=True, eq=False, repr=False)
class SplitComparison(PagedResult):
    """The result of `compare_splits`. Print it, plot it, or write it as HTML, JSON, Markdown or LaTeX.

    Attributes:
        table: One row per model and split, index `(model, split)`: `model` is "model" or the name of a baseline,
            `split` "image", "slide" or "case"; for each metric `<metric>`, `<metric>_low`, `<metric>_high`; and
            `shared_case_fraction`, the fraction of test images whose case is in training too.
        inflation: One row per model, split and metric, index `(model, split, metric)`: `difference` between that split
            and the case-wise split, `low`, `high`.
        verdicts: Sentences on the effect of the split, and on the model and the baselines with the case-wise split.
        predictions: The pooled predictions by `(model, split)`, all in the order of the data.
        runs: The records of the trainings of each split.
        counts: `images`, `slides`, `cases`, `classes`.
        settings: `folds`, `seed`, `metrics`, `bootstrap`, `fit`, and `model`, its description.
        limitations: Sentences on the limitations of the result.
        environment: Versions and system.
        seconds: Time of each split, trainings and baselines.
    """

    _page_title: ClassVar[str] = "Comparison of splits"

    table: pd.DataFrame
    inflation: pd.DataFrame
    verdicts: tuple[str, ...]
    predictions: Mapping[tuple[str, str], Predictions] = field(repr=False)
    runs: Mapping[str, tuple[Run, ...]] = field(repr=False)
    counts: Mapping[str, Any]
    settings: Mapping[str, Any]
    limitations: tuple[str, ...]
    environment: Mapping[str, Any]
    seconds: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self._headline()}\n\n{wide_table(self._rows(), names=2)}\n\n{self._sentences('')}"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return (
            html_paragraph(f"{self._headline()}.")
            + html_table(self._rows(), names=2)
            + html_list("Verdicts", self.verdicts)
            + html_list("Limitations", self.limitations)
        )

    def _headline(self) -> str:
        counts, confidence = self.counts, f"{100 * self.settings['bootstrap']['confidence']:g}%"
        units = ", ".join(format_count(counts[f"{unit}s"], unit) for unit in ("image", "slide", "case"))
        return (
            f"{units}; {self.settings['folds']} folds, test folds pooled, seed {self.settings['seed']}; {confidence} "
            "confidence intervals over cases"
        )

    def _rows(self, digits: int = 3) -> list[list[str]]:
        metrics = list(self.settings["metrics"])
        names = [metric_title(metric) for metric in metrics]
        rows = [["model", "split", *names, "test images of cases in training"]]
        for (name, split), row in zip(self.table.index, self.table.to_dict("records"), strict=True):
            scores = [format_estimate(row[name], row[f"{name}_low"], row[f"{name}_high"], digits) for name in metrics]
            rows.append([str(name), SPLIT_NAMES[str(split)], *scores, f"{row['shared_case_fraction']:.0%}"])
        return rows

    def _sentences(self, mark: str) -> str:
        return "\n".join([*(f"{mark}{one}" for one in self.verdicts), *(f"{mark}{one}" for one in self.limitations)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON values; NaN becomes None."""
        return {
            "schema": SCHEMA,
            "table": table_to_dict(self.table),
            "inflation": table_to_dict(self.inflation),
            "verdicts": list(self.verdicts),
            "limitations": list(self.limitations),
            "counts": to_json_values(self.counts),
            "settings": to_json_values(self.settings),
            "runs": {split: [run.to_dict() for run in runs] for split, runs in self.runs.items()},
            "environment": to_json_values(self.environment),
            "seconds": to_json_values(self.seconds),
        }

    def to_markdown(self, path: str | os.PathLike[str] | None = None, *, digits: int = 3) -> str:
        """Return the table and the sentences as Markdown and, given a path, write them there.

        Args:
            path: Where to write.
            digits: Decimals of the table.

        Raises:
            OutputError: If it cannot be written.
        """
        sentences = "\n".join(map(escape_markdown, self._sentences("- ").splitlines()))
        text = "\n".join([f"{self._headline()}.", "", markdown_table(self._rows(digits)), "", sentences]) + "\n"
        return export_text(text, path)

    def to_latex(self, path: str | os.PathLike[str] | None = None, *, digits: int = 3) -> str:
        """Return the table as LaTeX for the package booktabs; given a path, write it there."""
        return export_text(latex_table(self._rows(digits), names=2), path)

    def _page_parts(self) -> list[PagePart]:
        from breastcls.drawing.html_figure import figure_to_html
        from breastcls.drawing.result_page import PagePart, table_part

        figure = figure_to_html(self.plot(), "Metrics of each model with each split.", key="splits")
        return [
            PagePart("", html_paragraph(f"{self._headline()}.") + html_list("Result", self.verdicts)),
            PagePart("Models and splits", str(figure)),
            table_part("", self._rows(), names=2),
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
        """Draw a metric of every model with every split, with confidence intervals; given a path, save the figure.

        Args:
            path: Where to save, as `.svg`, `.png` or `.pdf`.
            metric: One of those in `settings`; the first by default.
            width_mm: Width in millimetres; default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If the metric was not computed.
            OutputError: If it cannot be saved.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.drawing.forest_figure import ForestPanel, ForestRow, plot_forest

        metrics = list(self.settings["metrics"])
        metric = metric or metrics[0]
        check_choice("metric", metric, metrics, error=EvaluationError)
        rows = []
        for (name, split), row in zip(self.table.index, self.table.to_dict("records"), strict=True):
            score = row[metric], row[f"{metric}_low"], row[f"{metric}_high"]
            label = f"{name}, {SPLIT_NAMES[str(split)]}"
            rows.append(ForestRow(label, *score, format_estimate(*score), reference=name != "model"))
        percent = f"{100 * self.settings['bootstrap']['confidence']:g}%"
        axis = f"{metric_title(metric, capital=True)}, {percent} CI over cases"
        figure = plot_forest([ForestPanel("Splits", axis, rows)])
        return export_figure(figure, path, width_mm=width_mm, dpi=dpi)
