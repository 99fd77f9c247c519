"""`compare_splits`: what a score owes to the split, with the model, the images and the settings all the same."""

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
from breastcls.datasets.dataset import Dataset, Unit, require_dataset
from breastcls.environment import describe_environment
from breastcls.errors import EvaluationWarning, LeakageWarning, TrainingError
from breastcls.experiments.cross_validation import cross_validate
from breastcls.experiments.fold_folder import json_settings
from breastcls.experiments.fold_trainer import options_for_fold
from breastcls.experiments.split_comparison import SPLIT_NAMES, SplitComparison
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import few_cases
from breastcls.intervals.paired_scores import change_text, check_metrics, score_against
from breastcls.intervals.score_tables import count_units
from breastcls.metrics.classification_metrics import LOSSES
from breastcls.metrics.metric_titles import metric_title
from breastcls.predictions.predictions import Predictions
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
    """Cross-validate the same model with folds by image, by slide and by case, and show what the split adds.

    Each image is judged once under each split, so that the differences are between two judgements of the same images.
    Their intervals are over cases, the same cases drawn for both.

    Args:
        build: Makes an untrained model; called once a fold.
        data: All images.
        folds: Number of folds, the same for every split.
        splits: Some of "image", "slide" and "case", the last among them. "slide" is left out, and said to be, where
            every case has one slide.
        baselines: Simple models to score on the same folds; see
            `breastcls.baselines.list_baselines`.
        metrics: What to score; names as in `Evaluation.metrics`.
        seed: Of the folds and the models.
        bootstrap: How confidence intervals are computed; default: `Bootstrap(seed=seed)`.
        run_dir: New folder, with what `cross_validate` writes under `by-image`, `by-slide` and `by-case`.
        resume: Go on with what `run_dir` holds.
        progress: Whether to show progress on standard error.
        **options: What else `cross_validate` takes: `val_fraction`, `epochs`, `augment`, `fine_tune`, ... The files of
            `logging` get a name of their own for each training.

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
    require_dataset("data", data)
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
            # That folds by image leak is what is shown here; few cases are told of once, by the split that is honest.
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
            simple = cross_validate_baselines(
                data, folds=folds, by=split, baselines=baselines, seed=seed, features=features
            )
        predictions |= {(MODEL, split): result.predictions, **{(name, split): one for name, one in simple.items()}}
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
        verdicts=_verdicts(table, inflation, predictions, names, wanted, bootstrap),
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
            raise TrainingError("Every case has one slide, so that folds by slide are folds by case; compare 'image'.")
        return chosen, ("Every case has one slide: folds by slide are folds by case, and are left out.",)
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
                of = found.loc[metric]
                row |= {metric: of["value"], f"{metric}_low": of["low"], f"{metric}_high": of["high"]}
                if split != "case":
                    changes[name, split, metric] = {
                        "difference": of["change"],
                        "low": of["change_low"],
                        "high": of["change_high"],
                    }
            rows[name, split] = {**row, "test_images_of_known_cases": shares[split]}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["what", "split"])
    inflation = pd.DataFrame.from_dict(changes, orient="index")
    inflation.index = pd.MultiIndex.from_tuples(list(changes), names=["what", "split", "metric"])
    return table, inflation


def _verdicts(
    table: pd.DataFrame,
    inflation: pd.DataFrame,
    predictions: Mapping[tuple[str, str], Predictions],
    names: Sequence[str],
    metrics: tuple[str, ...],
    bootstrap: Bootstrap,
) -> tuple[str, ...]:
    """Put the last metric of which more is better into words."""
    scores = [name for name in metrics if name not in LOSSES]
    if not scores:
        return ()
    metric = scores[-1]
    called = metric_title(metric)
    sentences = []
    by_case: Any = table.loc[(MODEL, "case")]
    for split in [str(split) for what, split in table.index if what == MODEL and split != "case"]:
        change: Any = inflation.xs((MODEL, split, metric))
        under: Any = table.loc[(MODEL, split)]
        both = f"{called} {under[metric]:.3f} {SPLIT_NAMES[split]}, {by_case[metric]:.3f} by case"
        size = change_text(change["difference"], change["low"], change["high"])
        if change["low"] > 0:
            sentences.append(f"The split alone adds to the score: {both}, difference {size}.")
        elif change["high"] < 0:
            sentences.append(f"The split takes from the score: {both}, difference {size}.")
        else:
            sentences.append(f"No difference is shown between the splits: {both}, difference {size}.")
    for name in names[1:]:
        beside = score_against(predictions[name, "case"], [predictions[MODEL, "case"]], (metric,), bootstrap)[0]
        gap: Any = beside.loc[metric]
        size = change_text(gap["change"], gap["change_low"], gap["change_high"])
        if gap["change_low"] > 0:
            verdict = f"By case the model is better than {name}"
        elif gap["change_high"] < 0:
            verdict = f"By case {name} is better than the model"
        else:
            verdict = f"By case the model is not shown to differ from {name}"
        sentences.append(f"{verdict}: difference in {called} {size}.")
    return tuple(sentences)


def _limitations(counts: Mapping[str, Any]) -> tuple[str, ...]:
    fewest = min(counts["classes"].items(), key=lambda of: of[1]["cases"])
    return (
        f"The class {fewest[0]} has {fewest[1]['cases']} cases. The intervals are over cases; how the models would "
        "vary with other seeds is not in them.",
        *few_cases(counts),
    )
