"""The interpretation of shortcut checks in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from breastcls.intervals.minimum_cases import FEW_CASES
from breastcls.metrics.metric_descriptions import metric_title

UNPERTURBED = "unperturbed"
CHECKS = {
    "normalised stain": ("differences of stain", "tissue in one stain"),
    "grey": ("colour", "brightness"),
    "blocks": ("the arrangement of the blocks", "the content of the blocks"),
    "pixels": ("all structure", "the colours of the pixels"),
    "mean colour": ("everything but one colour", "the mean colour"),
}
"""By the name of the check: the information that is removed, and the information that remains."""


def checked_metrics(table: pd.DataFrame) -> list[str]:
    """Return the metrics of a table of checks."""
    return [name.removesuffix("_change") for name in table.columns if name.endswith("_change")]


def interpret_checks(table: pd.DataFrame, classes: int, *, few: bool = False) -> tuple[str, ...]:
    """Return the interpretation of a table of checks, by its last metric with a known level of chance.

    Args:
        table: `ShortcutChecks.table`.
        classes: Number of classes in the test set.
        few: Whether a class has fewer than five cases.

    Returns:
        One sentence per check; a single one where the metric of the unperturbed images is not significantly above
        chance, or the cases are too few to show it.

    Example:
        >>> columns = ["roc_auc", "roc_auc_low", "roc_auc_high", "roc_auc_change", "roc_auc_change_low"]
        >>> table = pd.DataFrame(
        ...     [[0.9, 0.8, 1.0, 0.0, 0.0, 0.0], [0.7, 0.6, 0.8, -0.2, -0.3, -0.1]],
        ...     index=["unperturbed", "grey"], columns=[*columns, "roc_auc_change_high"])
        >>> print(interpret_checks(table, 2)[0])
        Grey: ROC AUC 0.700 without colour, 0.900 unperturbed; 50% of the difference from chance remains. Part of the \
performance comes from brightness; the rest depends on colour, or the perturbed images are out of distribution.
    """
    chances = {"roc_auc": 0.5, "balanced_accuracy": 1 / classes} if classes > 1 else {}
    metric = next((name for name in reversed(checked_metrics(table)) if name in chances), None)
    if metric is None:
        return ()
    chance, title = chances[metric], metric_title(metric)
    clean = table.loc[UNPERTURBED]
    if np.isnan(clean[f"{metric}_low"]):
        return (
            f"{title[0].upper()}{title[1:]} {clean[metric]:.3f} of the unperturbed images has no confidence interval, "
            "so the checks cannot be interpreted.",
        )
    if few:
        return (
            f"A class has fewer than {FEW_CASES} cases, which are too few to interpret the checks ({title} of the "
            f"unperturbed images {clean[metric]:.3f}, CI {clean[f'{metric}_low']:.3f} to "
            f"{clean[f'{metric}_high']:.3f}).",
        )
    if not clean[f"{metric}_low"] > chance:
        return (
            f"The model is not significantly better than chance on the unperturbed images ({title} "
            f"{clean[metric]:.3f}, CI {clean[f'{metric}_low']:.3f} to {clean[f'{metric}_high']:.3f}), so the checks "
            "cannot be interpreted.",
        )
    return tuple(
        _sentence(str(check), row, metric, title, chance, clean)
        for check, row in table.iterrows()
        if check != UNPERTURBED
    )


def _sentence(check: str, row: pd.Series, metric: str, title: str, chance: float, clean: Any) -> str:
    removed, remaining = CHECKS[check]
    share = max(0.0, (row[metric] - chance) / (clean[metric] - chance))
    lost = row[f"{metric}_change_high"] < 0
    carries = row[f"{metric}_low"] > chance
    if np.isnan(row[f"{metric}_change_high"]) and not np.isclose(row[metric], clean[metric]):
        verdict = "Whether it decreases is not estimable."
    elif not lost and carries:
        verdict = f"No significant decrease: this model may not need {removed}."
    elif not lost:
        verdict = "The confidence interval is too wide to show whether it decreases."
    elif carries:
        verdict = (
            f"Part of the performance comes from {remaining}; the rest depends on {removed}, or the perturbed images "
            "are out of distribution."
        )
    else:
        verdict = f"Not significantly above chance from {remaining} alone."
    return (
        f"{check[0].upper()}{check[1:]}: {title} {row[metric]:.3f} without {removed}, {clean[metric]:.3f} unperturbed; "
        f"{share:.0%} of the difference from chance remains. {verdict}"
    )
