"""The result of a recipe as a folder of HTML: one page that compares both splits, and the full report of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from breastcls._version import __version__
from breastcls.drawing.html_page import page_environment, read_style
from breastcls.experiments.recipes.model_result import SPLITS, ModelResult, SplitResult, tabulate_models
from breastcls.experiments.recipes.recipe import Recipe
from breastcls.experiments.recipes.recipe_text import (
    SPLIT_TITLES,
    describe_model_result,
    describe_split,
    find_limitations,
    metric_name,
)
from breastcls.files import make_folder, write_text
from breastcls.metrics.number_format import NOT_ESTIMABLE, format_interval, format_number

PACKAGE = "breastcls.experiments.recipes"
FOLDERS = {"image": "image-split", "case": "case-split"}


def split_folder(model: str, by: str) -> Path:
    """Return the folder of one split, relative to the folder of the result.

    Example:
        >>> split_folder("resnet50 at 200X", "case").as_posix()
        'resnet50-at-200X/case-split'
    """
    return Path(re.sub(r"[^A-Za-z0-9._-]+", "-", model)) / FOLDERS[by]


def write_pages(recipe: Recipe, models: Sequence[ModelResult], departures: Sequence[str], folder: Path) -> Path:
    """Write the reports, then the page that links to them, and return its path.

    Raises:
        OutputError: If a file cannot be written.
    """
    make_folder(folder)
    for model in models:
        for split in model.splits:
            split.evaluation.to_html(
                folder / split_folder(model.name, split.by) / "report.html",
                title=f"{recipe.name}, {model.name}, {SPLIT_TITLES[split.by]}",
            )
    environment = page_environment(PACKAGE)
    table = tabulate_models(models, recipe.metrics)
    page = environment.get_template("recipe.html.j2").render(
        recipe=recipe,
        departures=departures,
        limitations=find_limitations(models),
        version=__version__,
        style=read_style(PACKAGE, "recipe.css"),
        models=[_describe(table.loc[[model.name]], model, folder) for model in models],
    )
    return write_text(folder / "index.html", page)


def _describe(table: pd.DataFrame, model: ModelResult, folder: Path) -> dict[str, Any]:
    rows = []
    for (_, metric), (_, row) in zip(table.index, table.iterrows(), strict=True):
        cells = []
        for split in SPLITS:
            low, high = row[f"{split}_low"], row[f"{split}_high"]
            interval = format_interval(low, high) if np.isfinite(low) else f"CI {NOT_ESTIMABLE}"
            cells.append((format_number(row[split]), "" if np.isnan(row[split]) else interval))
        reported = "" if np.isnan(row["reported"]) else format_number(row["reported"])
        rows.append({"name": metric_name(str(metric)), "reported": reported, "cells": cells})
    return {
        "title": describe_model_result(model),
        "rows": rows,
        "splits": [_describe_split(model, split, folder) for split in model.splits],
    }


def _describe_split(model: ModelResult, split: SplitResult, folder: Path) -> dict[str, Any]:
    heatmaps = []
    if split.heatmaps is not None and split.heatmaps.resolve().is_relative_to(folder.resolve()):
        # Only images within the folder are linked, so that the folder can be moved.
        heatmaps = [
            path.resolve().relative_to(folder.resolve()).as_posix() for path in sorted(split.heatmaps.glob("*.png"))
        ]
    confusion = split.evaluation.confusion
    return {
        "title": SPLIT_TITLES[split.by].capitalize(),
        "leaks": split.leaks,
        "images": describe_split(split),
        "report": (split_folder(model.name, split.by) / "report.html").as_posix(),
        "classes": [str(name) for name in confusion.columns],
        "confusion": [(str(name), [int(count) for count in counts]) for name, counts in confusion.iterrows()],
        "heatmaps": heatmaps,
    }
