"""What a model that sees only colour would have scored on the same split.

Staining differs between laboratories, days and slides, and so between cases. Six numbers an image (mean and standard
deviation of red, green and blue) with a logistic regression know nothing of tissue; what they reach is what the split
gives away.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.evaluation.predictions import Predictions
from breastcls.images.decode import read_image

COLOUR_NUMBERS = ("mean_red", "mean_green", "mean_blue", "sd_red", "sd_green", "sd_blue")


def colour_numbers(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return mean and standard deviation of red, green and blue, float64 (6,), of an image uint8 (h, w, 3).

    Example:
        >>> colour_numbers(np.full((2, 2, 3), (200, 100, 50), np.uint8)).tolist()
        [200.0, 100.0, 50.0, 0.0, 0.0, 0.0]
    """
    pixels = image.reshape(-1, 3)
    return np.concatenate([pixels.mean(axis=0, dtype=np.float64), pixels.std(axis=0, dtype=np.float64)])


def measure_colours(data: Dataset) -> npt.NDArray[np.float64]:
    """Read every image and return its colour numbers, float64 (n, 6).

    Raises:
        ImageError: If an image cannot be read.
    """
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        numbers = list(pool.map(lambda path: colour_numbers(read_image(path)), data.paths))
    return np.stack(numbers)


def predict_by_colour(train: Dataset, test: Dataset) -> Predictions:
    """Fit the colour-only model on `train` and return its predictions of `test`.

    Args:
        train: Images to learn from.
        test: Images to judge; the same classes.

    Raises:
        EvaluationError: If the classes differ, or `train` holds images of one class only.
        ImageError: If an image cannot be read.
    """
    if train.classes != test.classes:
        raise EvaluationError(f"`train` has the classes {train.classes}, `test` {test.classes}; they must be the same.")
    present = np.unique(train.labels)
    if len(present) < 2:
        raise EvaluationError("The training set holds one class only, so nothing can be learnt from its colours.")
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
    model.fit(measure_colours(train), train.labels)
    probabilities = np.zeros((len(test), len(test.classes)))
    probabilities[:, present] = model.predict_proba(measure_colours(test))
    table = test.table
    return Predictions.from_arrays(
        probabilities=probabilities,
        labels=test.labels,
        classes=test.classes,
        cases=test.cases,
        slides=test.slides,
        paths=test.paths,
        magnifications=table["magnification"].to_numpy(dtype=object),
        subtypes=table["subtype"].to_numpy(dtype=object),
    )
