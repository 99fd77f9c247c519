"""Baselines fitted, tested and scored like any model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from breastcls.baselines.baseline import Baseline
from breastcls.baselines.baseline_registry import BASELINES, list_baselines
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.image_rows import Unit
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.images.image_features import FeatureExtractor, Features, compute_image_features
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.limitations import few_cases
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.score_tables import count_units, score, wide_score
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.join_predictions import join_predictions
from breastcls.predictions.predictions import Predictions

SHOWN = ("accuracy", "balanced_accuracy", "roc_auc", "patient_recognition_rate")


def predict_by_baseline(name: str, train: Dataset, test: Dataset, *, seed: int = 0) -> Predictions:
    """Fit a baseline on `train` and return its predictions of `test`.

    Args:
        name: One of `list_baselines`.
        train: Training images.
        test: Test images; the same classes.
        seed: Of the random draws in fitting.

    Raises:
        RegistryError: If there is no such baseline.
        EvaluationError: If the classes differ, `train` holds images of one class only, or a package is missing.
        SplitError: If it chooses hyperparameters by case-wise folds and `train` has fewer than two cases of a class.
        ImageError: If an image cannot be read.

    Example:
        >>> predict_by_baseline("texture-svm", train, test)  # doctest: +SKIP
    """
    return predict_by_baselines((name,), train, test, seed=seed)[name]


def predict_by_baselines(
    names: Sequence[str], train: Dataset, test: Dataset, *, seed: int = 0
) -> dict[str, Predictions]:
    """Fit several baselines, computing shared features once; see `predict_by_baseline`."""
    if train.classes != test.classes:
        raise EvaluationError(f"`train` has the classes {train.classes}, `test` {test.classes}; they must be the same.")
    chosen = [BASELINES[name] for name in names]
    for_train, for_test = compute_baseline_features(names, train), compute_baseline_features(names, test)
    return {one.name: _predict(one, for_train[one.extract], for_test[one.extract], train, test, seed) for one in chosen}


def score_baselines(
    train: Dataset,
    test: Dataset,
    *,
    baselines: Sequence[str] | None = None,
    aggregation: Aggregation | Level = "image",
    bootstrap: Bootstrap | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Fit baselines on `train` and score them on `test`, one row each.

    Args:
        train: Training images.
        test: Test images.
        baselines: Names; all by default.
        aggregation: Score by "image", or aggregate the images of each "slide" or "case" first; an `Aggregation` also
            states how.
        bootstrap: How confidence intervals are computed; 2,000 resamples by default.
        seed: Of the random draws in fitting.

    Returns:
        Index `baseline`; columns `accuracy`, `balanced_accuracy`, `roc_auc` and `patient_recognition_rate`, each also
        with `_low`, `_high` and `_reason`: what `Evaluation.with_sections(baselines=...)` takes.

    Raises:
        EvaluationError: As `predict_by_baseline` does.

    Warns:
        EvaluationWarning: If a class is scored on fewer than five cases.

    Example:
        >>> result = result.with_sections(baselines=score_baselines(train, test))  # doctest: +SKIP
    """
    names = list_baselines() if baselines is None else tuple(baselines)
    found = predict_by_baselines(names, train, test, seed=seed)
    scored = {name: one.aggregate(aggregation) for name, one in found.items()}
    for one in list(scored.values())[:1]:  # all are of the same images
        for message in few_cases(count_units(one)):
            warnings.warn(message, EvaluationWarning, stacklevel=2)
    return tabulate_baselines(scored, bootstrap)


def tabulate_baselines(predicted: dict[str, Predictions], bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Score predictions of several baselines, one row each; see `score_baselines`."""
    rows = []
    for one in predicted.values():
        table = score(one, CaseStatistics.of(one), bootstrap or Bootstrap())
        row: dict[str, Any] = {}
        for metric in SHOWN:
            row |= wide_score(metric, table.loc[metric])
        rows.append(row)
    return PrintedTable(rows, index=pd.Index(list(predicted), name="baseline"))


def cross_validate_baselines(
    data: Dataset,
    *,
    folds: int = 5,
    by: Unit = "case",
    baselines: Sequence[str] | None = None,
    seed: int = 0,
    features: Mapping[FeatureExtractor, Features] | None = None,
) -> dict[str, Predictions]:
    """Fit and test baselines on the folds that `data.folds(folds, by=by, seed=seed)` makes.

    Args:
        data: All images.
        folds: Number of folds.
        by: What is kept whole; see `Dataset.folds`.
        baselines: Names; all by default.
        seed: Of the folds and of the random draws in fitting.
        features: Features that were computed before for the same images, where several splits share them; by default
            they are computed.

    Returns:
        By name, the predictions of all test folds in one, in the order of `data`: each image is predicted once, by
        a model that was not trained on it.

    Raises:
        SplitError: If the folds cannot be made.
        EvaluationError: As `predict_by_baseline` does.
    """
    chosen = [BASELINES[name] for name in (list_baselines() if baselines is None else baselines)]
    pairs = data.folds(folds, by=by, seed=seed)
    if features is None:
        features = compute_baseline_features([one.name for one in chosen], data)
    row_of = {path: row for row, path in enumerate(data.paths)}
    in_order = np.argsort([row_of[path] for _, test in pairs for path in test.paths])
    return {name: pooled[in_order] for name, pooled in _predict_folds(chosen, pairs, features, row_of, seed).items()}


def predict_folds_by_baselines(
    names: Sequence[str], folds: Sequence[tuple[Dataset, Dataset]], *, seed: int = 0
) -> dict[str, Predictions]:
    """Fit and test baselines on given folds; the features of each image are computed once.

    Args:
        names: Some of `list_baselines`.
        folds: Training and test images of each fold; no image is in two test parts.
        seed: Of the random draws in fitting.

    Returns:
        By name, the predictions of all test parts in one, in the order of the folds.

    Raises:
        EvaluationError: As `predict_by_baseline` does.
        ImageError: If an image cannot be read.
    """
    chosen = [BASELINES[name] for name in names]
    for fold in folds:
        for part in fold:
            part.require_images("A baseline of pixels")
    paths = list(dict.fromkeys(path for fold in folds for part in fold for path in part.paths))
    features = {extract: compute_image_features(extract, paths) for extract in {one.extract for one in chosen}}
    return _predict_folds(chosen, folds, features, {path: row for row, path in enumerate(paths)}, seed)


def _predict_folds(
    baselines: Sequence[Baseline],
    folds: Sequence[tuple[Dataset, Dataset]],
    features: Mapping[FeatureExtractor, Features],
    row_of: Mapping[str, int],
    seed: int,
) -> dict[str, Predictions]:
    rows = [tuple(np.array([row_of[path] for path in part.paths]) for part in fold) for fold in folds]
    return {
        one.name: join_predictions(
            [
                _predict(one, features[one.extract][inside], features[one.extract][outside], train, test, seed)
                for (train, test), (inside, outside) in zip(folds, rows, strict=True)
            ]
        )
        for one in baselines
    }


def compute_baseline_features(names: Sequence[str], data: Dataset) -> dict[FeatureExtractor, Features]:
    """Return the features of every image by their extractor, computed once for baselines that share it.

    Raises:
        RegistryError: If there is no such baseline.
        ImageError: If an image cannot be read.
    """
    data.require_images("A baseline of pixels")
    extractors = {BASELINES[name].extract for name in names}
    return {extract: compute_image_features(extract, data.paths) for extract in extractors}


def _predict(
    baseline: Baseline, train_features: Features, test_features: Features, train: Dataset, test: Dataset, seed: int
) -> Predictions:
    present = np.unique(train.labels)
    if len(present) < 2:
        raise EvaluationError(
            f"The training set holds one class only, so the baseline {baseline.name!r} cannot be fitted on it."
        )
    probabilities = np.zeros((len(test), len(test.classes)))
    probabilities[:, present] = baseline.fit(train_features, train, seed)(test_features)
    return predictions_of(test, probabilities)
