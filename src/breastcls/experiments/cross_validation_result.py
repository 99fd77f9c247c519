"""`CrossValidation`: the result of `cross_validate`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.evaluation.evaluation import Evaluation
from breastcls.intervals.score_tables import count_units
from breastcls.json_values import table_to_dict
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.pseudonyms import Pseudonyms
from breastcls.result import Result
from breastcls.training.run import Run

SCHEMA = "breastcls.cross-validation/1"
_SHOWN = ("accuracy", "balanced_accuracy", "roc_auc", "patient_recognition_rate")


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(Result):
    """The result of `cross_validate`.

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
    """

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
        return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="fold"))

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

    def __str__(self) -> str:
        unit = {"case": "its case", "slide": "its slide", "image": "it, but perhaps on others of its case"}[self.by]
        shown = self.by_fold.drop(columns=["best_epoch", "seconds"]).rename(columns=metric_title)
        table = shown.to_string(float_format="{:.3f}".format, na_rep="-")
        return (
            f"Cross-validation: {self.folds} folds by {self.by}, seed {self.seed}. Each of {len(self.predictions)} "
            f"images was predicted by the one model that was not fitted on {unit}.\n\n{self.evaluation}\n\n"
            f"Fold by fold (variation only; the confidence intervals above are over all cases)\n{table}"
        )

    def __repr__(self) -> str:
        return f"CrossValidation({self.folds} folds by {self.by}, {self.evaluation!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions and the models as JSON values."""
        return {
            "schema": SCHEMA,
            "settings": self.settings,
            "evaluation": self.evaluation.to_dict(),
            "by_fold": table_to_dict(self.by_fold),
            "runs": [run.to_dict() for run in self.runs],
        }
