"""Shortcut checks: metrics on images without differences of stain, without colour or without structure."""

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
from breastcls.intervals.score_tables import count_units, wide_score
from breastcls.json_values import table_to_dict, to_json_values
from breastcls.result import Result
from breastcls.robustness.perturbed_predictions import (
    ImageChange,
    file_names,
    keep_image,
    predict_perturbed,
    seeded_generator,
)
from breastcls.robustness.reductions import shuffle_blocks, shuffle_pixels, to_grey, to_mean_colour
from breastcls.robustness.shortcut_interpretation import CHECKS, UNPERTURBED, checked_metrics, interpret_checks
from breastcls.stain.fitting import fit_normalizer
from breastcls.stain.normalizer import StainNormalizer
from breastcls.text_tables import format_count, limitation_lines, wide_table

if TYPE_CHECKING:
    import keras

BOUNDS = ("low", "high", "reason")
DEFAULT_METRICS = ("balanced_accuracy", "roc_auc")


@dataclass(frozen=True, eq=False, repr=False)
class ShortcutChecks(Result):
    """The result of `check_shortcuts`. Print it, or attach its table to an evaluation.

    Attributes:
        table: One row per check, index `check`, the first "unperturbed"; for each metric `<metric>`, `<metric>_low`,
            `<metric>_high`, and `<metric>_change` from the unperturbed images, with `_low` and `_high`.
        interpretation: One sentence per check.
        settings: `bootstrap`, `seed`, `grid`, `stain`.
        counts: `images`, `cases`, and `not_normalised`: images whose stain could not be estimated and that were not
            changed in "normalised stain".
        limitations: Sentences on the limitations of these numbers.
    """

    table: pd.DataFrame
    interpretation: tuple[str, ...]
    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    limitations: tuple[str, ...] = ()

    def __str__(self) -> str:
        metrics = checked_metrics(self.table)
        lines = [
            f"Shortcuts, on {format_count(self.counts['images'], 'image')} of "
            f"{format_count(self.counts['cases'], 'case')}; "
            f"{100 * self.settings['bootstrap']['confidence']:g}% CI over cases",
        ]
        rows = [
            [f"  {check!s}", *(score_text(row, name, f"{name}_low", f"{name}_high") for name in metrics)]
            for check, row in self.table.iterrows()
        ]
        lines += wide_table([["", *metrics], *rows]).splitlines()
        lines += ["", *(f"- {sentence}" for sentence in self.interpretation)]
        return "\n".join([*lines, *limitation_lines(self.limitations)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN becomes None."""
        return {
            "table": table_to_dict(self.table),
            "interpretation": list(self.interpretation),
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
    """Score a model on the test images, and on the same images with stain, colour or structure removed.

    A metric that does not decrease shows that the model does not need the removed information. A decrease must be
    interpreted with care: the perturbed images are outside the distribution of the training images.

    Args:
        model: A `keras.Model`, or the path of a `.keras` file.
        test: Test images, of other cases than the training images.
        train: The training images: "normalised stain" then uses the mean stain of some of these. Without them, the
            mean stain of the test images.
        checks: Some of "normalised stain", "grey", "blocks", "pixels" and "mean colour"; all by default.
        grid: Blocks along each side of an image in "blocks".
        stain: Name of the normalizer of "normalised stain", or a fitted one.
        metrics: Names as in `Evaluation.metrics`.
        bootstrap: How confidence intervals are computed; default: `Bootstrap(seed=seed)`.
        seed: Of the shuffling, together with the names of the files, and of the choice of images for the mean stain.
        batch_size: Images per batch.
        allow_leakage: Continue although the card lists some of these cases among the training cases.

    Returns:
        The metrics with confidence intervals over cases, and their interpretation.

    Raises:
        EvaluationError: If a check or a metric is not known, or the model does not fit the data.
        LeakageError: If the card lists some of these cases among the training cases, unless `allow_leakage`.
        ImageError: If an image cannot be read, has fewer pixels per side than `grid`, or no stain was found.

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
    if "normalised stain" in chosen:
        normalizer = (
            fit_normalizer(test if train is None else train, stain, seed=seed) if isinstance(stain, str) else stain
        )
    available = _image_changes(test, grid, normalizer, seed)
    clean, *perturbed = predict_perturbed(
        model,
        test,
        [keep_image, *(available[name] for name in chosen)],
        batch_size=batch_size,
        allow_leakage=allow_leakage,
    )
    scores = score_against(clean, [clean, *perturbed], wanted, bootstrap)
    counts = count_units(clean)
    for message in few_cases(counts):
        warnings.warn(message, EvaluationWarning, stacklevel=2)
    table = pd.DataFrame(
        [_row(one) for one in scores], index=pd.Index([UNPERTURBED, *chosen], name="check", dtype=object)
    )
    return ShortcutChecks(
        table=table,
        interpretation=interpret_checks(table, len(np.unique(test.labels)), few=bool(few_cases(counts))),
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


def _image_changes(test: Dataset, grid: int, normalizer: StainNormalizer | None, seed: int) -> dict[str, ImageChange]:
    names = file_names(test)

    def normalise(image: Pixels, row: int) -> Pixels:
        assert normalizer is not None
        return normalizer.transform(image)

    return {
        "normalised stain": normalise,
        "grey": lambda image, row: to_grey(image),
        "blocks": lambda image, row: shuffle_blocks(image, grid, seeded_generator(f"blocks {names[row]}", seed)),
        "pixels": lambda image, row: shuffle_pixels(image, seeded_generator(f"pixels {names[row]}", seed)),
        "mean colour": lambda image, row: to_mean_colour(image),
    }


def _row(scores: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for metric, found in scores.iterrows():
        for name, prefix in ((str(metric), ""), (f"{metric}_change", "change_")):
            row |= wide_score(name, [found[prefix.rstrip("_") or "value"], *(found[prefix + end] for end in BOUNDS)])
    return row
