"""Predictions of a model of any framework, matched to the test images of a published fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from breastcls.errors import TrainingError
from breastcls.experiments.published_parts import SHOWN_NAMES, PublishedPart, image_names
from breastcls.predictions.predictions import Predictions

ExternalPredictions = Mapping[tuple[int, int], Predictions]
"""Predictions by `(magnification, fold)`, with the paths or file names of their images."""


def match_predictions(given: ExternalPredictions, part: PublishedPart) -> tuple[Predictions | None, list[str]]:
    """Return the predictions of a fold in the order of its test images, and sentences on what is missing of them.

    Raises:
        TrainingError: If they have no paths, or other images, labels or classes than the fold.
    """
    predictions = given.get((part.magnification, part.fold))
    if predictions is None:
        return None, [f"{part.title}: no predictions were given."]
    wanted, found = image_names(part.test), predicted_names(predictions)
    row_of = {name: row for row, name in enumerate(found)}
    others = sorted(set(row_of) - set(wanted))
    if others or len(row_of) < len(found) or predictions.classes != part.test.classes:
        raise TrainingError(
            f"The predictions of {part.title} are not of its test images: {len(others)} others such as "
            f"{', '.join(others[:SHOWN_NAMES]) or 'none'}, {len(found) - len(row_of)} twice, classes "
            f"{predictions.classes}, expected {part.test.classes}."
        )
    kept = [name for name in wanted if name in row_of]
    if not kept:
        return None, [f"{part.title}: no predictions were given."]
    rows = np.array([row_of[name] for name in kept])
    if not np.array_equal(predictions.labels[rows], part.test.labels[np.isin(wanted, kept)]):
        raise TrainingError(f"The predictions of {part.title} have other labels than its test images.")
    less = len(wanted) - len(kept)
    notes = [f"{part.title}: {less} of {len(wanted)} test images have no prediction."] if less else []
    return predictions[rows], notes


def predicted_names(predictions: Predictions) -> npt.NDArray[np.object_]:
    """Return the file name of each predicted image.

    Raises:
        TrainingError: If the predictions have no paths.
    """
    if predictions.paths is None:
        raise TrainingError("Predictions of the protocol need the paths or names of their images: give `paths`.")
    return np.array([str(path).replace("\\", "/").rsplit("/", 1)[-1] for path in predictions.paths], dtype=object)
