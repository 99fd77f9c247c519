"""The result of a recipe as text: for a terminal and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from breastcls.intervals.limitations import LEAKING
from breastcls.intervals.score_values import interval_text
from breastcls.metrics.metric_descriptions import describe_metric, format_count, format_interval, format_number
from breastcls.text_tables import escape_markdown, markdown_table, text_table

if TYPE_CHECKING:
    from breastcls.experiments.recipes.recipe_result import RecipeResult, Side, Trial

RANDOM = "at random over images"
BY_CASE = "over cases"
LEAKS = "leaks"
SIDES = ("over_images", "over_cases")


def metric_name(metric: str) -> str:
    """Return what a row of `RecipeResult.table` is called.

    Example:
        >>> metric_name("roc_auc"), metric_name("colour alone: roc_auc")
        ('ROC AUC', 'Colour alone, ROC AUC')
    """
    from breastcls.experiments.recipes.recipe_result import COLOUR

    if metric.startswith(COLOUR):
        return f"Colour alone, {describe_metric(metric.removeprefix(COLOUR)).short}"
    return describe_metric(metric).short


def leaks(side: Side) -> bool:
    """Tell whether what was judged and what was trained on share anything."""
    return side.evaluation.leak_allowed


def judged_in_words(side: Side) -> str:
    """Return how much was judged, by how much training."""
    counts = side.evaluation.counts
    trained = round(float(np.mean(side.trained_on)))
    times = "" if len(side.trained_on) == 1 else f", {len(side.trained_on)} folds"
    return (
        f"{format_count(counts['images'], 'image')} of {format_count(counts['cases'], 'case')} judged, "
        f"{format_count(trained, 'image')} to learn from{times}"
    )


def trial_in_words(trial: Trial) -> str:
    """Return what was trained on what."""
    height, width = trial.image_size
    return (
        f"{trial.name}: {trial.over_cases.parameters:,} parameters, images at {height}x{width}, "
        f"{format_count(trial.images, 'image')} of {format_count(trial.cases, 'case')}"
    )


def limitations_of(result: RecipeResult) -> tuple[str, ...]:
    """Return what to keep in mind, each sentence once, with the side and model it is about."""
    lines: list[str] = []
    if any(leaks(trial.over_images) for trial in result.trials):
        lines.append(
            "Split at random over images, pictures of one case stand on both sides: those scores are too good for new "
            "cases. They are here to be compared with."
        )
    if any(trial.contender.reported for trial in result.trials):
        lines.append("The reported figure is the project's own, on its own images and split; nothing here measured it.")
    told: dict[str, list[str]] = {}
    for trial in result.trials:
        for side, where in zip(trial.sides, (RANDOM, BY_CASE), strict=True):
            for line in side.evaluation.limitations:
                told.setdefault(line, []).append(f"{trial.name} {where}")
    # The leak was told of above, once for all.
    lines += [f"{line} ({'; '.join(where)})" for line, where in told.items() if line != LEAKING]
    return tuple(lines)


def summarise(result: RecipeResult) -> str:
    """Return everything worth reading in a terminal."""
    recipe = result.recipe
    lines = [f"{recipe.name}: {recipe.title}", recipe.summary, f"Reported: {recipe.reported}."]
    lines += _listed("Not told of, and chosen here", recipe.assumed)
    lines += _listed("This run departs from the recipe", result.departures)
    for trial in result.trials:
        lines += ["", trial_in_words(trial), *_side_by_side(result, trial)]
        for side, where in ((trial.over_images, RANDOM), (trial.over_cases, BY_CASE)):
            lines += ["", f"Confusion, {where} (rows true, columns decided)", side.evaluation.confusion.to_string()]
    lines += ["", *_listed("Keep in mind", result.limitations)]
    if result.output is not None:
        lines += ["", f"Written to {result.output}"]
    return "\n".join(lines).rstrip()


def write_markdown(result: RecipeResult, digits: int) -> str:
    """Return both sides of every model as one Markdown table, with what to keep in mind below it."""
    table = result.table
    several = len(result.trials) > 1
    leaking = " (leaks)" if any(leaks(trial.over_images) for trial in result.trials) else ""
    head = [*(["Model"] if several else []), "Figure", "Reported", f"At random over images{leaking}", "Over cases"]
    rows = [head]
    for (model, metric), (_, row) in zip(table.index, table.iterrows(), strict=True):
        reported = "" if np.isnan(row["reported"]) else format_number(row["reported"], digits)
        cells = [metric_name(str(metric)), reported, *(_cell(row, side, digits) for side in SIDES)]
        rows.append([*([str(model)] if several else []), *cells])
    lines = [markdown_table(rows), "", escape_markdown(f"Reported: {result.recipe.reported}."), ""]
    lines += [f"- {escape_markdown(line)}" for line in (*result.departures, *result.limitations)]
    return "\n".join(lines).rstrip() + "\n"


def _cell(row: pd.Series, side: str, digits: int) -> str:
    value = format_number(row[side], digits)
    low, high = row[f"{side}_low"], row[f"{side}_high"]
    return value if np.isnan(low) else f"{value} ({format_interval(low, high, digits)})"


def _side_by_side(result: RecipeResult, trial: Trial) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("", "reported", f"{RANDOM}{', LEAKS' if leaks(trial.over_images) else ''}", BY_CASE),
    ]
    for metric, row in result.table.loc[trial.name].iterrows():
        reported = "" if np.isnan(row["reported"]) else f"{row['reported']:.3f}"
        rows.append((metric_name(str(metric)), reported, *(_interval(row, side) for side in SIDES)))
    rows.append(("trained and judged in", "", *(f"{side.seconds:.0f} s" for side in trial.sides)))
    lines = [text_table(rows, rule=True)]
    lines += [f"{where}: {judged_in_words(side)}" for where, side in zip((RANDOM, BY_CASE), trial.sides, strict=True)]
    return lines


def _interval(row: Any, side: str) -> str:
    return interval_text({"value": row[side], "low": row[f"{side}_low"], "high": row[f"{side}_high"]})


def _listed(title: str, lines: tuple[str, ...]) -> list[str]:
    return [title, *(f"  - {line}" for line in lines)] if lines else []
