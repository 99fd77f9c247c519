"""`CrossValidation`: the result of `cross_validate`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.drawing.paged_result import PagedResult
from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments.cross_validation_tables import cross_validation_rows
from breastcls.experiments.repeated_folds import RepeatedFolds
from breastcls.files import export_text
from breastcls.html_parts import html_list, html_paragraph, html_table
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.score_tables import count_units
from breastcls.intervals.table_export import latex_table
from breastcls.json_values import table_to_dict
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.pseudonyms import Pseudonyms
from breastcls.text_tables import markdown_table, wide_table
from breastcls.training.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from breastcls.drawing.result_page import PagePart

SCHEMA = "breastcls.cross-validation/2"
_SHOWN = ("accuracy", "balanced_accuracy", "roc_auc", "patient_recognition_rate")


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(PagedResult):
    """The result of `cross_validate`. Print it, plot it, or write it as HTML, JSON, Markdown or LaTeX.

    `evaluation.to_html` writes the full report of all folds together, with the misclassified images.

    Attributes:
        predictions: Of every image by the one model that was not fitted on it, in the order of the data; `part` is
            "out-of-fold", so thresholds and calibrations may be chosen on them.
        evaluation: The evaluation of all of them together, with confidence intervals over cases.
        runs: The record of each training, one per fold.
        fold_of: int64 (n,): the number of the fold, from 1 on, in which each image was tested.
        by: Unit that was kept whole: "case", "slide" or "image".
        folds: Number of folds.
        seed: Seed of folds and trainings.
        settings: `folds`, `by`, `val_fraction`, `seed`, `tta` and, under `fit`, the options of the trainings.
        models: The trained models, one per fold: paths if they were written to a folder, models if they were kept, else
            empty. `build_ensemble(result.models)` takes either.
        run_dir: The folder, or None.
        repeated: With `repeats`, the scores of all repetitions and their spread by folds, by seed and by cases.
    """

    _page_title: ClassVar[str] = "Cross-validation"

    predictions: Predictions
    evaluation: Evaluation
    runs: tuple[Run, ...]
    fold_of: npt.NDArray[np.int64]
    by: str
    folds: int
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)
    models: tuple[Any, ...] = ()
    run_dir: Path | None = None
    repeated: RepeatedFolds | None = None

    @property
    def by_fold(self) -> pd.DataFrame:
        """One row per fold: `images`, `cases`, four metrics, `epochs`, `best_epoch`, `seconds`.

        The metrics of single folds show their variation. Each is computed on few cases, and the folds share training
        images, so they are no basis for a confidence interval; `evaluation` has those. A metric that is not defined in
        a fold is NaN.
        """
        rows = []
        for number, run in enumerate(self.runs, start=1):
            part = self.predictions[self.fold_of == number]
            counts, metrics = count_units(part), compute_metrics(part)
            rows.append(
                {
                    "images": counts["images"],
                    "cases": counts["cases"],
                    **{name: float(metrics[name]) for name in _SHOWN},
                    "epochs": len(run.history),
                    "best_epoch": np.nan if run.best_epoch is None else float(run.best_epoch),
                    "seconds": float(run.seconds),
                }
            )
        return PrintedTable(rows, index=pd.RangeIndex(1, len(rows) + 1, name="fold"))

    def with_pseudonyms(self, pseudonyms: Pseudonyms | None = None) -> CrossValidation:
        """Return the same result under pseudonyms; see `Evaluation.with_pseudonyms`.

        The folder and the models, which hold names, are left out.

        Args:
            pseudonyms: The pseudonyms, to use the same for several results. Without them, new ones are drawn.

        Raises:
            EvaluationError: If a name has no pseudonym.
        """
        names = pseudonyms or Pseudonyms.of(self)
        return dataclasses.replace(
            self,
            predictions=self.predictions.with_pseudonyms(names),
            evaluation=self.evaluation.with_pseudonyms(names),
            runs=tuple(dataclasses.replace(names.replace_in(run), run_dir=None) for run in self.runs),
            models=(),
            run_dir=None,
        )

    def _headline(self) -> str:
        unit = "it, but perhaps on others of its case" if self.by == "image" else f"its {self.by}"
        return (
            f"Cross-validation: {self.folds} folds by {self.by}, seed {self.seed}. Each of {len(self.predictions)} "
            f"images was predicted by the one model that was not fitted on {unit}."
        )

    def __str__(self) -> str:
        table = wide_table(self._rows("by_fold"))
        return (
            f"{self._headline()}\n\n{self.evaluation}\n\n"
            f"Fold by fold (variation only; the confidence intervals above are over all cases)\n{table}"
            f"{'' if self.repeated is None else f'{chr(10)}{chr(10)}{self.repeated}'}"
        )

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return (
            html_paragraph(self._headline())
            + html_table(self._rows("metrics"))
            + html_table(self._rows("by_fold"), caption="Fold by fold")
            + html_list("Limitations", self.evaluation.limitations)
        )

    def to_markdown(
        self, path: str | os.PathLike[str] | None = None, *, table: str = "metrics", digits: int = 3
    ) -> str:
        """Return a table as Markdown, each confidence interval in the cell of its value; given a path, write it there.

        Args:
            path: Where to write.
            table: "metrics" or "by_fold".
            digits: Decimals.

        Raises:
            EvaluationError: If there is no such table.
            OutputError: If it cannot be written.
        """
        return export_text(markdown_table(self._rows(table, digits)) + "\n", path)

    def to_latex(self, path: str | os.PathLike[str] | None = None, *, table: str = "metrics", digits: int = 3) -> str:
        """Return a table as LaTeX for the package booktabs; see `to_markdown`."""
        return export_text(latex_table(self._rows(table, digits)), path)

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        metrics: Sequence[str] = _SHOWN,
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw metrics with their confidence intervals over all cases, and those of single folds; save the figure.

        `evaluation.plot` draws the confusion matrix, the ROC curve and so on of all folds together.

        Args:
            path: Where to save, as `.svg`, `.png` or `.pdf`; None to save nothing.
            metrics: The metrics, as in `evaluation.metrics`.
            width_mm: Width in millimetres; default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If there is no such metric.
            OutputError: If it cannot be saved.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.experiments.cross_validation_views import plot_folds

        figure = plot_folds(self.evaluation, self.by_fold, metrics)
        return export_figure(figure, path, width_mm=width_mm, dpi=dpi)

    def _page_parts(self) -> list[PagePart]:
        from breastcls.experiments.cross_validation_views import cross_validation_parts

        names = ["confusion"] if self.evaluation.roc.empty else ["confusion", "roc"]
        figures = [self.plot(), *(self.evaluation.plot(figure=name) for name in names)]
        return cross_validation_parts(self, self._headline(), figures)

    def _rows(self, table: str, digits: int = 3) -> list[list[str]]:
        return cross_validation_rows(table, self.evaluation, self.by_fold, digits)

    def __repr__(self) -> str:
        return f"CrossValidation({self.folds} folds by {self.by}, {self.evaluation!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions and the models as JSON values."""
        return {
            "schema": SCHEMA,
            "settings": self.settings,
            "evaluation": self.evaluation.to_dict(),
            "by_fold": table_to_dict(self.by_fold),
            "repeated": None if self.repeated is None else self.repeated.to_dict(),
            "runs": [run.to_dict() for run in self.runs],
        }
