"""`evaluate_protocol`: the protocol of the BreakHis paper in full, beside the same without shared cases.

Spanhol et al. 2016, DOI 10.1109/TBME.2015.2496264: one magnification at a time, mean and standard deviation over the
five published folds, of the share of images decided rightly and of the mean of that share over the slides. The folds
keep slides apart, but not the slides of one case.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.datasets.breakhis import parse_breakhis_name
from breastcls.datasets.dataset import Dataset, require_dataset
from breastcls.datasets.published_folds import list_folds, read_fold
from breastcls.environment import describe_environment
from breastcls.errors import TrainingError
from breastcls.experiments.fold_folder import plain_settings
from breastcls.experiments.fold_models import check_build, check_trainings
from breastcls.experiments.fold_training import FoldPart, FoldTraining, Trains
from breastcls.experiments.protocol_result import CASE_CLEAN, FIGURES, OFFICIAL, UNSEEN, ProtocolResult
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.predictions import Predictions

FoldFiles = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Foreign = Mapping[tuple[int, int], Predictions]
_NAMED = 3


def evaluate_protocol(
    build: Callable[[], keras.Model] | Trains | Foreign,
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
    """Train and test as the authors of BreakHis prescribe, and once more without the cases that stand on both sides.

    Beside the published folds stand, on the same test images: the same decisions on those alone whose case is not in
    training; and a model trained anew without any image of a case of the test images. It runs on an incomplete copy of
    the set too, and names what is missing.

    Args:
        build: Makes an untrained model; called once a training. Or a recipe with its own settings:
            `bc.experiments.find_recipe("small-cpu").trainer(weights=...)`. Or the predictions of a model of any
            framework, by `(magnification, fold)`, with the paths of the images.
        data: The images, under their official names; see `load_breakhis`.
        fold_files: `dsfold1.txt` ... `dsfold5.txt`, the folder that holds them, or the `Folds.csv` of the Kaggle copy.
        magnifications: Some of 40, 100, 200, 400; all that the data holds by default.
        case_clean: Whether to train anew without the shared cases; it doubles the time.
        val_fraction: Share of each training part, split off by case, by which `fit` chooses the best epoch.
        seed: From which models, validation parts and trainings follow.
        run_dir: Folder with one run a training.
        resume: Go on with what `run_dir` holds.
        tta: Test-time augmentation, as in `predict`; a recipe brings its own.
        progress: Whether to show progress on standard error.
        **fit_options: What else `fit` takes; a recipe brings its own. The files of `logging` get a name of their own
            for each training. `stain` may be the name of a normalizer, which is fitted anew on each training part.

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
        >>> found = evaluate_protocol(build, data, "breakhis_folds", epochs=20)  # doctest: +SKIP
        >>> print(found.to_markdown())  # doctest: +SKIP
    """
    began = time.perf_counter()
    require_dataset("data", data)
    judge: FoldTraining | Foreign
    if isinstance(build, Mapping):
        _check_idle(fit_options, {"val_fraction": val_fraction, "run_dir": run_dir, "resume": resume, "tta": tta})
        judge = build
    else:
        judge = _plan(build, val_fraction, seed, run_dir, resume, tta, progress, fit_options)
    folds = read_folds(fold_files)
    wanted = _check_magnifications(data, magnifications)
    parts, missing = _cut(data, folds, wanted)
    # A picture that stands under two names was kept under one of them, and the other is missing.
    missing += data.notes
    predicted: dict[tuple[int, int, str], Predictions] = {}
    rows: dict[tuple[int, int, str], dict[str, float]] = {}
    for part in parts:
        known = np.isin(part.test.cases.astype(str), np.unique(part.train.cases.astype(str)))
        if isinstance(judge, FoldTraining):
            if lacking := _lacking(part.train):
                missing.append(f"{part.name}: no image of {lacking} to learn from; left out.")
                continue
            one = judge.judge(part, part.train, OFFICIAL)
        else:
            taken, absent = _take(judge, part)
            missing += absent
            if taken is None:
                continue
            one = taken
            known = known[np.isin(_names(part.test), _names_of(one))]
        sides: dict[str, tuple[Predictions, int, float]] = {OFFICIAL: (one, len(part.train), float(known.mean()))}
        if not known.all():
            sides[UNSEEN] = (one[~known], len(part.train), 0.0)
        if case_clean and isinstance(judge, FoldTraining):
            clean = part.train[~np.isin(part.train.cases.astype(str), np.unique(part.test.cases.astype(str)))]
            if lacking := _lacking(clean):
                missing.append(f"{part.name}: without the cases of the test images no {lacking} is left to learn from.")
            elif len(clean) == len(part.train):
                sides[CASE_CLEAN] = sides[OFFICIAL]
            else:
                again = judge.judge(part, clean, CASE_CLEAN)
                sides[CASE_CLEAN] = (again, len(clean), 0.0)
        for side, (judged, train_images, share) in sides.items():
            key = part.magnification, part.fold, side
            predicted[key], figures = judged, compute_metrics(judged)
            rows[key] = {
                "train_images": train_images,
                "test_images": len(judged),
                "known_share": share,
                **{figure: float(figures[figure]) for figure in FIGURES},
            }
    if not rows:
        raise TrainingError("No fold can be evaluated.\n" + "\n".join(missing))
    table = pd.DataFrame.from_dict(rows, orient="index").astype({"train_images": np.int64, "test_images": np.int64})
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["magnification", "fold", "side"])
    return ProtocolResult(
        by_fold=table,
        missing=tuple(missing),
        predictions=predicted,
        settings={
            "seed": seed,
            "val_fraction": val_fraction,
            "tta": build.tta if isinstance(build, Trains) else tta,
            "foreign": not isinstance(judge, FoldTraining),
            "trainer": build.name if isinstance(build, Trains) else None,
            "fit": plain_settings(fit_options),
        },
        environment=describe_environment(),
        seconds=time.perf_counter() - began,
    )


def read_folds(fold_files: FoldFiles) -> dict[int, dict[str, str]]:
    """Return for each fold by number which file name is "train" and which "test".

    Raises:
        SplitError: If a file cannot be read or has another form.
        TrainingError: If there is none, or two files hold the same fold.
    """
    if isinstance(fold_files, (str, os.PathLike)):
        folder = Path(fold_files)
        files = sorted(folder.glob("dsfold*.txt")) if folder.is_dir() else [folder]
    else:
        files = [Path(file) for file in fold_files]
    folds: dict[int, dict[str, str]] = {}
    for file in files:
        for fold in list_folds(file):
            if fold in folds:
                raise TrainingError(f"fold_files: {file} holds fold {fold}, and so does a file before it.")
            folds[fold] = read_fold(file, fold)
    if not folds:
        raise TrainingError(f"There is no fold file in {fold_files}: expected dsfold1.txt and so on, or Folds.csv.")
    return dict(sorted(folds.items()))


def _check_idle(fit_options: Mapping[str, Any], others: Mapping[str, Any]) -> None:
    """Refuse what would have no effect where predictions are given."""
    given = [*fit_options, *(name for name, value in others.items() if value)]
    if given:
        raise TrainingError(
            f"Predictions were given, so that nothing is trained and {', '.join(given)} would have no effect. Leave "
            "that out."
        )


def _plan(
    build: Any,
    val_fraction: float,
    seed: int,
    run_dir: str | os.PathLike[str] | None,
    resume: bool,
    tta: str | None,
    progress: bool,
    options: Mapping[str, Any],
) -> FoldTraining:
    """Check what a training needs, whoever trains."""
    own = isinstance(build, Trains)
    if own and (idle := [*options, *(["tta"] if tta is not None else [])]):
        raise TrainingError(
            f"{build.name} brings its own settings; found {', '.join(idle)}. Leave them out, or make a recipe with "
            "other settings by dataclasses.replace(recipe, fit={...})."
        )
    if not own:
        check_build(build, ", or recipe.trainer(), or predictions by (magnification, fold)")
    check_trainings(
        "evaluate_protocol",
        options,
        val_fraction=val_fraction,
        seed=seed,
        run_dir=run_dir,
        resume=resume,
        tta=tta,
    )
    folder = None if run_dir is None else Path(run_dir)
    return FoldTraining(build, val_fraction, seed, folder, resume, tta, progress, options)


def _check_magnifications(data: Dataset, magnifications: Sequence[int] | None) -> tuple[int, ...]:
    column = data.table["magnification"]
    if column.isna().any():
        raise TrainingError(
            f"The magnification of {int(column.isna().sum())} of {len(data)} images is not known; the protocol takes "
            "one at a time. `load_breakhis` reads it from the file names."
        )
    there = sorted(int(value) for value in column.unique())
    wanted = there if magnifications is None else sorted({int(value) for value in magnifications})
    absent = [value for value in wanted if value not in there]
    if absent or not wanted:
        raise TrainingError(f"magnifications is {magnifications!r}, but the data holds {there}.")
    return tuple(wanted)


def _cut(
    data: Dataset, folds: Mapping[int, Mapping[str, str]], magnifications: Sequence[int]
) -> tuple[list[FoldPart], list[str]]:
    """Return the folds at each magnification, and what is missing in sentences."""
    names, of_image = _names(data), data.table["magnification"].to_numpy(dtype=np.int64)
    listed: dict[int, set[str]] = {}
    for name in sorted(set().union(*folds.values())):
        parsed = parse_breakhis_name(name)
        listed.setdefault(-1 if parsed is None else parsed.magnification, set()).add(name)
    missing = [
        f"{magnification}X: no image is there, of {len(listed[magnification])} listed."
        for magnification in sorted(listed)
        if magnification > 0 and magnification not in of_image
    ]
    parts = []
    for magnification in magnifications:
        here = of_image == magnification
        absent = sorted(listed.get(magnification, set()) - set(names[here]))
        if absent:
            first = ", ".join(absent[:_NAMED])
            missing.append(
                f"{magnification}X: {len(absent)} of {len(listed[magnification])} listed images are not there, such as "
                f"{first}."
            )
        unlisted = int(here.sum()) - int(np.isin(names[here], list(listed.get(magnification, ()))).sum())
        if unlisted:
            missing.append(f"{magnification}X: {unlisted} images are in no fold file, and are left out.")
        for fold, groups in folds.items():
            group = np.array([groups.get(name, "") for name in names])
            train, test = data[here & (group == "train")], data[here & (group == "test")]
            part = FoldPart(magnification, fold, train, test)
            if len(test) == 0:
                missing.append(f"{part.name}: no test image; left out.")
                continue
            if lacking := _lacking(test):
                missing.append(f"{part.name}: no test image of {lacking}; its rates are of the other images alone.")
            parts.append(part)
    return parts, missing


def _take(predictions: Foreign, part: FoldPart) -> tuple[Predictions | None, list[str]]:
    """Return the given predictions of a fold in the order of its test images, and what is missing of them."""
    given = predictions.get((part.magnification, part.fold))
    if given is None:
        return None, [f"{part.name}: no predictions were given."]
    wanted, found = _names(part.test), _names_of(given)
    row_of = {name: row for row, name in enumerate(found)}
    extra = sorted(set(row_of) - set(wanted))
    if extra or len(row_of) < len(found) or given.classes != part.test.classes:
        raise TrainingError(
            f"The predictions of {part.name} are not of its test images: {len(extra)} others such as "
            f"{', '.join(extra[:_NAMED]) or 'none'}, {len(found) - len(row_of)} twice, classes {given.classes} for "
            f"{part.test.classes}."
        )
    kept = [name for name in wanted if name in row_of]
    if not kept:
        return None, [f"{part.name}: no predictions were given."]
    rows = np.array([row_of[name] for name in kept])
    if not np.array_equal(given.labels[rows], part.test.labels[np.isin(wanted, kept)]):
        raise TrainingError(f"The predictions of {part.name} have other labels than its test images.")
    less = len(wanted) - len(kept)
    return given[rows], [f"{part.name}: {less} of {len(wanted)} test images have no prediction."] if less else []


def _lacking(data: Dataset) -> str:
    """Return the classes of which there is no image, as text."""
    return ", ".join(name for index, name in enumerate(data.classes) if index not in set(data.labels.tolist()))


def _names(data: Dataset) -> npt.NDArray[np.object_]:
    return np.array([Path(path).name for path in data.paths], dtype=object)


def _names_of(predictions: Predictions) -> npt.NDArray[np.object_]:
    if predictions.paths is None:
        raise TrainingError("Predictions of the protocol need the paths or names of their images: give `paths`.")
    return np.array([str(path).replace("\\", "/").rsplit("/", 1)[-1] for path in predictions.paths], dtype=object)
