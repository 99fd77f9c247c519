"""`cross_validate`: train and test on folds, so that every image is predicted once, by a model not fitted on it."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_labelled
from breastcls.datasets.image_rows import Unit
from breastcls.datasets.leakage_report import LeakageReport
from breastcls.errors import LeakageWarning, TrainingError
from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments.cross_validation_result import CrossValidation
from breastcls.experiments.fold import Fold, FoldResult
from breastcls.experiments.fold_folder import FoldFolder, json_settings
from breastcls.experiments.fold_models import build_new_model, check_build, check_trainings, describe_model
from breastcls.experiments.fold_plan import FoldPlan
from breastcls.experiments.fold_pooling import audit_folds, evaluate_folds, pool_predictions
from breastcls.experiments.fold_runner import RunOptions, run_folds
from breastcls.experiments.fold_table import with_folds
from breastcls.experiments.fold_trainer import FitTrainer
from breastcls.experiments.repeated_folds import repeat_folds
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predict import predict
from breastcls.predictions.prediction_fingerprint import fingerprint_table
from breastcls.predictions.predictions import Predictions
from breastcls.training.vector_training import hash_vectors


def cross_validate(
    build: Callable[[], keras.Model],
    data: Dataset,
    *,
    folds: int | Literal["leave-one-out"] = 5,
    by: Unit = "case",
    val_fraction: float = 0.0,
    repeats: int = 1,
    seed: int = 0,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    tta: str | None = None,
    keep_models: bool = False,
    allow_leakage: bool = False,
    bootstrap: Bootstrap | None = None,
    progress: bool = True,
    **fit_options: Any,
) -> CrossValidation:
    """Train a new model on each fold, and predict every image by the one model that was not fitted on it.

    The predictions of all folds are evaluated together, with confidence intervals over all cases, and the mean over
    folds is reported beside each pooled value. A mean over folds weighs folds of few cases like those of many, and its
    spread is no standard error, because the trainings share images; pooling compares predictions of different models.
    With few cases a score can be below chance where nothing was learned: see `breastcls.experiments.permutation_test`.

    Args:
        build: Makes all of an untrained model; called once per fold. A model that starts from other weights than the
            first is refused, since part of it was made outside `build` and has been trained. Random draws in it follow
            from `seed`.
        data: All images.
        folds: Number of folds; or "leave-one-out", where each case, or each value of `by`, is tested by itself.
        by: Unit that is kept whole: "case", or a column such as "centre", of which each case has one value; "slide" or
            "image" leak, which causes a warning and is recorded in the result.
        val_fraction: Share of each training part that is split off by case for validation, on which `fit` chooses the
            best epoch. With 0 the weights of the last epoch are used.
        repeats: Above 1, the cases are divided into folds anew so many times, and the trainings repeated on the first
            folds with as many seeds, 2 x repeats - 1 cross-validations in all: `result.repeated` separates the spread
            of the scores by folds, by seed and by cases. Everything else in the result is of the first one.
        seed: Seed of the folds and, in each fold, of the validation part and the training.
        run_dir: New folder: `fold-1` and so on hold what `fit` writes, the model included, and `predictions.csv`;
            beside them are `cross-validation.json`, `folds.csv`, with `repeats` the folder `repeats`, and at the end
            `predictions.csv` and `result.json`.
        resume: Continue what `run_dir` holds: finished folds are read, an interrupted fold continues from its last
            checkpoint. The result equals that of an uninterrupted run bit for bit on one machine.
        tta: Test-time augmentation; see `predict`.
        keep_models: Keep the models in memory if they are not written to a folder.
        allow_leakage: Continue although folds by case share files, pixels or vectors under several names.
        bootstrap: How confidence intervals are computed; 2,000 resamples by default.
        progress: Whether to show progress on standard error.
        **fit_options: Anything else that `fit` takes: `epochs`, `augment`, `fine_tune`, ... The files of `logging` get
            names of their own for each fold. `stain` may be the name of a normalizer: it is then fitted anew on the
            training part of each fold, see `fit_normalizer`. A normalizer that is fitted already has to come from
            images that are in none of the folds.

    Returns:
        The predictions, their evaluation with the colour-only baseline on the same folds, and the record of each
        training. A threshold in the card of the model from `build` is not used, since it was chosen for other weights.

    Raises:
        DatasetError: If `data` is not a `Dataset`.
        SplitError: If the folds, or the validation parts, cannot be made.
        LeakageError: If folds by case share files, pixels or vectors, or a model from `build` was trained before on a
            case that it is tested on, and `allow_leakage` is not set.
        TrainingError: If an argument is not valid, or `run_dir` holds a cross-validation with other settings, another
            model or other images; the message shows the differences.
        OutputError: If `run_dir` cannot be written to or holds a cross-validation already.
        ImageError: If an image cannot be read.
        KeyboardInterrupt: After Ctrl-C; what was reached is in `run_dir`.

    Warns:
        LeakageWarning: If the folds leak.
        EvaluationWarning: If a class has few cases.

    Example:
        >>> build = lambda: build_model("resnet50", classes=data.classes)  # doctest: +SKIP
        >>> result = cross_validate(build, data, val_fraction=0.15, run_dir="runs/cv", epochs=30)  # doctest: +SKIP
        >>> print(result)  # doctest: +SKIP
    """
    require_labelled("data", data, "Cross-validation")
    check_build(build)
    if repeats > 1 and isinstance(folds, str):
        raise TrainingError(f"folds={folds!r} are the same for every seed; leave repeats= out.")
    check_trainings(
        "cross_validate",
        fit_options,
        val_fraction=val_fraction,
        seed=seed,
        run_dir=run_dir,
        resume=resume,
        tta=tta,
    )
    check_count("repeats", repeats, error=TrainingError)
    settings = json_settings(
        {"folds": folds, "by": by, "val_fraction": val_fraction, "seed": seed, "tta": tta, "fit": fit_options}
    )
    if data.vector_rows is not None:
        settings["vectors_sha256"] = hash_vectors(data)
    # Before any training: data that cannot be split, or that leaks, is reported now and not in the last fold.
    plan = FoldPlan(folds, by, seed, val_fraction)
    parts, fold_of = plan.divide(data)
    leakage = audit_folds(parts)
    leakage.raise_if_leaking(allowed=allow_leakage or plan.divides_cases)
    if not leakage.clean:
        warnings.warn(f"Folds by {by} cause a leak. {leakage}", LeakageWarning, stacklevel=2)
    folder = None if run_dir is None else FoldFolder(run_dir, settings, data, fold_of, resume=resume)
    if folder is not None and folder.model is not None:
        # Also where every fold is finished: the results that are read are those that this call would give.
        folder.note_model(describe_model(build_new_model(build, seed)))
    described: dict[str, Any] = {}

    def describe(model: keras.Model) -> None:
        described.update(describe_model(model))
        if folder is not None:
            folder.note_model(described)

    models: list[Any] = []

    def test_and_keep(model: keras.Model, fold: Fold) -> Predictions:
        models.append(model)
        return predict(model, fold.test, tta=tta, batch_size=trainer.batch_size)

    trainer = FitTrainer(build, fit_options, seed, tta=tta, allow_leakage=allow_leakage, on_build=describe)
    results = run_folds(
        parts,
        trainer,
        RunOptions(seed, None if folder is None else folder.path, resume, progress),
        finished=folder,
        test_model=test_and_keep if keep_models and folder is None else None,
    )
    if folder is not None:
        models, described = [folder.path / fold.name / "model.keras" for fold in parts], folder.model or {}

    pooled = pool_predictions(results, data)
    evaluation = _evaluate(results, data, leakage, plan, settings, described, bootstrap)

    def run_again(name: str, fold_seed: int, training_seed: int) -> tuple[Predictions, np.ndarray]:
        again, again_of = dataclasses.replace(plan, seed=fold_seed).divide(data)
        inside = None
        if folder is not None:
            noted = {**settings, "seed": [fold_seed, training_seed]}
            inside = FoldFolder(folder.path / "repeats" / name, noted, data, again_of, resume=resume)
        trainer = FitTrainer(build, fit_options, training_seed, tta=tta, allow_leakage=allow_leakage)
        options = RunOptions(training_seed, None if inside is None else inside.path, resume, progress)
        return pool_predictions(run_folds(again, trainer, options, finished=inside), data), again_of

    result = CrossValidation(
        predictions=pooled,
        evaluation=with_folds(evaluation, pooled, fold_of),
        repeated=None
        if repeats == 1
        else repeat_folds((pooled, fold_of), run_again, repeats, seed, bootstrap or Bootstrap()),
        runs=tuple(result.run for result in results if result.run is not None),
        fold_of=fold_of,
        by=by,
        folds=len(parts),
        seed=seed,
        settings=settings,
        models=tuple(models),
        run_dir=None if folder is None else folder.path,
    )
    if folder is not None:
        pooled.to_csv(folder.path / "predictions.csv")
        result.to_json(folder.path / "result.json")
    return result


def _evaluate(
    results: Sequence[FoldResult],
    data: Dataset,
    leakage: LeakageReport,
    plan: FoldPlan,
    settings: Mapping[str, Any],
    model: Mapping[str, Any],
    bootstrap: Bootstrap | None,
) -> Evaluation:
    divided = (f"The folds keep each {plan.by} whole, but not each case.",) if plan.divides_cases else ()
    evaluation = evaluate_folds(results, leakage, model, data=data, leak_limitations=divided, bootstrap=bootstrap)
    return dataclasses.replace(
        evaluation,
        settings={**evaluation.settings, "cross_validation": {"folds": plan.folds, "by": plan.by, "seed": plan.seed}}
        | ({} if settings["tta"] is None else {"tta": settings["tta"]}),
        fingerprints={**evaluation.fingerprints, "test_table": fingerprint_table(data)},
    )
