"""Metrics of the test images grouped into quarters by stain and by sharpness."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.images.image_features import compute_image_features
from breastcls.images.resize import Pixels
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.score_tables import score_groups
from breastcls.predictions.independence import check_same_images
from breastcls.predictions.predictions import Predictions
from breastcls.stain.optical_density import to_density

Floats = npt.NDArray[np.float64]
STAIN_ENDS = ("pinkest", "bluest")
SHARPNESS_ENDS = ("most blurred", "sharpest")
QUARTERS = 4


def red_absorbed(image: Pixels) -> float:
    """Return the share of red in the optical density of an image: the higher, the bluer the stain.

    Of the density of eosin 6% is in the red channel, of that of haematoxylin 40% (by the vectors of Ruifrok and
    Johnston 2001). It is a ratio of mean optical densities, to which background adds almost nothing, so that it depends
    little on the fraction of tissue or on the strength of the stain.

    Args:
        image: uint8 (height, width, 3), RGB.

    Returns:
        0 to 1; a third for a grey image.

    Example:
        >>> pink, blue = (np.full((2, 2, 3), colour, np.uint8) for colour in ((240, 150, 230), (110, 100, 180)))
        >>> round(red_absorbed(pink), 2), round(red_absorbed(blue), 2)
        (0.09, 0.4)
    """
    density = to_density(image).reshape(-1, 3).mean(axis=0, dtype=np.float64)
    total = float(density.sum())
    return float(density[0]) / total if total > 1e-6 else 1 / 3


def sharpness(image: Pixels) -> float:
    """Return the variance of the Laplacian of an image's luminance: the higher, the sharper.

    Pech-Pacheco et al. 2000, DOI 10.1109/ICPR.2000.903548. It also depends on the content: compare images of one
    magnification.

    Args:
        image: uint8 (height, width, 3), RGB.

    Returns:
        The variance, 0 for an image of one colour.

    Example:
        >>> sharpness(np.full((8, 8, 3), 200, np.uint8))
        0.0
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def compute_appearance(data: Dataset) -> pd.DataFrame:
    """Read every image once and return its `red_absorbed` and `sharpness`, one row per image.

    Raises:
        ImageError: If an image cannot be read.
    """
    features = compute_image_features(lambda image: np.array([red_absorbed(image), sharpness(image)]), data.paths)
    return pd.DataFrame(features, columns=["red_absorbed", "sharpness"])


def quarters(values: Floats, ends: Sequence[str]) -> npt.NDArray[np.object_]:
    """Return the quarter that each value is in, named by number, ends and range; equal values share a quarter.

    Args:
        values: (n,).
        ends: Names of the lowest and the highest quarter.

    Returns:
        (n,) str such as "1 pinkest (0.21 to 0.34)", which sort in order of the values.

    Example:
        >>> quarters(np.array([1.0, 2.0, 3.0, 4.0]), ("low", "high")).tolist()
        ['1 low (1 to 1)', '2 (2 to 2)', '3 (3 to 3)', '4 high (4 to 4)']
    """
    edges = np.quantile(values, np.arange(1, QUARTERS) / QUARTERS)
    numbers = np.searchsorted(edges, values, side="left")
    names = np.empty(len(values), dtype=object)
    ends_of = {0: f" {ends[0]}", QUARTERS - 1: f" {ends[1]}"}
    for number in np.unique(numbers):
        inside = numbers == number
        low, high = values[inside].min(), values[inside].max()
        names[inside] = f"{number + 1}{ends_of.get(int(number), '')} ({_short(low)} to {_short(high)})"
    return names


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def score_by_appearance(
    predictions: Predictions, data: Dataset, bootstrap: Bootstrap | None = None
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Score the quarters of the images by stain and by sharpness.

    Args:
        predictions: By image.
        data: The same images in the same order; each is read once.
        bootstrap: How confidence intervals are computed, in each quarter over its own cases; 2,000 resamples by
            default.

    Returns:
        By stain, from pink to blue, and by sharpness, from blurred to sharp, shaped as `Evaluation.by_subtype`. None
        where all images have the same value.

    Raises:
        EvaluationError: If the predictions are not by image, or not of these images.
        ImageError: If an image cannot be read.

    Example:
        >>> by_stain, by_sharpness = score_by_appearance(predict(model, test), test)  # doctest: +SKIP
        >>> result = result.with_sections(by_stain=by_stain, by_sharpness=by_sharpness)  # doctest: +SKIP
    """
    check_same_images(predictions, data)
    appearance = compute_appearance(data)
    bootstrap = bootstrap or Bootstrap()
    tables = []
    for column, name, ends in (
        ("red_absorbed", "stain", STAIN_ENDS),
        ("sharpness", "sharpness", SHARPNESS_ENDS),
    ):
        values = appearance[column].to_numpy()
        constant = values.min() == values.max()
        tables.append(None if constant else score_groups(predictions, quarters(values, ends), "", name, bootstrap))
    by_stain, by_sharpness = (None if table is None else PrintedTable(table) for table in tables)
    return by_stain, by_sharpness
