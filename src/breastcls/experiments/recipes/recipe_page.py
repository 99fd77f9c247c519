"""The result of a recipe as a folder of HTML: one page with both sides, and the full report of each."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from breastcls._version import __version__
from breastcls.experiments.recipes.recipe_text import (
    BY_CASE,
    RANDOM,
    SIDES,
    judged_in_words,
    leaks,
    metric_name,
    trial_in_words,
)
from breastcls.files import make_folder, write_text
from breastcls.metrics.metric_descriptions import format_interval, format_number

if TYPE_CHECKING:
    from breastcls.experiments.recipes.recipe_result import RecipeResult, Side, Trial

FOLDERS = {"image": "over-images", "case": "over-cases"}


def side_folder(trial: str, by: str) -> Path:
    """Return where the files of one side lie, relative to the folder of the result.

    Example:
        >>> side_folder("resnet50 at 200X", "case").as_posix()
        'resnet50-at-200X/over-cases'
    """
    return Path(re.sub(r"[^A-Za-z0-9._-]+", "-", trial)) / FOLDERS[by]


def write_pages(result: RecipeResult, folder: Path) -> Path:
    """Write the reports, then the page that leads to them, and return its path.

    Raises:
        OutputError: If a file cannot be written.
    """
    make_folder(folder)
    for trial in result.trials:
        for side in trial.sides:
            where = RANDOM if side.by == "image" else BY_CASE
            side.evaluation.to_html(
                folder / side_folder(trial.name, side.by) / "report.html",
                title=f"{result.recipe.name}, {trial.name}, {where}",
            )
    environment = Environment(
        loader=PackageLoader("breastcls.experiments.recipes", "templates"),
        autoescape=True,  # names of classes and models come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (
        resources.files("breastcls.experiments.recipes").joinpath("templates", "style.css").read_text(encoding="utf-8")
    )
    page = environment.get_template("recipe.html.j2").render(
        recipe=result.recipe,
        result=result,
        version=__version__,
        style=style,
        trials=[_describe(result, trial, folder) for trial in result.trials],
    )
    return write_text(folder / "index.html", page)


def _describe(result: RecipeResult, trial: Trial, folder: Path) -> dict[str, Any]:
    rows = []
    for metric, row in result.table.loc[trial.name].iterrows():
        cells = []
        for side in SIDES:
            low, high = row[f"{side}_low"], row[f"{side}_high"]
            cells.append((format_number(row[side]), "" if np.isnan(low) else format_interval(low, high)))
        reported = "" if np.isnan(row["reported"]) else format_number(row["reported"])
        rows.append({"name": metric_name(str(metric)), "reported": reported, "cells": cells})
    return {
        "about": trial_in_words(trial),
        "rows": rows,
        "sides": [_describe_side(trial, side, folder) for side in trial.sides],
    }


def _describe_side(trial: Trial, side: Side, folder: Path) -> dict[str, Any]:
    heatmaps = []
    if side.heatmaps is not None:
        # Only what lies within the folder can be shown by a page that may be moved with it.
        inside = side.heatmaps.resolve().is_relative_to(folder.resolve())
        heatmaps = (
            [path.resolve().relative_to(folder.resolve()).as_posix() for path in sorted(side.heatmaps.glob("*.png"))]
            if inside
            else []
        )
    confusion = side.evaluation.confusion
    return {
        "title": (RANDOM if side.by == "image" else BY_CASE).capitalize(),
        "leaks": leaks(side),
        "judged": judged_in_words(side),
        "report": (side_folder(trial.name, side.by) / "report.html").as_posix(),
        "classes": [str(name) for name in confusion.columns],
        "confusion": [(str(name), [int(count) for count in counts]) for name, counts in confusion.iterrows()],
        "heatmaps": heatmaps,
    }
