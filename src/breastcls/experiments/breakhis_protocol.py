"""`evaluate_protocol`: the protocol of the BreakHis paper, with and without the cases that training and test share.

Spanhol et al. 2016, DOI 10.1109/TBME.2015.2496264: one magnification at a time, mean and standard deviation over the
five published folds of the share of images classified correctly, and of the mean of that share over the slides. The
folds keep slides apart, but not the slides of one case.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_labelled
from breastcls.environment import describe_environment
from breastcls.errors import TrainingError
from breastcls.experiments.external_predictions import ExternalPredictions, match_predictions, predicted_names
from breastcls.experiments.fold import Fold
from breastcls.experiments.fold_folder import json_settings
from breastcls.experiments.fold_models import check_build, check_trainings
from breastcls.experiments.fold_runner import ModelTrainer, RunOptions, run_folds
from breastcls.experiments.fold_trainer import FitTrainer
from breastcls.experiments.protocol_result import CASE_CLEAN, OFFICIAL, SCORES, UNSEEN, ProtocolResult
from breastcls.experiments.published_parts import (
    FoldFiles,
    PublishedPart,
    absent_classes,
    check_magnifications,
    cut_parts,
    image_names,
    read_folds,
)
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.predictions import Predictions

Key = tuple[int, int, str]
"""(magnification, fold, variant)."""


def evaluate_protocol(
    build: Callable[[], keras.Model] | ModelTrainer | ExternalPredictions,
    data: Dataset,
    fold_files: FoldFiles,
    *,
    magnifications: Sequence[int] | None = None,
    case_clean: bool = True,
    val_fraction: float = 0.0,
    seed: int = 0,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    tta: str | None = None,
    progress: bool = True,
    **fit_options: Any,
) -> ProtocolResult:
    """Train and test as the authors of BreakHis prescribe, and once more without cases in both training and test.

    The result compares three variants on the test images of the published folds: the folds as they are; the same
    predictions, restricted to the images whose case is not in training; and a model trained without any image of a case
    of the test images. An incomplete copy of the set can be evaluated too; the result lists what is missing.

    Args:
        build: Makes an untrained model; called once per training. Or a recipe with its own settings:
            `bc.experiments.find_recipe("small-cpu").trainer(weights=...)`. Or the predictions of a model of any
            framework, by `(magnification, fold)`, with the paths of the images.
        data: The images, under their official names; see `load_breakhis`.
        fold_files: `dsfold1.txt` ... `dsfold5.txt`, the folder that holds them, or the `Folds.csv` of the Kaggle copy.
        magnifications: Some of 40, 100, 200, 400; all that the data holds by default.
        case_clean: Whether to train again without the shared cases; it doubles the time.
        val_fraction: Share of each training part that is split off by case for validation, on which `fit` chooses the
            best epoch.
        seed: Seed of models, validation parts and trainings.
        run_dir: Folder with one run per training.
        resume: Continue what `run_dir` holds.
        tta: Test-time augmentation, as in `predict`; a recipe has its own.
        progress: Whether to show progress on standard error.
        **fit_options: Anything else that `fit` takes; a recipe has its own settings. The files of `logging` get
            names of their own for each training. `stain` may be the name of a normalizer, which is fitted anew on each
            training part.

    Returns:
        The rates by fold and over the folds; print it.

    Raises:
        TrainingError: If an argument is not valid or would have no effect, the magnification of an image is not known,
            given predictions are not of the test images of their fold, or no fold can be evaluated.
        DatasetError: If `data` is not a `Dataset`.
        SplitError: If a fold file cannot be read or has another form.
        ImageError: If an image cannot be read.
        KeyboardInterrupt: After Ctrl-C; what was reached is in `run_dir`.

    Example:
        >>> result = evaluate_protocol(build, data, "breakhis_folds", epochs=20)  # doctest: +SKIP
        >>> print(result.to_markdown())  # doctest: +SKIP
    """
    began = time.perf_counter()
    require_labelled("data", data, "The protocol of BreakHis")
    trainer: ModelTrainer | None = None
    if isinstance(build, Mapping):
        _check_unused(fit_options, {"val_fraction": val_fraction, "run_dir": run_dir, "resume": resume, "tta": tta})
    else:
        check = {"val_fraction": val_fraction, "seed": seed, "run_dir": run_dir, "resume": resume, "tta": tta}
        trainer = _make_trainer(build, fit_options, check)
    parts, missing = cut_parts(data, read_folds(fold_files), check_magnifications(data, magnifications))
    # A picture under two names was kept under one of them, and the other is missing.
    missing += data.notes
    predicted: dict[Key, Predictions] = {}
    trainings: dict[Key, Fold] = {}
    if isinstance(build, Mapping):
        for part in parts:
            found, notes = match_predictions(build, part)
            missing += notes
            if found is not None:
                predicted[part.magnification, part.fold, OFFICIAL] = found
    elif trainer is not None:
        for part in parts:
            planned, notes = _plan(part, val_fraction, seed, case_clean=case_clean)
            missing += notes
            trainings |= planned
        # The same fold twice, official and case-clean, is trained once.
        options = RunOptions(seed, None if run_dir is None else Path(run_dir), resume, progress)
        once = list({fold.name: fold for fold in trainings.values()}.values())
        by_name = {
            result.fold.name: result.predictions.with_threshold(None) for result in run_folds(once, trainer, options)
        }
        predicted = {key: by_name[fold.name] for key, fold in trainings.items()}
    predictions, table = _tabulate(parts, predicted, trainings)
    if table.empty:
        raise TrainingError("No fold can be evaluated.\n" + "\n".join(missing))
    return ProtocolResult(
        by_fold=table,
        missing=tuple(missing),
        predictions=predictions,
        settings={
            "seed": seed,
            "val_fraction": val_fraction,
            "tta": None if trainer is None else trainer.tta,
            "external": trainer is None,
            "trainer": build.name if isinstance(build, ModelTrainer) else None,
            "fit": json_settings(fit_options),
        },
        environment=describe_environment(),
        seconds=time.perf_counter() - began,
    )


def _check_unused(fit_options: Mapping[str, Any], others: Mapping[str, Any]) -> None:
    """Refuse arguments that have no effect if predictions are given."""
    given = [*fit_options, *(name for name, value in others.items() if value)]
    if given:
        raise TrainingError(
            f"Predictions were given, so that nothing is trained and {', '.join(given)} would have no effect. Leave "
            "that out."
        )


def _make_trainer(build: Any, fit_options: Mapping[str, Any], check: dict[str, Any]) -> ModelTrainer:
    if isinstance(build, ModelTrainer):
        if unused := [*fit_options, *(["tta"] if check["tta"] is not None else [])]:
            raise TrainingError(
                f"{build.name} has its own settings; found {', '.join(unused)}. Leave them out, or make a recipe with "
                "other settings by dataclasses.replace(recipe, fit={...})."
            )
    else:
        check_build(build, ", or recipe.trainer(), or predictions by (magnification, fold)")
    check_trainings("evaluate_protocol", fit_options, **check)
    if isinstance(build, ModelTrainer):
        return build
    return FitTrainer(build, fit_options, check["seed"], tta=check["tta"])


def _plan(
    part: PublishedPart, val_fraction: float, seed: int, *, case_clean: bool
) -> tuple[dict[Key, Fold], list[str]]:
    """Return the trainings of a published fold by variant, and sentences on those that cannot be made."""

    def fold(train: Dataset, variant: str) -> Fold:
        fitted_on, val = train, None
        if val_fraction > 0:
            train, val = train.split((1 - val_fraction, val_fraction), by="case", seed=seed)
        name = f"{part.magnification}X-fold-{part.fold}-{variant}"
        return Fold(name, f"{part.title}, {variant}", train, val, part.test, fitted_on)

    if lacking := absent_classes(part.train):
        return {}, [f"{part.title}: no training image of {lacking}; left out."]
    official = fold(part.train, OFFICIAL)
    planned = {(part.magnification, part.fold, OFFICIAL): official}
    if not case_clean:
        return planned, []
    rest = part.train_without_test_cases()
    if lacking := absent_classes(rest):
        return planned, [f"{part.title}: without the cases of the test images no training image of {lacking} is left."]
    clean = official if len(rest) == len(part.train) else fold(rest, CASE_CLEAN)
    return {**planned, (part.magnification, part.fold, CASE_CLEAN): clean}, []


def _tabulate(
    parts: Sequence[PublishedPart], predicted: Mapping[Key, Predictions], trainings: Mapping[Key, Fold]
) -> tuple[dict[Key, Predictions], pd.DataFrame]:
    """Return predictions and rates by magnification, fold and variant."""
    found: dict[Key, Predictions] = {}
    rows: dict[Key, dict[str, float]] = {}
    for part in parts:
        official_key, clean_key = ((part.magnification, part.fold, variant) for variant in (OFFICIAL, CASE_CLEAN))
        if official_key not in predicted:
            continue
        official = predicted[official_key]
        # Given predictions may lack some of the test images.
        shared = part.has_training_case[np.isin(image_names(part.test), predicted_names(official))]
        variants = {OFFICIAL: (official, len(part.train), float(shared.mean()))}
        if not shared.all():
            variants[UNSEEN] = (official[~shared], len(part.train), 0.0)
        if clean_key in predicted:
            variants[CASE_CLEAN] = (predicted[clean_key], len(trainings[clean_key].fitted_on), 0.0)
        for variant, (predictions, train_images, fraction) in variants.items():
            key = part.magnification, part.fold, variant
            found[key], scores = predictions, compute_metrics(predictions)
            rows[key] = {
                "train_images": train_images,
                "test_images": len(predictions),
                "shared_case_fraction": fraction,
                **{name: float(scores[name]) for name in SCORES},
            }
    if not rows:
        return found, pd.DataFrame()
    table = pd.DataFrame.from_dict(rows, orient="index").astype({"train_images": np.int64, "test_images": np.int64})
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["magnification", "fold", "variant"])
    return found, table
