"""Evaluation: every figure of a test set with its interval, in one object."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from breastcls.calibration.assessment import Calibration
from breastcls.evaluation.attachments import attach_limitations, check_attachments
from breastcls.evaluation.evaluation_schema import SCHEMA, TABLES
from breastcls.evaluation.text_summary import headline, summarise
from breastcls.files import write_text
from breastcls.json_values import to_json_values
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result

if TYPE_CHECKING:
    from breastcls.datasets.leakage import LeakageReport


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Result):
    """What `breastcls.evaluate` found. Print it, plot it, write it as HTML, JSON, Markdown or LaTeX.

    Attributes:
        metrics: One row a metric, columns `value`, `low`, `high`; NaN where a figure is not defined.
        per_class: One row a class: `precision`, `recall`, `specificity`, `f1`, each also with `_low` and `_high`, and
            the counts `images` and `cases`.
        confusion: int, one row a true class, one column a decided class.
        roc: Two classes: columns `threshold`, `fpr`, `tpr`, `low`, `high`; `low` and `high` bound `tpr` at that `fpr`.
            More: one curve a class against the rest, one below the other, with a column `class`.
        precision_recall: Columns `threshold`, `recall`, `precision`, `low`, `high`, and `class` as in `roc`.
        predictions: What was scored, at the level it was scored at.
        counts: Of what was scored: `images`, `slides`, `cases`, `classes` ({class: {`images`, `cases`}}). By slide or
            case an image counts for the class of its slide or case; what `mixed_labels` drops is left out.
        settings: `bootstrap`, `aggregation`, `threshold`, `average`.
        by_subtype: One row a subtype: `images`, `slides`, `cases`, `cases_of_rarest_class` (of the classes that the
            group holds, the cases of the one that the fewest cases are of), and `accuracy`, `balanced_accuracy`,
            `roc_auc`, each also with `_low` and `_high`. None where no subtype is known.
        by_magnification: The same by magnification.
        colour_baseline: What six colour numbers an image reach on the same split, shaped as `metrics`. None where no
            training set was given.
        colour_difference: The metrics less those of colour alone, shaped as `metrics`; its intervals are of the
            difference, over the same cases on both sides.
        leakage: The audit of training against test images, or None where the training was not looked at, or neither
            cases nor slides were there to compare.
        leak_allowed: Whether a leak was found and the caller went on knowingly.
        limitations: Plain sentences on what to keep in mind with these numbers.
        model: What is known of the model: `classes`, `backbone`, `provenance`, ... Empty for foreign predictions.
        by_level: The metrics by image, slide and case: index `(level, metric)`, columns `value`, `low`, `high`. A level
            whose names are not known is not there.
        calibration: Whether the probabilities mean what they say; see `assess_calibration`.
        decision_curve: Two classes: net benefit over threshold probabilities; see `decision_curve`.
        operating: Two classes: `sensitivity`, `specificity`, `ppv`, `npv` at stated prevalences, index `(threshold,
            prevalence)`; see `operating_table`.
        risk_histogram: How the predicted risk is spread within each class; see `risk_histogram`.
        worst_cases: One row a case, the worst first; see `rank_cases`.
        threshold: Where the decision threshold comes from: `value`, `origin`, and what `Threshold.to_dict` tells. None
            where none was chosen: two classes are then decided at 0.5, more for the most probable.
        fingerprints: SHA-256 of what was scored and by what: `predictions`, `weights`, `test_table`, `train_table`.
        images: The predictions by image that slides or cases were joined from; None where images were scored.
        robustness: This and the next two are None until attached by `with_sections`. One row a perturbation, strength
            and metric: columns `perturbation`, `strength`, `metric`, `value`, `low`, `high`.
        shortcuts: One row a check; for each metric columns `<metric>`, `<metric>_low`, `<metric>_high`.
        baselines: One row a simple model; columns as `shortcuts`.
        by_stain: As `by_subtype`, by quarter of the stain, from pink to blue. This and what follows `with_sections` can
            attach or replace; `evaluate` fills this one and the next in where it runs a model over the images.
        by_sharpness: As `by_subtype`, by quarter of the sharpness.
        conformal: What is known of prediction sets: coverage and size. `evaluate` fills it in where the model keeps
            sets for the level that is scored.
        ood: Out-of-distribution detection, one row per score: `auroc`, `fpr95`, each also with `_low` and `_high`, and
            the images and cases of both sets. `evaluate` fills it in where it is given `ood`.
        risk_coverage: Columns `coverage`, `risk`, `low`, `high`. `evaluate` always fills it in.
    """

    metrics: pd.DataFrame
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    roc: pd.DataFrame
    precision_recall: pd.DataFrame
    predictions: Predictions
    counts: Mapping[str, Any]
    settings: Mapping[str, Any]
    by_subtype: pd.DataFrame | None = None
    by_magnification: pd.DataFrame | None = None
    colour_baseline: pd.DataFrame | None = None
    colour_difference: pd.DataFrame | None = None
    leakage: LeakageReport | None = None
    leak_allowed: bool = False
    limitations: tuple[str, ...] = ()
    model: Mapping[str, Any] = field(default_factory=dict)
    by_level: pd.DataFrame | None = None
    calibration: Calibration | None = None
    decision_curve: pd.DataFrame | None = None
    operating: pd.DataFrame | None = None
    risk_histogram: pd.DataFrame | None = None
    worst_cases: pd.DataFrame | None = None
    threshold: Mapping[str, Any] | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    images: Predictions | None = None
    robustness: pd.DataFrame | None = None
    shortcuts: pd.DataFrame | None = None
    baselines: pd.DataFrame | None = None
    by_stain: pd.DataFrame | None = None
    by_sharpness: pd.DataFrame | None = None
    conformal: Mapping[str, Any] | None = None
    ood: pd.DataFrame | None = None
    risk_coverage: pd.DataFrame | None = None

    def with_sections(self, **sections: Any) -> Evaluation:
        """Return the same evaluation with optional sections, which the report and the JSON then hold.

        Args:
            **sections: By the names of the fields above: tables, or results that hold one as `table`, such as
                `robustness=measure_robustness(model, test)`; None takes one away again. The limitations of such a
                result are among those of the evaluation then, each with the name of its section before it.

        Raises:
            EvaluationError: If there is no such section, or a table lacks a column.
        """
        tables = {name: getattr(value, "table", value) for name, value in sections.items()}
        check_attachments(tables)
        return dataclasses.replace(self, **tables, limitations=attach_limitations(self.limitations, sections))

    def __str__(self) -> str:
        return summarise(self)

    def __repr__(self) -> str:
        return f"Evaluation({headline(self.metrics)})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the single predictions as plain dicts, lists, numbers and strings; NaN becomes None.

        The form is that of `breastcls.evaluation.evaluation_schema.read_schema()`, a JSON Schema.
        """
        tables = {name: to_json_values(getattr(self, name)) for name in TABLES}
        return {
            "schema": SCHEMA,
            "counts": to_json_values(self.counts),
            "settings": to_json_values(self.settings),
            **tables,
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "conformal": to_json_values(self.conformal),
            "threshold": to_json_values(self.threshold),
            "leakage": None if self.leakage is None else to_json_values(self.leakage.to_dict()),
            "leak_allowed": self.leak_allowed,
            "limitations": list(self.limitations),
            "model": to_json_values(self.model),
            "fingerprints": to_json_values(self.fingerprints),
        }

    def to_markdown(
        self, path: str | os.PathLike[str] | None = None, *, table: str = "metrics", digits: int = 3
    ) -> str:
        """Return a table as Markdown and, given a path, write it there.

        Args:
            path: Where to write.
            table: Name of the field, such as "metrics", "by_level", "operating" or "by_subtype".
            digits: Decimals.

        Raises:
            EvaluationError: If there is no such table.
        """
        from breastcls.evaluation.evaluation_tables import table_of
        from breastcls.intervals.table_export import to_markdown

        return _written(to_markdown(table_of(self, table), digits=digits, positive=self._positive_class), path)

    def to_latex(self, path: str | os.PathLike[str] | None = None, *, table: str = "metrics", digits: int = 3) -> str:
        """Return a table as LaTeX for the package booktabs; see `to_markdown`."""
        from breastcls.evaluation.evaluation_tables import table_of
        from breastcls.intervals.table_export import to_latex

        return _written(to_latex(table_of(self, table), digits=digits, positive=self._positive_class), path)

    @property
    def _positive_class(self) -> str | None:
        classes = self.predictions.classes
        return classes[-1] if len(classes) == 2 else None

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        figure: str = "overview",
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Any:
        """Draw one figure as a `matplotlib.figure.Figure`; given a path, save it as SVG, PNG or PDF.

        Args:
            path: Where to save; the suffix chooses the format.
            figure: "overview", or one of "roc", "precision-recall", "confusion", "metrics", "reliability",
                "risk-histogram", "cumulative-risk", "decision-curve", "risk-coverage" and, where attached,
                "robustness".
            width_mm: Width in millimetres, for many journals 85 (one column) or 174 (two); default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If there is no such figure, or the evaluation lacks what it shows.
            OutputError: If the suffix is another one, or the file cannot be written.
        """
        from breastcls.drawing.figures import save_figure
        from breastcls.evaluation.figures.evaluation_figures import draw_figure

        drawn = draw_figure(self, figure)
        if path is not None:
            save_figure(drawn, path, width_mm=width_mm, dpi=dpi)
        return drawn

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        model: Any = None,
        heatmaps: Any = None,
        method: str = "grad-cam",
        title: str | None = None,
        thumbnails: int = 12,
    ) -> Path:
        """Write one HTML file that opens offline, and return its path.

        Args:
            path: Where to write.
            model: The model that was scored: the mistakes shown are explained, and their heat-maps stand beside them.
            heatmaps: Heat-maps made before, instead of a model: the `Explanation` of images among these.
            method: How the model is explained; see `breastcls.explain`.
            title: Heading of the report.
            thumbnails: How many of the most confident mistakes to show, 0 to 100.

        Raises:
            EvaluationError: If `thumbnails` is out of range, or both a model and heat-maps are given.
            OutputError: If the file cannot be written.
        """
        from breastcls.evaluation.report.html_report import write_report

        options: Any = {"model": model, "heatmaps": heatmaps, "method": method}
        return write_report(self, path, title=title, thumbnails=thumbnails, **options)


def _written(text: str, path: str | os.PathLike[str] | None) -> str:
    if path is not None:
        write_text(path, text)
    return text
