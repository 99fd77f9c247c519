"""Simple models beside which any score should be read: a few numbers an image and a classifier of scikit-learn."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.baselines.colour_baseline import colour_numbers, learn_colours
from breastcls.baselines.texture_baseline import learn_forest, learn_svm, texture_numbers
from breastcls.datasets.dataset import Dataset, Unit
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.images.decode import read_image
from breastcls.images.resize import Pixels
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.limitations import few_cases
from breastcls.intervals.score_tables import count_units, score
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.join_predictions import join_predictions
from breastcls.predictions.predictions import Predictions
from breastcls.registry import Registry

Floats = npt.NDArray[np.float64]
Measure = Callable[[Pixels], Floats]
"""From an image uint8 (height, width, 3) to its numbers, float64 (numbers,)."""
Classifier = Callable[[Floats], Floats]
"""From numbers (n, numbers) to probabilities (n, classes present in training, ascending)."""
Learner = Callable[[Floats, Dataset, int], Classifier]
"""From the numbers of the training images, the training set and a seed to a classifier."""
SHOWN = ("accuracy", "balanced_accuracy", "roc_auc", "patient_recognition_rate")


@dataclass(frozen=True)
class Baseline:
    """A simple model.

    Attributes:
        name: What it is registered as.
        summary: What it sees and how it learns, in one sentence, with its paper.
        measure: From an image uint8 (height, width, 3) to its numbers, float64 (numbers,).
        learn: From numbers to a classifier.
    """

    name: str
    summary: str
    measure: Measure
    learn: Learner


BASELINES: Registry[Baseline] = Registry("baseline")
"""Baselines by name, in the order of `list_baselines`."""


def register_baseline(baseline: Baseline) -> Baseline:
    """Make a baseline known by its name, and return it.

    Raises:
        RegistryError: If the name is taken.
    """
    return BASELINES.register(baseline.name, baseline)


def list_baselines() -> tuple[str, ...]:
    """Return the names of all baselines.

    Example:
        >>> list_baselines()
        ('colour', 'texture-svm', 'texture-forest')
    """
    return tuple(BASELINES)


def predict_by_baseline(name: str, train: Dataset, test: Dataset, *, seed: int = 0) -> Predictions:
    """Fit a baseline on `train` and return its predictions of `test`.

    Args:
        name: One of `list_baselines`.
        train: Images to learn from.
        test: Images to judge; the same classes.
        seed: Of what is random in learning.

    Raises:
        RegistryError: If there is no such baseline.
        EvaluationError: If the classes differ, `train` holds images of one class only, or a package is missing.
        SplitError: If it chooses something by case-wise folds and `train` has too few cases of a class for that.
        ImageError: If an image cannot be read.

    Example:
        >>> predict_by_baseline("texture-svm", train, test)  # doctest: +SKIP
    """
    return predict_by_baselines((name,), train, test, seed=seed)[name]


def predict_by_baselines(
    names: Sequence[str], train: Dataset, test: Dataset, *, seed: int = 0
) -> dict[str, Predictions]:
    """Fit several baselines, measuring each image once for all that see the same; see `predict_by_baseline`."""
    if train.classes != test.classes:
        raise EvaluationError(f"`train` has the classes {train.classes}, `test` {test.classes}; they must be the same.")
    chosen = [BASELINES[name] for name in names]
    for_train, for_test = measure_baselines(names, train), measure_baselines(names, test)
    return {one.name: _predict(one, for_train[one.measure], for_test[one.measure], train, test, seed) for one in chosen}


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
        train: Images to learn from.
        test: Images to judge.
        baselines: Names; all by default.
        aggregation: Score by "image", or aggregate the images of each "slide" or "case" first; an `Aggregation` also
            states how.
        bootstrap: How confidence intervals are computed; 2,000 resamples by default.
        seed: Of what is random in learning.

    Returns:
        Index `baseline`; columns `accuracy`, `balanced_accuracy`, `roc_auc` and `patient_recognition_rate`, each also
        with `_low` and `_high`: what `Evaluation.with_sections(baselines=...)` takes.

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
            found = table.loc[metric]
            row |= {metric: found["value"], f"{metric}_low": found["low"], f"{metric}_high": found["high"]}
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(list(predicted), name="baseline"))


def cross_validate_baselines(
    data: Dataset,
    *,
    folds: int = 5,
    by: Unit = "case",
    baselines: Sequence[str] | None = None,
    seed: int = 0,
    measured: Mapping[Measure, Floats] | None = None,
) -> dict[str, Predictions]:
    """Fit and test baselines on the folds that `data.folds(folds, by=by, seed=seed)` makes.

    Args:
        data: All images.
        folds: Number of folds.
        by: What is kept whole; see `Dataset.folds`.
        baselines: Names; all by default.
        seed: Of the folds and of what is random in learning.
        measured: What `measure_baselines` returned for the same images, where several splits are compared.

    Returns:
        By name, the predictions of all test folds in one, in the order of `data`: each image judged once, by a model
        that had not seen it.

    Raises:
        SplitError: If the folds cannot be made.
        EvaluationError: As `predict_by_baseline` does.
    """
    chosen = [BASELINES[name] for name in (list_baselines() if baselines is None else baselines)]
    pairs = data.folds(folds, by=by, seed=seed)
    numbers = measure_baselines([one.name for one in chosen], data) if measured is None else measured
    row_of = {path: row for row, path in enumerate(data.paths)}
    places = [tuple(np.array([row_of[path] for path in part.paths]) for part in pair) for pair in pairs]
    in_order = np.argsort(np.concatenate([outside for _, outside in places]))
    return {
        one.name: join_predictions(
            [
                _predict(one, numbers[one.measure][inside], numbers[one.measure][outside], train, test, seed)
                for (train, test), (inside, outside) in zip(pairs, places, strict=True)
            ]
        )[in_order]
        for one in chosen
    }


def measure_baselines(names: Sequence[str], data: Dataset) -> dict[Measure, Floats]:
    """Return the numbers of every image by what measures them, once for baselines that see the same.

    Raises:
        RegistryError: If there is no such baseline.
        ImageError: If an image cannot be read.
    """
    return {measure: measure_images(measure, data) for measure in {BASELINES[name].measure for name in names}}


def measure_images(measure: Measure, data: Dataset) -> Floats:
    """Read every image and return its numbers, float64 (n, numbers); only these are kept in memory.

    Raises:
        ImageError: If an image cannot be read.
    """
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return np.stack(list(pool.map(lambda path: measure(read_image(path)), data.paths)))


def _predict(
    baseline: Baseline, train_numbers: Floats, test_numbers: Floats, train: Dataset, test: Dataset, seed: int
) -> Predictions:
    present = np.unique(train.labels)
    if len(present) < 2:
        raise EvaluationError(
            f"The training set holds one class only, so the baseline {baseline.name!r} can learn nothing from it."
        )
    probabilities = np.zeros((len(test), len(test.classes)))
    probabilities[:, present] = baseline.learn(train_numbers, train, seed)(test_numbers)
    return predictions_of(test, probabilities)


for _baseline in (
    Baseline(
        "colour",
        "Mean and standard deviation of red, green and blue; logistic regression.",
        colour_numbers,
        learn_colours,
    ),
    Baseline(
        "texture-svm",
        "Texture by PFTAS (Hamilton et al. 2007, DOI 10.1186/1471-2105-8-110), as in the paper of BreakHis (DOI "
        "10.1109/TBME.2015.2496264); support vector machine with an RBF kernel.",
        texture_numbers,
        learn_svm,
    ),
    Baseline(
        "texture-forest",
        "The same texture; random forest (Breiman 2001, DOI 10.1023/A:1010933404324).",
        texture_numbers,
        learn_forest,
    ),
):
    register_baseline(_baseline)
