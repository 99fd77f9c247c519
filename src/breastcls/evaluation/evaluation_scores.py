"""The classification report, the confusion matrix and the curves of scikit-learn, as methods of `Evaluation`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from breastcls.calibration.assessment import assess_calibration
from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.curve_bands import compute_curves
from breastcls.intervals.score_tables import score
from breastcls.intervals.score_values import Score, read_scores
from breastcls.metrics import scikit_learn_scores as scores
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class EvaluationScores(EvaluationData):
    """Methods of `Evaluation` that give the numbers of scikit-learn, and their figures.

    All take a `level`: "image", "slide" or "case"; the level that was scored by default. Images are aggregated as
    they were for the evaluation, by the mean of the probabilities where they were not.
    """

    def predictions_by(self, level: Level | None = None) -> Predictions:
        """Return the predictions by image, slide or case; those that were scored by default.

        Raises:
            EvaluationError: If only the predictions of another level are known, the level is not one of these, or a
                slide or case has images of several classes.
        """
        if level is None or level == self.predictions.level:
            return self.predictions
        images = self.predictions if self.images is None else self.images
        settings = self.settings["aggregation"]
        return images.aggregate(
            Aggregation(level, method=settings["method"] or "mean", mixed_labels=settings["mixed_labels"])
        )

    def classification_report(self, *, level: Level | None = None, digits: int = 2, output_dict: bool = False) -> Any:
        """Return precision, recall, F1 and the number of rows of each class, as scikit-learn's function of this name.

        `per_class` has the same metrics with confidence intervals.

        Args:
            level: "image", "slide" or "case"; the level that was scored by default.
            digits: Decimals of the text.
            output_dict: Whether to return a dict of dicts instead of text.
        """
        return scores.classification_report(self.predictions_by(level), digits=digits, output_dict=output_dict)

    def confusion_matrix(
        self, *, level: Level | None = None, normalize: Literal["true", "pred", "all"] | None = None
    ) -> pd.DataFrame:
        """Return the confusion matrix, rows true and columns predicted, as scikit-learn's function of this name.

        Args:
            level: "image", "slide" or "case"; the level that was scored by default.
            normalize: None for counts, or fractions of the "true" class, the "pred"icted class or "all" rows.

        Raises:
            EvaluationError: If `normalize` is something else.
        """
        return scores.confusion_matrix(self.predictions_by(level), normalize=normalize)

    def roc_curve(self, *, level: Level | None = None) -> pd.DataFrame:
        """Return `fpr`, `tpr` and `threshold`, one row per threshold, as scikit-learn's function of this name.

        More than two classes: a column `class`, and the curve of each class against the rest. `roc` has the curve with
        a confidence band.
        """
        return scores.roc_curve(self.predictions_by(level))

    def precision_recall_curve(self, *, level: Level | None = None) -> pd.DataFrame:
        """Return `precision`, `recall` and `threshold`, one row per threshold, as scikit-learn's function of this name.

        More than two classes: as in `roc_curve`. `precision_recall` has the curve with a confidence band.
        """
        return scores.precision_recall_curve(self.predictions_by(level))

    def calibration_curve(
        self,
        *,
        level: Level | None = None,
        bins: int = 5,
        strategy: Literal["uniform", "quantile"] = "uniform",
    ) -> pd.DataFrame:
        """Return `predicted_probability` and `observed_frequency` of each bin, as scikit-learn's function of this name.

        More than two classes: as in `roc_curve`. `calibration` has the bins with confidence intervals.

        Args:
            level: "image", "slide" or "case"; the level that was scored by default.
            bins: Number of bins; empty ones are left out.
            strategy: "uniform" for bins of equal width, "quantile" for bins of equal numbers of rows.
        """
        return scores.calibration_curve(self.predictions_by(level), bins=bins, strategy=strategy)

    def plot_confusion_matrix(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        level: Level | None = None,
        normalize: Literal["true", "pred", "all"] | None = None,
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw the confusion matrix; given a path, save it as SVG, PNG or PDF.

        Args:
            path: Where to save; the suffix chooses the format.
            level: "image", "slide" or "case"; the level that was scored by default.
            normalize: None for counts with their share of the true class, or fractions as in `confusion_matrix`.
            width_mm: Width in millimetres; default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If `normalize` is something else.
            OutputError: If the suffix is another one, or the file cannot be written.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.evaluation.figures.confusion_figure import plot_confusion

        drawn = plot_confusion(self.confusion_matrix(level=level, normalize=normalize), normalize=normalize)
        return export_figure(drawn, path, width_mm=width_mm, dpi=dpi)

    def plot_roc_curve(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        level: Level | None = None,
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw the ROC curve with its confidence band; arguments as in `plot_confusion_matrix`."""
        from breastcls.drawing.figures import export_figure
        from breastcls.evaluation.figures.roc_figure import plot_roc

        curve, _, metrics, confusion = self._curves(level)
        return export_figure(plot_roc(curve, confusion=confusion, metrics=metrics), path, width_mm=width_mm, dpi=dpi)

    def plot_precision_recall_curve(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        level: Level | None = None,
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw the precision-recall curve with its confidence band; arguments as in `plot_confusion_matrix`."""
        from breastcls.drawing.figures import export_figure
        from breastcls.evaluation.figures.precision_recall_figure import plot_precision_recall

        _, curve, metrics, confusion = self._curves(level)
        figure = plot_precision_recall(curve, confusion=confusion, metrics=metrics)
        return export_figure(figure, path, width_mm=width_mm, dpi=dpi)

    def plot_calibration_curve(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        level: Level | None = None,
        bins: int = 10,
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw the reliability diagram in bins of equal mass, with confidence intervals over cases.

        Args:
            path: Where to save; the suffix chooses the format.
            level: "image", "slide" or "case"; the level that was scored by default.
            bins: Number of bins.
            width_mm: Width in millimetres; default: the figure's own.
            dpi: Dots per inch of a PNG.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.evaluation.figures.reliability_figure import plot_reliability

        found = assess_calibration(self.predictions_by(level), bins=bins, bootstrap=self._bootstrap)
        error: Score = read_scores(found.errors)["ece_equal_mass"]
        positive = self.classes[-1] if len(self.classes) == 2 else None
        figure = plot_reliability(found.equal_mass, positive=positive, error=error)
        return export_figure(figure, path, width_mm=width_mm, dpi=dpi)

    @property
    def _bootstrap(self) -> Bootstrap:
        return Bootstrap(**self.settings["bootstrap"])

    def _curves(self, level: Level | None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return both curves with bands, the metrics and the confusion matrix of a level."""
        of_level = self.predictions_by(level)
        confusion = scores.confusion_matrix(of_level)
        if of_level is self.predictions:
            roc, precision_recall, metrics = map(self.value_of, ("roc", "precision_recall", "metrics"))
        else:
            roc, precision_recall = compute_curves(of_level, self._bootstrap)
            metrics = score(of_level, CaseStatistics.of(of_level), self._bootstrap)
        if roc.empty:
            raise EvaluationError("All images are of one class: a curve needs rows of at least two classes.")
        return roc, precision_recall, metrics, confusion
