"""How much of a score is left when the images lose what a model may have taken for the tissue."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.images.resize import Pixels
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import few_cases, find_paired_limitations
from breastcls.intervals.paired_scores import check_metrics, score_against, score_text
from breastcls.intervals.score_tables import count_units
from breastcls.json_values import table_to_dict, to_json_values
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.result import Result
from breastcls.robustness.perturbed_predictions import (
    Alteration,
    file_names,
    generator_of,
    leave_as_it_is,
    predict_altered,
)
from breastcls.robustness.reductions import shuffle_blocks, shuffle_pixels, to_grey, to_mean_colour
from breastcls.stain.fitting import fit_normalizer
from breastcls.stain.normalizer import StainNormalizer

if TYPE_CHECKING:
    import keras

AS_THEY_ARE = "as they are"
CHECKS = {
    "one stain": ("differences of stain", "tissue in one stain"),
    "grey": ("colour", "brightness"),
    "blocks": ("how the blocks lie to one another", "what is seen within a block"),
    "pixels": ("all structure", "the colours of the pixels"),
    "mean colour": ("everything but one colour", "the mean colour"),
}
"""By the name of the check: what is taken away, and what is left."""
DEFAULT_METRICS = ("balanced_accuracy", "roc_auc")


@dataclass(frozen=True, eq=False, repr=False)
class ShortcutChecks(Result):
    """What `shortcut_checks` found. Print it, or attach its table to an evaluation.

    Attributes:
        table: One row a check, index `check`, the first "as they are"; for each metric `<metric>`, `<metric>_low`,
            `<metric>_high`, and `<metric>_change` from the images as they are, with `_low` and `_high`.
        reading: One plain sentence a check.
        settings: `bootstrap`, `seed`, `grid`, `stain`.
        counts: `images`, `cases`, and `not_normalised`: images whose stain could not be found and that stayed as they
            were in "one stain".
        limitations: Plain sentences on what to keep in mind with these numbers.
    """

    table: pd.DataFrame
    reading: tuple[str, ...]
    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    limitations: tuple[str, ...] = ()

    def __str__(self) -> str:
        metrics = _metrics_of(self.table)
        lines = [
            f"Shortcuts, on {self.counts['images']} images of {self.counts['cases']} cases; "
            f"{100 * self.settings['bootstrap']['confidence']:g}% intervals over cases",
            f"  {'':<14}" + "".join(f"{metric:<24}" for metric in metrics),
        ]
        for check, row in self.table.iterrows():
            scores = (score_text(row, name, f"{name}_low", f"{name}_high") for name in metrics)
            lines.append(f"  {check!s:<14}" + "".join(f"{score:<24}" for score in scores))
        lines += ["", *(f"- {sentence}" for sentence in self.reading)]
        if self.limitations:
            lines += ["", "Keep in mind", *(f"  - {limitation}" for limitation in self.limitations)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON; NaN becomes None."""
        return {
            "table": table_to_dict(self.table),
            "reading": list(self.reading),
            "settings": to_json_values(self.settings),
            "counts": to_json_values(self.counts),
            "limitations": list(self.limitations),
        }


def check_shortcuts(
    model: keras.Model | str | os.PathLike[str],
    test: Dataset,
    train: Dataset | None = None,
    *,
    checks: Sequence[str] = tuple(CHECKS),
    grid: int = 8,
    stain: str | StainNormalizer = "macenko",
    metrics: Sequence[str] = DEFAULT_METRICS,
    bootstrap: Bootstrap | None = None,
    seed: int = 0,
    batch_size: int = 32,
    allow_leakage: bool = False,
) -> ShortcutChecks:
    """Score a model on the test images as they are, and with their stain, colour or arrangement taken away.

    A score that stays shows what the model does without. Read a score that falls with care: the altered images are
    unlike any that the model has learnt from, and that alone may have confused it.

    Args:
        model: A `keras.Model`, or the path of a `.keras` file.
        test: Test images; the model has not learnt from their cases.
        train: What it was trained on: "one stain" is then the mean stain of some of these images. Without it, the mean
            stain of the test images.
        checks: Some of `CHECKS`.
        grid: Blocks along each side of an image in "blocks".
        stain: Name of the normalizer of "one stain", or one that was fitted.
        metrics: What to score; names as in `Evaluation.metrics`.
        bootstrap: How confidence intervals are computed; default: `Bootstrap(seed=seed)`.
        seed: Of the shuffling, together with the names of the files, and of the choice of images for the mean stain.
        batch_size: Images at a time.
        allow_leakage: Go on although the model says that it has learnt from some of these cases.

    Returns:
        The scores with intervals over cases, and a reading of them.

    Raises:
        EvaluationError: If a check or a metric is not known, or the model does not fit the data.
        LeakageError: If the model has learnt from some of these cases, and it was not allowed.
        ImageError: If an image cannot be read, has fewer pixels a side than `grid`, or no stain was found.

    Warns:
        EvaluationWarning: If a class is scored on fewer than five cases.

    Example:
        >>> print(check_shortcuts(model, test, train))  # doctest: +SKIP
    """
    wanted = check_metrics(metrics)
    chosen = (checks,) if isinstance(checks, str) else tuple(dict.fromkeys(checks))
    unknown = [name for name in chosen if name not in CHECKS]
    if unknown or not chosen:
        raise EvaluationError(f"`checks` holds {unknown or 'nothing'}; expected some of {', '.join(CHECKS)}.")
    bootstrap = bootstrap or Bootstrap(seed=seed)
    normalizer = None
    if "one stain" in chosen:
        normalizer = (
            fit_normalizer(test if train is None else train, stain, seed=seed) if isinstance(stain, str) else stain
        )
    possible = _alterations(test, grid, normalizer, seed)
    clean, *altered = predict_altered(
        model,
        test,
        [leave_as_it_is, *(possible[name] for name in chosen)],
        batch_size=batch_size,
        allow_leakage=allow_leakage,
    )
    scores = score_against(clean, [clean, *altered], wanted, bootstrap)
    counts = count_units(clean)
    for message in few_cases(counts):
        warnings.warn(message, EvaluationWarning, stacklevel=2)
    table = pd.DataFrame(
        [_row(one) for one in scores], index=pd.Index([AS_THEY_ARE, *chosen], name="check", dtype=object)
    )
    return ShortcutChecks(
        table=table,
        reading=read_checks(table, len(np.unique(test.labels))),
        settings={
            "bootstrap": asdict(bootstrap),
            "seed": seed,
            "grid": grid,
            "stain": None if normalizer is None else normalizer.name,
        },
        counts={
            "images": counts["images"],
            "cases": counts["cases"],
            "not_normalised": 0 if normalizer is None else normalizer.fallbacks.total,
        },
        limitations=find_paired_limitations(clean, scores[0], counts),
    )


def _alterations(test: Dataset, grid: int, normalizer: StainNormalizer | None, seed: int) -> dict[str, Alteration]:
    names = file_names(test)

    def one_stain(image: Pixels, row: int) -> Pixels:
        assert normalizer is not None
        return normalizer.transform(image)

    return {
        "one stain": one_stain,
        "grey": lambda image, row: to_grey(image),
        "blocks": lambda image, row: shuffle_blocks(image, grid, generator_of(f"blocks {names[row]}", seed)),
        "pixels": lambda image, row: shuffle_pixels(image, generator_of(f"pixels {names[row]}", seed)),
        "mean colour": lambda image, row: to_mean_colour(image),
    }


def _row(scores: pd.DataFrame) -> dict[str, float]:
    row: dict[str, float] = {}
    for metric, found in scores.iterrows():
        row |= {
            f"{metric}": found["value"],
            f"{metric}_low": found["low"],
            f"{metric}_high": found["high"],
            f"{metric}_change": found["change"],
            f"{metric}_change_low": found["change_low"],
            f"{metric}_change_high": found["change_high"],
        }
    return row


def _metrics_of(table: pd.DataFrame) -> list[str]:
    return [name.removesuffix("_change") for name in table.columns if name.endswith("_change")]


def read_checks(table: pd.DataFrame, classes: int) -> tuple[str, ...]:
    """Put a table of checks into words, by its last metric that has a level of chance.

    Args:
        table: `ShortcutChecks.table`.
        classes: Classes that the test set holds.

    Returns:
        One sentence a check; one in all where the score of the images as they are is not shown to be above chance.

    Example:
        >>> columns = ["roc_auc", "roc_auc_low", "roc_auc_high", "roc_auc_change", "roc_auc_change_low"]
        >>> table = pd.DataFrame(
        ...     [[0.9, 0.8, 1.0, 0.0, 0.0, 0.0], [0.7, 0.6, 0.8, -0.2, -0.3, -0.1]],
        ...     index=["as they are", "grey"], columns=[*columns, "roc_auc_change_high"])
        >>> print(read_checks(table, 2)[0])
        Grey: ROC AUC 0.700 without colour, 0.900 as they are; 50% of what it has above chance is left. Part of the \
score comes from brightness; the rest hung on what was taken away, or the altered images confused the model.
    """
    chances = {"roc_auc": 0.5, "balanced_accuracy": 1 / classes} if classes > 1 else {}
    metric = next((name for name in reversed(_metrics_of(table)) if name in chances), None)
    if metric is None:
        return ()
    chance, called = chances[metric], metric_title(metric)
    clean = table.loc[AS_THEY_ARE]
    if not clean[f"{metric}_low"] > chance:
        return (
            f"The model is not shown to be better than chance on these images as they are ({called} "
            f"{clean[metric]:.3f}, {clean[f'{metric}_low']:.3f} to {clean[f'{metric}_high']:.3f}), so there is nothing "
            "to take away.",
        )
    return tuple(
        _sentence(str(check), row, metric, called, chance, clean)
        for check, row in table.iterrows()
        if check != AS_THEY_ARE
    )


def _sentence(check: str, row: pd.Series, metric: str, called: str, chance: float, clean: Any) -> str:
    taken, left = CHECKS[check]
    share = max(0.0, (row[metric] - chance) / (clean[metric] - chance))
    lost = row[f"{metric}_change_high"] < 0
    carries = row[f"{metric}_low"] > chance
    if not lost and carries:
        verdict = f"No loss is shown: this model may do without {taken}."
    elif not lost:
        verdict = "The interval is too wide to say whether anything was lost."
    elif carries:
        verdict = (
            f"Part of the score comes from {left}; the rest hung on what was taken away, or the altered images "
            "confused the model."
        )
    else:
        verdict = f"No more than chance is shown from {left} alone."
    return (
        f"{check[0].upper()}{check[1:]}: {called} {row[metric]:.3f} without {taken}, {clean[metric]:.3f} as they are; "
        f"{share:.0%} of what it has above chance is left. {verdict}"
    )
