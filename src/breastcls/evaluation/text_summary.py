"""An evaluation as plain text: what `print` shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from breastcls.intervals.paired_scores import change_text
from breastcls.intervals.score_values import interval_text
from breastcls.metrics.metric_titles import metric_title

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation

HEADLINE = ("balanced_accuracy", "roc_auc")


def summarise(evaluation: Evaluation) -> str:
    """Return everything worth reading in a terminal, the headline first."""
    lines = [headline(evaluation.metrics), _origin(evaluation)]
    if evaluation.threshold is not None:
        lines.append(f"Decided {describe_threshold(evaluation.threshold)}")
    lines += ["", _metrics(evaluation.metrics, evaluation.settings)]
    if evaluation.by_level is not None:
        others = [
            level
            for level in evaluation.by_level.index.unique(0)
            if level != evaluation.settings["aggregation"]["level"]
        ]
        lines += [""] * bool(others)
        lines += [f"By {level}: {headline(evaluation.by_level.loc[level])}" for level in others]
    if evaluation.calibration is not None:
        error = interval_text(evaluation.calibration.errors.loc["ece_equal_mass"])
        by_chance = evaluation.calibration.by_chance.loc["ece_equal_mass"]
        lines += [
            "",
            f"Expected calibration error {error}, bins of equal mass; by chance alone "
            f"{by_chance['expected']:.3f}, up to {by_chance['upper']:.3f}",
        ]
    if evaluation.colour_baseline is not None:
        lines += ["", "Colour alone (mean and sd of R, G, B; no network) on the same split"]
        lines += [
            f"  {name:<26}{interval_text(evaluation.colour_baseline.loc[name])}{_beside_colour(evaluation, name)}"
            for name in HEADLINE
            if name in evaluation.colour_baseline.index
        ]
    lines += ["", "Confusion (rows true, columns decided)", evaluation.confusion.to_string()]
    if evaluation.leak_allowed:
        lines += ["", "LEAK: training and test images are not independent, and this was allowed by the caller."]
    if evaluation.limitations:
        lines += ["", "Keep in mind", *(f"  - {limitation}" for limitation in evaluation.limitations)]
    return "\n".join(lines)


def headline(metrics: pd.DataFrame) -> str:
    """Return balanced accuracy and ROC AUC with their intervals in one line."""
    first, second = (f"{metric_title(name)} {interval_text(metrics.loc[name])}" for name in HEADLINE)
    return f"{first[0].upper()}{first[1:]}, {second}"


def describe_threshold(threshold: Mapping[str, Any]) -> str:
    """Return where a threshold comes from, in words.

    Example:
        >>> describe_threshold({"value": 0.25, "origin": "kept with the model", "rule": "sensitivity of at least 0.95",
        ...     "images": 120, "cases": ["a", "b"]})
        'from 0.25 on, kept with the model: sensitivity of at least 0.95, chosen on 120 images of 2 cases'
    """
    text = f"from {threshold['value']:.4g} on, {threshold['origin']}"
    if "rule" not in threshold:
        return f"{text}; how it was chosen is not recorded"
    chosen = f"chosen on {threshold['images']} images"
    if threshold.get("cases"):
        chosen += f" of {len(threshold['cases'])} cases"
    return f"{text}: {threshold['rule']}, {chosen}"


def _beside_colour(evaluation: Evaluation, name: str) -> str:
    if evaluation.colour_difference is None:
        return ""
    row: Any = evaluation.colour_difference.loc[name]
    return f"; the model {change_text(row['value'], row['low'], row['high'])}"


def _origin(evaluation: Evaluation) -> str:
    counts = evaluation.counts
    classes = ", ".join(f"{name} {of['images']} of {of['cases']} cases" for name, of in counts["classes"].items())
    slides = f", {counts['slides']} slides" if counts.get("slides") else ""
    confidence = f"{100 * evaluation.settings['bootstrap']['confidence']:g}%"
    names = evaluation.predictions.classes
    positive = f"positive class {names[-1]}; " if len(names) == 2 else ""
    return (
        f"{counts['images']} images{slides}, {counts['cases']} cases ({classes}); "
        f"by {evaluation.settings['aggregation']['level']}; {positive}{confidence} intervals over cases"
    )


def _metrics(metrics: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    percent = f"{100 * settings['bootstrap']['confidence']:g}%"
    lines = [f"{'':<28}{'value':>7}   {percent + ' interval':<16}"]
    for name, row in metrics.iterrows():
        value = "-" if np.isnan(row["value"]) else f"{row['value']:.3f}"
        interval = "-" if np.isnan(row["low"]) else f"{row['low']:.3f} to {row['high']:.3f}"
        lines.append(f"  {name!s:<26}{value:>7}   {interval}")
    return "\n".join(lines)
