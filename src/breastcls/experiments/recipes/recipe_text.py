"""The result of a recipe as text: for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from breastcls.experiments.recipes.model_result import BASELINE, SPLITS, ModelResult, SplitResult, tabulate_models
from breastcls.experiments.recipes.recipe import Recipe
from breastcls.intervals.limitations import LEAKING
from breastcls.intervals.score_values import interval_text
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import NOT_ESTIMABLE, format_count, format_interval, format_number
from breastcls.text_tables import escape_markdown, markdown_table, text_table

SPLIT_TITLES = {"image": "image-wise split", "case": "case-wise split"}
"""How texts name a split, by its unit."""


def metric_name(metric: str) -> str:
    """Return the title of a row of `RecipeResult.table`.

    Example:
        >>> metric_name("roc_auc"), metric_name("colour-only baseline: roc_auc")
        ('ROC AUC', 'Colour-only baseline, ROC AUC')
    """
    if metric.startswith(BASELINE):
        return f"Colour-only baseline, {describe_metric(metric.removeprefix(BASELINE)).short}"
    return describe_metric(metric).short


def describe_split(split: SplitResult) -> str:
    """Return the numbers of training and test images of a split, in words."""
    counts = split.evaluation.counts
    trained = round(float(np.mean(split.training_images)))
    folds = "" if len(split.training_images) == 1 else f" per fold, {len(split.training_images)} folds"
    return (
        f"{format_count(counts['images'], 'test image')} of {format_count(counts['cases'], 'case')}, "
        f"{format_count(trained, 'training image')}{folds}"
    )


def describe_model_result(model: ModelResult) -> str:
    """Return the size of a model and of its data, in words."""
    height, width = model.image_size
    return (
        f"{model.name}: {model.case_split.parameters:,} parameters, images at {height}x{width}, "
        f"{format_count(model.images, 'image')} of {format_count(model.cases, 'case')}"
    )


def find_limitations(models: Sequence[ModelResult]) -> tuple[str, ...]:
    """Return the limitations of all models and splits, each sentence once, with the models and splits it is about."""
    lines: list[str] = []
    if any(model.image_split.leaks for model in models):
        lines.append(
            "The image-wise split puts images of one case into both training and test: its scores are too high for new "
            "cases. They serve for comparison only."
        )
    if any(model.model.reported for model in models):
        lines.append("The reported value is the project's own, on its own images and split; it was not measured here.")
    found: dict[str, list[str]] = {}
    for model in models:
        for split in model.splits:
            for line in split.evaluation.limitations:
                found.setdefault(line, []).append(f"{model.name}, {SPLIT_TITLES[split.by]}")
    # The first sentence is about the leak of all image-wise splits.
    lines += [f"{line} ({'; '.join(where)})" for line, where in found.items() if line != LEAKING]
    return tuple(lines)


def summarise(recipe: Recipe, models: Sequence[ModelResult], departures: Sequence[str]) -> str:
    """Return the whole result for a terminal."""
    table = tabulate_models(models, recipe.metrics)
    lines = [f"{recipe.name}: {recipe.title}", recipe.summary, f"Reported: {recipe.reported}."]
    lines += _listed("Not described by the project, and chosen here", recipe.assumed)
    lines += _listed("Departures of this run from the recipe", departures)
    for model in models:
        lines += ["", describe_model_result(model), *_compare_splits(table.loc[model.name], model)]
        for split in model.splits:
            confusion = split.evaluation.confusion.to_string()
            lines += ["", f"Confusion matrix, {SPLIT_TITLES[split.by]} (rows true, columns predicted)", confusion]
    lines += ["", *_listed("Limitations", find_limitations(models))]
    return "\n".join(lines).rstrip()


def write_markdown(recipe: Recipe, models: Sequence[ModelResult], departures: Sequence[str], digits: int) -> str:
    """Return both splits of every model as one Markdown table, with the limitations below it."""
    lines = [
        markdown_table(recipe_rows(recipe, models, digits)),
        "",
        escape_markdown(f"Reported: {recipe.reported}."),
        "",
    ]
    lines += [f"- {escape_markdown(line)}" for line in (*departures, *find_limitations(models))]
    return "\n".join(lines).rstrip() + "\n"


def recipe_rows(recipe: Recipe, models: Sequence[ModelResult], digits: int = 3) -> list[list[str]]:
    """Return the header and the rows of the table of both splits, each confidence interval in one cell."""
    table = tabulate_models(models, recipe.metrics)
    several = len(models) > 1
    leaking = " (leaks)" if any(model.image_split.leaks for model in models) else ""
    head = [*(["Model"] if several else []), "Metric", "Reported", f"Image-wise split{leaking}", "Case-wise split"]
    rows = [head]
    for (model, metric), (_, row) in zip(table.index, table.iterrows(), strict=True):
        reported = "" if np.isnan(row["reported"]) else format_number(row["reported"], digits)
        cells = [metric_name(str(metric)), reported, *(_cell(row, split, digits) for split in SPLITS)]
        rows.append([*([str(model)] if several else []), *cells])
    return rows


def _cell(row: pd.Series, split: str, digits: int) -> str:
    value = format_number(row[split], digits)
    low, high = row[f"{split}_low"], row[f"{split}_high"]
    if np.isnan(row[split]):
        return value
    return f"{value} ({format_interval(low, high, digits) if np.isfinite(low) else f'CI {NOT_ESTIMABLE}'})"


def _compare_splits(table: Any, model: ModelResult) -> list[str]:
    titles = [SPLIT_TITLES[split.by] + (", LEAKS" if split.leaks else "") for split in model.splits]
    rows: list[tuple[str, ...]] = [("", "reported", *titles)]
    for metric, row in table.iterrows():
        reported = "" if np.isnan(row["reported"]) else f"{row['reported']:.3f}"
        rows.append((metric_name(str(metric)), reported, *(_interval(row, split) for split in SPLITS)))
    rows.append(("training and test", "", *(f"{split.seconds:.0f} s" for split in model.splits)))
    lines = [text_table(rows, rule=True)]
    return lines + [f"{SPLIT_TITLES[split.by]}: {describe_split(split)}" for split in model.splits]


def _interval(row: Any, split: str) -> str:
    return interval_text({"value": row[split], "low": row[f"{split}_low"], "high": row[f"{split}_high"]})


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return [title, *(f"  - {line}" for line in lines)] if lines else []
