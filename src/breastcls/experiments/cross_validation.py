"""`cross_validate`: train and test on folds, so that every image is judged once by a model that had not seen it."""

from __future__ import annotations

import dataclasses
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from breastcls.baselines.baseline_registry import cross_validate_baselines
from breastcls.baselines.colour_baseline import score_beside_colour
from breastcls.datasets.dataset import Dataset, Unit, require_dataset
from breastcls.datasets.leakage import LeakageReport, audit_leakage, join_reports
from breastcls.errors import LeakageWarning, TrainingError
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments.cross_validation_result import CrossValidation
from breastcls.experiments.fold_folder import FoldFolder, plain_settings
from breastcls.experiments.fold_models import FreshModels, build_afresh, check_build, check_trainings, options_of
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import LEAKING
from breastcls.models.model_card import get_card
from breastcls.models.weight_hash import fingerprint_weights
from breastcls.predictions.join_predictions import join_predictions
from breastcls.predictions.predict import predict
from breastcls.predictions.prediction_fingerprint import fingerprint_table
from breastcls.predictions.predictions import Predictions
from breastcls.training.fit import fit
from breastcls.training.run import Run


@dataclasses.dataclass(frozen=True)
class _Fold:
    """What one fold learns from, chooses by and is judged on."""

    number: int
    train: Dataset
    val: Dataset | None
    test: Dataset
    leakage: LeakageReport


def cross_validate(
    build: Callable[[], keras.Model],
    data: Dataset,
    *,
    folds: int = 5,
    by: Unit = "case",
    val_fraction: float = 0.0,
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
    """Train a model anew on each fold and judge every image by the one model that had not seen it.

    The predictions of all folds are scored together, with intervals over all cases. A mean over folds would weigh folds
    of few cases like those of many, and its spread is no standard error, because the trainings share images.

    Args:
        build: Makes all of an untrained model; called once a fold, and refused if it begins with other weights then,
            since part of it was made outside and has been trained. Random draws in it follow from `seed`.
        data: All images.
        folds: Number of folds.
        by: What is kept whole: "case"; "slide" or "image" leak, which is warned of and written into the result.
        val_fraction: Share of each training part, split off by case, by which `fit` chooses the best epoch. 0: none,
            and the last epoch counts.
        seed: From which the folds and, in each fold, the validation part and the training follow.
        run_dir: New folder: `fold-1` and so on hold what `fit` writes, the model included, and `predictions.csv`;
            beside them `cross-validation.json`, `folds.csv`, and at the end `predictions.csv` and `result.json`.
        resume: Go on with what `run_dir` holds: finished folds are read, a fold that was cut off goes on from its last
            checkpoint. The result equals that of an undisturbed run bit for bit on one machine.
        tta: Test-time augmentation; see `predict`.
        keep_models: Keep the models in memory where they are not written to a folder.
        allow_leakage: Go on although folds by case share files or pictures under several names.
        bootstrap: How confidence intervals are computed; 2,000 resamples by default.
        progress: Whether to show progress on standard error.
        **fit_options: Anything else that `fit` takes: `epochs`, `augment`, `fine_tune`, ... The files of
            `logging` get a name of their own for each fold. `stain` may be the name of a normalizer: it is then fitted
            anew on the training part of each fold, see `fit_normalizer`. A normalizer that is fitted already has to
            come from images that are in none of the folds.

    Returns:
        The predictions, their evaluation beside what colour alone reaches on the same folds, and the record of each
        training. A threshold that `build` put into the model's card is not used, since it was chosen for other weights.

    Raises:
        DatasetError: If `data` is not a `Dataset`.
        SplitError: If the folds, or the validation parts, cannot be made.
        LeakageError: If folds by case share files or pictures, or a model of `build` was trained on a case before that
            it is to be judged on, and it was not allowed.
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
    require_dataset("data", data)
    check_build(build)
    check_trainings(
        "cross_validate",
        fit_options,
        val_fraction=val_fraction,
        seed=seed,
        run_dir=run_dir,
        resume=resume,
        tta=tta,
    )
    settings = plain_settings(
        {"folds": folds, "by": by, "val_fraction": val_fraction, "seed": seed, "tta": tta, "fit": fit_options}
    )
    # Before anything is trained: whatever cannot be split, or leaks, is better known now than in the last fold.
    parts, fold_of = _make_folds(data, folds, by, val_fraction, seed)
    leakage = join_reports([part.leakage for part in parts])
    leakage.raise_if_leaking(allowed=allow_leakage or by != "case")
    if not leakage.clean:
        warnings.warn(f"Folds by {by} leak. {leakage}", LeakageWarning, stacklevel=2)
    folder = None if run_dir is None else FoldFolder(run_dir, settings, data, fold_of, resume=resume)
    if folder is not None and folder.model is not None:
        # Also where every fold is finished: what is read is what this call would have given.
        folder.note_model(_describe(build_afresh(build, seed)))
    fresh = FreshModels(build, seed, allow_leakage=allow_leakage)
    fitting = {**fit_options, "seed": seed, "allow_leakage": allow_leakage, "progress": progress}

    scored: list[Predictions] = []
    runs: list[Run] = []
    models: list[Any] = []
    described: Mapping[str, Any] = {}
    for part in parts:
        finished = None if folder is None else folder.read_finished(part.number, part.test)
        if finished is None:
            if progress:
                _tell(part, folds)
            model = fresh.make(part.test)
            described = _describe(model)
            if folder is not None:
                folder.note_model(described)
            run = _train(model, part, folder, fitting)
            predictions = predict(model, part.test, tta=tta, batch_size=fit_options.get("batch_size", 32))
            finished = predictions.with_threshold(None), run
            if folder is not None:
                folder.finish(part.number, finished[0])
            elif keep_models:
                models.append(model)
            del model  # Two are never in memory at once, unless they are kept.
        scored.append(finished[0])
        runs.append(finished[1])
    if folder is not None:
        models, described = [folder.fold(part.number) / "model.keras" for part in parts], folder.model or {}

    pooled = join_predictions(scored)
    pooled = pooled[np.argsort(np.concatenate([np.flatnonzero(fold_of == part.number) for part in parts]))]
    evaluation = _evaluate(pooled, data, leakage, settings, described, bootstrap or Bootstrap())
    result = CrossValidation(
        predictions=pooled,
        evaluation=evaluation,
        runs=tuple(runs),
        fold_of=fold_of,
        by=by,
        folds=folds,
        seed=seed,
        settings=settings,
        models=tuple(models),
        run_dir=None if folder is None else folder.path,
    )
    if folder is not None:
        pooled.to_csv(folder.path / "predictions.csv")
        result.to_json(folder.path / "result.json")
    return result


def _make_folds(
    data: Dataset, folds: int, by: Unit, val_fraction: float, seed: int
) -> tuple[tuple[_Fold, ...], np.ndarray]:
    """Split, and say in which fold, from 1 on, each image is judged."""
    row_of = {path: row for row, path in enumerate(data.paths)}
    if len(row_of) < len(data):
        raise TrainingError(
            f"{len(data) - len(row_of)} of {len(data)} rows name a file that another row names too; each image must "
            "stand in the data once, so that it is judged once."
        )
    fold_of = np.zeros(len(data), dtype=np.int64)
    parts = []
    with warnings.catch_warnings():
        # The leak itself is audited, and told once, with how much it is.
        warnings.simplefilter("ignore", LeakageWarning)
        pairs = data.folds(folds, by=by, seed=seed)
    for number, (rest, test) in enumerate(pairs, start=1):
        fold_of[[row_of[path] for path in test.paths]] = number
        train, val = rest, None
        if val_fraction > 0:
            train, val = rest.split((1 - val_fraction, val_fraction), by="case", seed=seed)
        parts.append(_Fold(number, train, val, test, audit_leakage(rest, test)))
    return tuple(parts), fold_of


def _train(model: keras.Model, part: _Fold, folder: FoldFolder | None, options: Mapping[str, Any]) -> Run:
    chosen = options_of(options, f"fold-{part.number}")
    if folder is not None:
        chosen |= {"run_dir": folder.fold(part.number), "resume": folder.is_begun(part.number)}
    run = fit(model, part.train, part.val, **chosen)
    if run.stopped == "interrupted":
        go_on = "" if folder is None else f" cross_validate(..., run_dir={str(folder.path)!r}, resume=True) goes on."
        raise KeyboardInterrupt(f"Interrupted in fold {part.number}.{go_on}")
    return run


def _describe(model: keras.Model) -> dict[str, Any]:
    """Return what makes a model the same in every fold: its card, less what is of one training, size and weights."""
    card = get_card(model)
    known = {} if card is None else card.to_dict()
    for name in ("provenance", "threshold", "temperature", "version", "schema"):
        known.pop(name, None)
    return {**known, "parameters": int(model.count_params()), "begins_with": fingerprint_weights(model)}


def _evaluate(
    pooled: Predictions,
    data: Dataset,
    leakage: LeakageReport,
    settings: Mapping[str, Any],
    model: Mapping[str, Any],
    bootstrap: Bootstrap,
) -> Evaluation:
    folds, by, seed = settings["folds"], settings["by"], settings["seed"]
    evaluation = evaluate(pooled, bootstrap=bootstrap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakageWarning)  # told already
        by_colour = cross_validate_baselines(data, folds=folds, by=by, baselines=("colour",), seed=seed)["colour"]
    colour_baseline, colour_difference = score_beside_colour(pooled, by_colour, bootstrap)
    limitations = evaluation.limitations
    if not leakage.clean:
        torn = () if by == "case" else (f"The folds keep each {by} whole, but not each case.",)
        limitations = (LEAKING, *torn, *limitations)
    return dataclasses.replace(
        evaluation,
        colour_baseline=colour_baseline,
        colour_difference=colour_difference,
        leakage=leakage,
        leak_allowed=not leakage.clean,
        limitations=limitations,
        model=model,
        settings={**evaluation.settings, "cross_validation": {"folds": folds, "by": by, "seed": seed}}
        | ({} if settings["tta"] is None else {"tta": settings["tta"]}),
        fingerprints={**evaluation.fingerprints, "test_table": fingerprint_table(data)},
    )


def _tell(part: _Fold, folds: int) -> None:
    chosen = "" if part.val is None else f", {len(part.val)} to choose by"
    print(
        f"Fold {part.number} of {folds}: {len(part.train)} images to learn from{chosen}, {len(part.test)} to judge",
        file=sys.stderr,
    )
