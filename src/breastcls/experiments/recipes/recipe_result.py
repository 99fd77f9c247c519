"""`RecipeResult`: the result of `run_recipe`, which prints and is written as JSON, Markdown and HTML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from breastcls.experiments.recipes.model_result import ModelResult, tabulate_models
from breastcls.experiments.recipes.recipe import Recipe
from breastcls.experiments.recipes.recipe_page import write_pages
from breastcls.experiments.recipes.recipe_text import find_limitations, recipe_rows, summarise, write_markdown
from breastcls.files import export_text
from breastcls.html_parts import html_list, html_paragraph, html_table
from breastcls.intervals.table_export import latex_table
from breastcls.json_values import to_json_values
from breastcls.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class RecipeResult(Result):
    """The result of `run_recipe`. Print it, or write it as JSON, Markdown or a folder of HTML.

    Args:
        recipe: The recipe.
        models: One result per model, and per magnification if the recipe takes each separately.
        settings: The arguments of the run: weights, epochs, folds, seed, limit.
        departures: Differences between this run and the recipe.
        environment: Versions and system.
        seconds: Time of the whole run.
        output: Folder that everything was written to, or None.
    """

    recipe: Recipe
    models: tuple[ModelResult, ...]
    settings: Mapping[str, Any]
    departures: tuple[str, ...]
    environment: Mapping[str, Any]
    seconds: float
    output: Path | None = None

    @property
    def table(self) -> pd.DataFrame:
        """The recipe's metrics, and the AUC and balanced accuracy of the colour-only baseline.

        Index `(model, metric)`; columns `reported`, then `image_split` and `case_split`, each also with `_low` and
        `_high`.
        """
        return tabulate_models(self.models, self.recipe.metrics)

    @property
    def limitations(self) -> tuple[str, ...]:
        """The limitations of the result, each sentence once."""
        return find_limitations(self.models)

    def __str__(self) -> str:
        text = summarise(self.recipe, self.models, self.departures)
        return text if self.output is None else f"{text}\n\nWritten to {self.output}"

    def __repr__(self) -> str:
        return f"RecipeResult({self.recipe.name!r}, {', '.join(model.name for model in self.models)})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON values."""
        return {
            "recipe": to_json_values(self.recipe.to_dict()),
            "settings": to_json_values(dict(self.settings)),
            "departures": list(self.departures),
            "table": to_json_values(self.table),
            "limitations": list(self.limitations),
            "models": [to_json_values(model.to_dict()) for model in self.models],
            "environment": to_json_values(dict(self.environment)),
            "seconds": self.seconds,
        }

    def to_markdown(self, path: str | os.PathLike[str] | None = None, *, digits: int = 3) -> str:
        """Return the table of both splits as Markdown and, given a path, write it there.

        Args:
            path: Where to write.
            digits: Decimals.

        Raises:
            OutputError: If it cannot be written.
        """
        return export_text(write_markdown(self.recipe, self.models, self.departures, digits), path)

    def to_latex(self, path: str | os.PathLike[str] | None = None, *, digits: int = 3) -> str:
        """Return the table of both splits as LaTeX for the package booktabs; given a path, write it there."""
        text = latex_table(recipe_rows(self.recipe, self.models, digits), names=1 + (len(self.models) > 1))
        return export_text(text, path)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return (
            html_paragraph(f"{self.recipe.name}: {self.recipe.title}")
            + html_table(recipe_rows(self.recipe, self.models), names=1 + (len(self.models) > 1))
            + html_list("Departures of this run from the recipe", self.departures)
            + html_list("Limitations", self.limitations)
        )

    def to_html(self, folder: str | os.PathLike[str]) -> Path:
        """Write `index.html`, which compares both splits, and the full report of each split.

        Args:
            folder: Created if it does not exist.

        Returns:
            The path of `index.html`.

        Raises:
            OutputError: If a file cannot be written.
        """
        return write_pages(self.recipe, self.models, self.departures, Path(folder))
