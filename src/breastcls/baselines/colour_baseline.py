"""What a model that sees only colour would have scored on the same split.

Staining differs between laboratories, days and slides, and so between cases. Six numbers an image (mean and standard
deviation of red, green and blue) with a logistic regression know nothing of tissue; what they reach is what the split
gives away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from breastcls.datasets.dataset import Dataset
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.paired_scores import score_against
from breastcls.intervals.score_tables import score
from breastcls.metrics.classification_metrics import METRICS
from breastcls.predictions.predictions import Predictions


def colour_numbers(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return mean and standard deviation of red, green and blue, float64 (6,), of an image uint8 (h, w, 3).

    Example:
        >>> colour_numbers(np.full((2, 2, 3), (200, 100, 50), np.uint8)).tolist()
        [200.0, 100.0, 50.0, 0.0, 0.0, 0.0]
    """
    pixels = image.reshape(-1, 3)
    return np.concatenate([pixels.mean(axis=0, dtype=np.float64), pixels.std(axis=0, dtype=np.float64)])


def predict_by_colour(train: Dataset, test: Dataset) -> Predictions:
    """Fit the colour-only model on `train` and return its predictions of `test`.

    Args:
        train: Images to learn from.
        test: Images to judge; the same classes.

    Raises:
        EvaluationError: If the classes differ, or `train` holds images of one class only.
        ImageError: If an image cannot be read.
    """
    from breastcls.baselines.baseline_registry import predict_by_baseline

    return predict_by_baseline("colour", train, test)


def score_beside_colour(
    scored: Predictions, by_colour: Predictions, bootstrap: Bootstrap
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score colour alone, and how far a model lies from it; the same cases are drawn for both.

    Args:
        scored: The model's predictions, at the level that is scored.
        by_colour: Those of colour alone, of the same images, slides or cases in the same order.
        bootstrap: How intervals are made.

    Returns:
        The metrics of colour alone, and those of the model less these; index metric, columns `value`, `low`, `high`.

    Raises:
        EvaluationError: If a true class is not known, or the predictions are not of the same images.
    """
    if scored.cases is None:
        scored = dataclasses.replace(scored, cases=by_colour.cases)
    changes = score_against(by_colour, [scored], METRICS, bootstrap)[0]
    difference = changes[["change", "change_low", "change_high"]].set_axis(["value", "low", "high"], axis=1)
    return score(by_colour, CaseStatistics.of(by_colour), bootstrap), difference


def learn_colours(
    numbers: npt.NDArray[np.float64], train: Dataset, seed: int
) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """Fit a logistic regression on colour numbers (n, 6), every class of the same weight; nothing in it is random."""
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
    model.fit(numbers, train.labels)
    return lambda others: cast("npt.NDArray[np.float64]", model.predict_proba(others))
