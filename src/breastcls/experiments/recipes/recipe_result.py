"""What running a recipe gave: for each of its models both sides, in one object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments.recipes.recipe import Contender, Recipe
from breastcls.experiments.recipes.recipe_splits import By
from breastcls.files import write_text
from breastcls.json_values import to_json_values
from breastcls.result import Result
from breastcls.training.run import Run

COLOUR = "colour alone: "


@dataclass(frozen=True, eq=False)
class Side:
    """A model, trained and judged on one kind of split.

    Args:
        by: "image": at random over images, as the project did; "case": over cases.
        evaluation: Everything that was measured: figures with intervals over cases, confusion matrix, ROC,
            precision-recall, what colour alone reaches on the same split.
        runs: The records of the trainings, one a fold; empty where the recipe brings its own training.
        trained_on: Images that each training looked at.
        parameters: Parameters of the model.
        seconds: Training and judging together.
        heatmaps: Folder of the heat-maps, where they were written.
    """

    by: By
    evaluation: Evaluation
    runs: tuple[Run, ...]
    trained_on: tuple[int, ...]
    parameters: int
    seconds: float
    heatmaps: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON."""
        return {
            "by": self.by,
            "evaluation": self.evaluation.to_dict(),
            "runs": [run.to_dict() for run in self.runs],
            "trained_on": list(self.trained_on),
            "parameters": self.parameters,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, eq=False)
class Trial:
    """One model of a recipe, at one magnification where the recipe takes each for itself, on both sides.

    Args:
        name: The contender, with the magnification where there is one: "resnet50" or "resnet50 at 200X".
        contender: The model as the recipe has it.
        magnification: Of the images, or None for all of them together.
        image_size: (height, width) that was used.
        images: How many images both sides split.
        cases: Of how many cases.
        over_images: As the project did it: split at random over images, leaking.
        over_cases: The same, split over cases.
    """

    name: str
    contender: Contender
    magnification: int | None
    image_size: tuple[int, int]
    images: int
    cases: int
    over_images: Side
    over_cases: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both, that over images first."""
        return self.over_images, self.over_cases

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON."""
        return {
            "name": self.name,
            "backbone": self.contender.backbone,
            "magnification": self.magnification,
            "image_size": list(self.image_size),
            "images": self.images,
            "cases": self.cases,
            "reported": dict(self.contender.reported),
            "over_images": self.over_images.to_dict(),
            "over_cases": self.over_cases.to_dict(),
        }


@dataclass(frozen=True, eq=False, repr=False)
class RecipeResult(Result):
    """What `run_recipe` found. Print it, or write it as JSON, Markdown or a folder of HTML.

    Args:
        recipe: The recipe.
        trials: One a model, and one a magnification where the recipe takes each for itself.
        settings: What was asked for: weights, epochs, folds, seed, limit.
        departures: In what this run differs from the recipe as it is written.
        environment: Versions and system.
        seconds: How long all of it took.
        output: Folder that everything was written to, or None.
    """

    recipe: Recipe
    trials: tuple[Trial, ...]
    settings: Mapping[str, Any]
    departures: tuple[str, ...]
    environment: Mapping[str, Any]
    seconds: float
    output: Path | None = None

    @property
    def table(self) -> pd.DataFrame:
        """Every figure that the recipe shows, and the AUC and balanced accuracy of colour alone.

        Index `(model, metric)`; columns `reported`, then `over_images` and `over_cases`, each also with `_low` and
        `_high`.
        """
        from breastcls.experiments.recipes.recipe_text import SIDES

        rows, index = [], []
        for trial in self.trials:
            for metric in self.recipe.metrics:
                values = [side.evaluation.metrics.loc[metric] for side in trial.sides]
                rows.append((trial.contender.reported.get(metric), *values[0], *values[1]))
                index.append((trial.name, metric))
            baselines = [side.evaluation.colour_baseline for side in trial.sides]
            if baselines[0] is None or baselines[1] is None:
                continue
            for metric in ("balanced_accuracy", "roc_auc"):
                rows.append((None, *baselines[0].loc[metric], *baselines[1].loc[metric]))
                index.append((trial.name, COLOUR + metric))
        sides = [f"{side}{end}" for side in SIDES for end in ("", "_low", "_high")]
        names = pd.MultiIndex.from_tuples(index, names=["model", "metric"])
        return pd.DataFrame(rows, index=names, columns=["reported", *sides], dtype=float)

    @property
    def limitations(self) -> tuple[str, ...]:
        """What to keep in mind, in plain sentences, each once."""
        from breastcls.experiments.recipes.recipe_text import limitations_of

        return limitations_of(self)

    def __str__(self) -> str:
        from breastcls.experiments.recipes.recipe_text import summarise

        return summarise(self)

    def __repr__(self) -> str:
        return f"RecipeResult({self.recipe.name!r}, {', '.join(trial.name for trial in self.trials)})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the single predictions as plain dicts, lists, numbers and strings."""
        return {
            "recipe": to_json_values(self.recipe.to_dict()),
            "settings": to_json_values(dict(self.settings)),
            "departures": list(self.departures),
            "table": to_json_values(self.table),
            "limitations": list(self.limitations),
            "trials": [to_json_values(trial.to_dict()) for trial in self.trials],
            "environment": to_json_values(dict(self.environment)),
            "seconds": self.seconds,
        }

    def to_markdown(self, path: str | os.PathLike[str] | None = None, *, digits: int = 3) -> str:
        """Return the table of both sides as Markdown and, given a path, write it there.

        Args:
            path: Where to write.
            digits: Decimals.

        Raises:
            OutputError: If it cannot be written.
        """
        from breastcls.experiments.recipes.recipe_text import write_markdown

        text = write_markdown(self, digits)
        if path is not None:
            write_text(path, text)
        return text

    def to_html(self, folder: str | os.PathLike[str]) -> Path:
        """Write `index.html`, which shows both sides, and the full report of each side beside it.

        Args:
            folder: Made if need be.

        Returns:
            The path of `index.html`.

        Raises:
            OutputError: If a file cannot be written.
        """
        from breastcls.experiments.recipes.recipe_page import write_pages

        return write_pages(self, Path(folder))
