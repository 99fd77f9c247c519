"""`compare_splits`: the effect of the split on a score, with the same model, images and settings."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from breastcls.baselines.baseline_predictions import compute_baseline_features, cross_validate_baselines
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_labelled
from breastcls.datasets.image_rows import Unit
from breastcls.environment import describe_environment
from breastcls.errors import EvaluationWarning, LeakageWarning, TrainingError
from breastcls.experiments.cross_validation import cross_validate
from breastcls.experiments.fold_folder import json_settings
from breastcls.experiments.fold_trainer import options_for_fold
from breastcls.experiments.split_comparison import SPLIT_NAMES, SplitComparison
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import few_cases
from breastcls.intervals.paired_scores import change_text, check_metrics, score_against
from breastcls.intervals.score_tables import count_units, wide_score
from breastcls.metrics.classification_metrics import LOSSES
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import format_count
from breastcls.training.run import Run

MODEL = "model"
SPLITS: tuple[Unit, ...] = ("image", "slide", "case")
DEFAULT_METRICS = ("balanced_accuracy", "roc_auc")


def compare_splits(
    build: Callable[[], keras.Model],
    data: Dataset,
    *,
    folds: int = 5,
    splits: Sequence[Unit] = SPLITS,
    baselines: Sequence[str] = ("colour",),
    metrics: Sequence[str] = DEFAULT_METRICS,
    seed: int = 0,
    bootstrap: Bootstrap | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    **options: Any,
) -> SplitComparison:
    """Cross-validate the same model with image-wise, slide-wise and case-wise folds, and compare the scores.

    Each image is tested once with each split, so that the differences are between predictions of the same images. Their
    confidence intervals are over cases, with the same resampled cases for both splits.

    Args:
        build: Makes an untrained model; called once per fold.
        data: All images.
        folds: Number of folds, the same for every split.
        splits: Some of "image", "slide" and "case", "case" among them. If every case has one slide, "slide" is left
            out, and a limitation states it.
        baselines: Simple models to evaluate on the same folds; see
            `breastcls.baselines.list_baselines`.
        metrics: Names of metrics, as in `Evaluation.metrics`.
        seed: Seed of the folds and the models.
        bootstrap: How confidence intervals are computed; default: `Bootstrap(seed=seed)`.
        run_dir: New folder, with what `cross_validate` writes under `by-image`, `by-slide` and `by-case`.
        resume: Continue what `run_dir` holds.
        progress: Whether to show progress on standard error.
        **options: What else `cross_validate` takes: `val_fraction`, `epochs`, `augment`, `fine_tune`, ... The files of
            `logging` get names of their own for each training.

    Returns:
        The comparison; print it.

    Raises:
        TrainingError: If an argument is not valid.
        DatasetError: If `data` is not a `Dataset`.
        SplitError: If a class has fewer slides or cases than there are folds.
        ImageError: If an image cannot be read.

    Warns:
        EvaluationWarning: If a class has few cases.

    Example:
        >>> found = compare_splits(build, data, epochs=20, fine_tune=False, augment="none")  # doctest: +SKIP
        >>> print(found.to_markdown())  # doctest: +SKIP
    """
    require_labelled("data", data, "The comparison of splits")
    wanted = check_metrics(metrics)
    chosen, limitations = _check_splits(splits, data)
    bootstrap = bootstrap or Bootstrap(seed=seed)
    predictions: dict[tuple[str, str], Predictions] = {}
    runs: dict[str, tuple[Run, ...]] = {}
    seconds: dict[str, float] = {}
    shares: dict[str, float] = {}
    described: Mapping[str, Any] = {}
    features = compute_baseline_features(baselines, data)
    for split in chosen:
        began = time.perf_counter()
        with warnings.catch_warnings():
            # The leak of image-wise folds is the subject here; the case-wise split warns of few cases, once.
            warnings.simplefilter("ignore", LeakageWarning)
            if split != "case":
                warnings.simplefilter("ignore", EvaluationWarning)
            result = cross_validate(
                build,
                data,
                folds=folds,
                by=split,
                seed=seed,
                run_dir=None if run_dir is None else Path(run_dir) / f"by-{split}",
                resume=resume,
                bootstrap=bootstrap,
                progress=progress,
                **options_for_fold(options, f"by-{split}"),
            )
            by_baseline = cross_validate_baselines(
                data, folds=folds, by=split, baselines=baselines, seed=seed, features=features
            )
        predictions |= {(MODEL, split): result.predictions, **{(name, split): one for name, one in by_baseline.items()}}
        runs[split] = result.runs
        leakage = result.evaluation.leakage
        shares[split] = 0.0 if leakage is None else leakage.test_images_in_shared_cases / leakage.test_images
        described = result.evaluation.model
        seconds[split] = time.perf_counter() - began
    names = (MODEL, *baselines)
    table, inflation = _score(predictions, names, chosen, wanted, bootstrap, shares)
    counts = count_units(predictions[MODEL, "case"])
    return SplitComparison(
        table=table,
        inflation=inflation,
        verdicts=_verdicts(table, inflation, predictions, names, wanted, bootstrap, counts),
        predictions=predictions,
        runs=runs,
        counts=counts,
        settings={
            "bootstrap": asdict(bootstrap),
            "seed": seed,
            "folds": folds,
            "metrics": list(wanted),
            "fit": json_settings(options),
            "model": dict(described),
        },
        limitations=(*limitations, *_limitations(counts)),
        environment=describe_environment(),
        seconds=seconds,
    )


def _check_splits(splits: Sequence[Unit], data: Dataset) -> tuple[tuple[Unit, ...], tuple[str, ...]]:
    chosen = tuple(split for split in SPLITS if split in splits)
    if isinstance(splits, str) or set(splits) - set(SPLITS) or "case" not in chosen or len(chosen) < 2:
        raise TrainingError(
            f"splits is {splits!r}; expected 'case' and one or both of 'image' and 'slide' to compare with it."
        )
    pairs = pd.DataFrame({"case": data.cases, "slide": data.slides}).drop_duplicates()
    if "slide" in chosen and not pairs["case"].duplicated().any():
        chosen = tuple(split for split in chosen if split != "slide")
        if len(chosen) < 2:
            raise TrainingError("Every case has one slide: slide-wise folds are case-wise folds. Compare 'image'.")
        return chosen, ("Every case has one slide: slide-wise folds are case-wise folds, and are left out.",)
    return chosen, ()


def _score(
    predictions: Mapping[tuple[str, str], Predictions],
    names: Sequence[str],
    splits: Sequence[Unit],
    metrics: tuple[str, ...],
    bootstrap: Bootstrap,
    shares: Mapping[str, float],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows, changes = {}, {}
    for name in names:
        scored = score_against(
            predictions[name, "case"], [predictions[name, split] for split in splits], metrics, bootstrap
        )
        for split, found in zip(splits, scored, strict=True):
            row: dict[str, Any] = {}
            for metric in metrics:
                score = found.loc[metric]
                row |= wide_score(metric, score[["value", "low", "high", "reason"]])
                if split != "case":
                    changes[name, split, metric] = {
                        "difference": score["change"],
                        "low": score["change_low"],
                        "high": score["change_high"],
                        "reason": score["change_reason"],
                    }
            rows[name, split] = {**row, "shared_case_fraction": shares[split]}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["model", "split"])
    inflation = pd.DataFrame.from_dict(changes, orient="index")
    inflation.index = pd.MultiIndex.from_tuples(list(changes), names=["model", "split", "metric"])
    return table, inflation


def _verdicts(
    table: pd.DataFrame,
    inflation: pd.DataFrame,
    predictions: Mapping[tuple[str, str], Predictions],
    names: Sequence[str],
    metrics: tuple[str, ...],
    bootstrap: Bootstrap,
    counts: Mapping[str, Any],
) -> tuple[str, ...]:
    """Return sentences on the last metric for which higher values are better."""
    scores = [name for name in metrics if name not in LOSSES]
    if not scores:
        return ()
    metric = scores[-1]
    title = metric_title(metric)
    sentences = []
    by_case: Any = table.loc[(MODEL, "case")]
    # With fewer than five cases of a class an interval of a difference may exclude 0 by chance.
    few = bool(few_cases(counts))
    for split in [str(split) for name, split in table.index if name == MODEL and split != "case"]:
        change: Any = inflation.xs((MODEL, split, metric))
        other: Any = table.loc[(MODEL, split)]
        both = f"{title} {other[metric]:.3f} {SPLIT_NAMES[split]}, {by_case[metric]:.3f} case-wise"
        size = change_text(change["difference"], change["low"], change["high"])
        if few and (change["low"] > 0 or change["high"] < 0):
            sentences.append(f"The cases are too few to show whether the splits differ: {both}, difference {size}.")
        elif change["low"] > 0:
            sentences.append(f"The {SPLIT_NAMES[split]} split increases the score: {both}, difference {size}.")
        elif change["high"] < 0:
            sentences.append(f"The {SPLIT_NAMES[split]} split decreases the score: {both}, difference {size}.")
        elif pd.isna(change["low"]):
            sentences.append(f"Whether the splits differ is not estimable: {both}, difference {size}.")
        else:
            sentences.append(f"No difference between the splits is shown: {both}, difference {size}.")
    for name in names[1:]:
        compared = score_against(predictions[name, "case"], [predictions[MODEL, "case"]], (metric,), bootstrap)[0]
        gap: Any = compared.loc[metric]
        size = change_text(gap["change"], gap["change_low"], gap["change_high"])
        if few and (gap["change_low"] > 0 or gap["change_high"] < 0):
            verdict = f"The cases are too few to show whether the model and the baseline {name} differ"
        elif gap["change_low"] > 0:
            verdict = f"With the case-wise split the model is better than the baseline {name}"
        elif gap["change_high"] < 0:
            verdict = f"With the case-wise split the baseline {name} is better than the model"
        elif pd.isna(gap["change_low"]):
            verdict = f"With the case-wise split it is not estimable whether the model and the baseline {name} differ"
        else:
            verdict = f"With the case-wise split no difference between the model and the baseline {name} is shown"
        sentences.append(f"{verdict}: difference in {title} {size}.")
    return tuple(sentences)


def _limitations(counts: Mapping[str, Any]) -> tuple[str, ...]:
    fewest = min(counts["classes"].items(), key=lambda entry: entry[1]["cases"])
    return (
        f"The class {fewest[0]} has {format_count(fewest[1]['cases'], 'case')}. The confidence intervals are over "
        "cases; they do not "
        "include the variation between seeds.",
        *few_cases(counts),
    )
