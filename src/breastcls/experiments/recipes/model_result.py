"""The results of one model of a recipe, with the image-wise and the case-wise split, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments.recipes.recipe_folds import By
from breastcls.experiments.recipes.recipe_model import RecipeModel
from breastcls.result import ShownInNotebook
from breastcls.training.run import Run

SPLITS = ("image_split", "case_split")
"""The names of both splits, as in `ModelResult` and in the table."""
BASELINE = "colour-only baseline: "
BOUNDED = ["value", "low", "high"]
"""Prefix of the baseline's metrics in the table."""


@dataclass(frozen=True, eq=False)
class SplitResult(ShownInNotebook):
    """One model, trained and tested with one kind of split.

    Args:
        by: "image": random image-wise split, as in the project; "case": case-wise split.
        evaluation: The evaluation: metrics with confidence intervals over cases, confusion matrix, ROC,
            precision-recall, and the colour-only baseline on the same split.
        runs: The records of the trainings, one per fold; empty if the recipe has its own training.
        training_images: Number of images (training and validation) of each training.
        parameters: Number of parameters of the model.
        seconds: Time of training and testing together.
        heatmaps: Folder of the heat-maps, if they were written.
    """

    by: By
    evaluation: Evaluation
    runs: tuple[Run, ...]
    training_images: tuple[int, ...]
    parameters: int
    seconds: float
    heatmaps: Path | None = None

    @property
    def leaks(self) -> bool:
        """Whether training and test share cases, slides or images."""
        return self.evaluation.leak_allowed

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "by": self.by,
            "evaluation": self.evaluation.to_dict(),
            "runs": [run.to_dict() for run in self.runs],
            "training_images": list(self.training_images),
            "parameters": self.parameters,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, eq=False)
class ModelResult(ShownInNotebook):
    """One model of a recipe with both splits, at one magnification if the recipe takes each separately.

    Args:
        name: The model, with the magnification if there is one: "resnet50" or "resnet50 at 200X".
        model: The model as the recipe describes it.
        magnification: Of the images, or None for all of them together.
        image_size: (height, width) that was used.
        images: Number of images.
        cases: Number of cases.
        image_split: With the project's random image-wise split, which leaks.
        case_split: With the case-wise split.
    """

    name: str
    model: RecipeModel
    magnification: int | None
    image_size: tuple[int, int]
    images: int
    cases: int
    image_split: SplitResult
    case_split: SplitResult

    @property
    def splits(self) -> tuple[SplitResult, SplitResult]:
        """Both results, that of the image-wise split first."""
        return self.image_split, self.case_split

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "name": self.name,
            "backbone": self.model.backbone,
            "magnification": self.magnification,
            "image_size": list(self.image_size),
            "images": self.images,
            "cases": self.cases,
            "reported": dict(self.model.reported),
            "image_split": self.image_split.to_dict(),
            "case_split": self.case_split.to_dict(),
        }


def tabulate_models(models: Sequence[ModelResult], metrics: Sequence[str]) -> pd.DataFrame:
    """Return the metrics of all models and of the colour-only baseline; see `RecipeResult.table`."""
    rows, index = [], []
    for model in models:
        for metric in metrics:
            values = [split.evaluation.metrics.loc[metric, BOUNDED] for split in model.splits]
            rows.append((model.model.reported.get(metric), *values[0], *values[1]))
            index.append((model.name, metric))
        baselines = [split.evaluation.colour_baseline for split in model.splits]
        if baselines[0] is None or baselines[1] is None:
            continue
        for metric in ("balanced_accuracy", "roc_auc"):
            rows.append((None, *baselines[0].loc[metric, BOUNDED], *baselines[1].loc[metric, BOUNDED]))
            index.append((model.name, BASELINE + metric))
    columns = [f"{split}{end}" for split in SPLITS for end in ("", "_low", "_high")]
    names = pd.MultiIndex.from_tuples(index, names=["model", "metric"])
    return pd.DataFrame(rows, index=names, columns=["reported", *columns], dtype=float)
