"""The one rule from the outputs of a model to probabilities and predicted classes.

`predict`, `evaluate` and `explain` all apply it, so that they agree on every image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import EvaluationError
from breastcls.models.card_calibration import find_calibration, is_calibration_in_graph
from breastcls.models.single_output import expand_single_output

if TYPE_CHECKING:
    from breastcls.models.model_card import ModelCard

DEFAULT_THRESHOLD = 0.5
"""The decision threshold of two classes where none was chosen."""


@dataclass(frozen=True, eq=False)
class ClassifiedOutputs:
    """Probabilities and predicted classes of n images.

    Attributes:
        probabilities: float32 (n, classes), calibrated if the model's card stores a calibration.
        predicted: int64 (n,), the index of the predicted class.
        threshold: The decision threshold that the card stores, or None.
        calibration: The record of the calibration that was applied (see `CalibrationMap.record`), or None.
    """

    probabilities: npt.NDArray[np.float32]
    predicted: npt.NDArray[np.int64]
    threshold: float | None
    calibration: Mapping[str, Any] | None


def classify_outputs(passes: Sequence[npt.NDArray[Any]], card: ModelCard | None) -> ClassifiedOutputs:
    """Return the probabilities and predicted classes that follow from the outputs of a model.

    In this order: outputs in half precision are converted to full precision; the passes of test-time augmentation are
    averaged; one output is expanded to two classes; the calibration of the card is applied, unless the outputs are
    calibrated already (see `is_calibration_in_graph`); the class is predicted by the threshold of the card (see
    `decide`).

    Args:
        passes: The output of the model for each transform of test-time augmentation, one array without: each
            (n, classes), or (n, 1) with the probability of the positive class of two.
        card: The model's card, or None for a model without one.

    Raises:
        EvaluationError: If passes are to be averaged whose calibration is part of the graph.

    Example:
        >>> classify_outputs([np.array([[0.5], [0.25]])], None).probabilities.tolist()
        [[0.5, 0.5], [0.75, 0.25]]
    """
    probabilities = _widen(passes[0])
    if len(passes) > 1:
        if is_calibration_in_graph(card):
            raise EvaluationError(
                "The calibration of this exported model is part of its graph, so that it would be applied before the "
                "mean over the transforms of test-time augmentation and not after it. Leave out `tta`, or use the "
                "'.keras' file."
            )
        mean = np.mean([_widen(output) for output in passes], axis=0, dtype=np.float64)
        probabilities = np.asarray(mean, np.float32)
    probabilities = expand_single_output(probabilities)
    calibration = find_calibration(card)
    if calibration is not None and not is_calibration_in_graph(card):
        probabilities = calibration(probabilities)
    probabilities = np.asarray(probabilities, np.float32)
    threshold = None if card is None else card.threshold
    return ClassifiedOutputs(
        probabilities=probabilities,
        predicted=decide(probabilities, threshold),
        threshold=threshold,
        calibration=None if calibration is None else calibration.record(),
    )


def decide(probabilities: npt.NDArray[Any], threshold: float | None = None) -> npt.NDArray[np.int64]:
    """Return the predicted class of each row.

    Of two classes the positive one, the last, is predicted where its probability is at least the threshold. A tie at
    0.5, such as equal numbers of votes for both classes, is therefore predicted positive: that is the convention of ROC
    curves and operating tables, and a false positive is corrected by a second reading more easily than a false
    negative. Of more classes the most probable one is predicted, and of equally probable ones the first.

    Args:
        probabilities: (..., classes).
        threshold: Of two classes, `DEFAULT_THRESHOLD` when None; compared in float32, the type of the probabilities.

    Returns:
        int64 (...).

    Example:
        >>> decide(np.array([[0.5, 0.5], [0.7, 0.3]])).tolist(), decide(np.array([[0.4, 0.2, 0.4]])).tolist()
        ([1, 0], [0])
    """
    if probabilities.shape[-1] == 2:
        least = np.float32(DEFAULT_THRESHOLD if threshold is None else threshold)
        return (probabilities[..., 1] >= least).astype(np.int64)
    return np.asarray(probabilities.argmax(axis=-1), dtype=np.int64)


def _widen(outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return outputs of half precision as float64 with rows that sum to one; float32 is returned as it is.

    Rounding to half precision changes the sum of a softmax by up to 0.005, which is no error of the model.
    """
    if outputs.dtype == np.float32:
        return outputs
    wide = outputs.astype(np.float64)
    return wide / wide.sum(axis=-1, keepdims=True) if wide.shape[-1] > 1 else wide
