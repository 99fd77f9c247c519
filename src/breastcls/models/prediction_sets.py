"""The prediction sets that follow from the record in the card of a model.

`breastcls.decisions.fit_conformal` fits them; `predict` and `ConformalSets` apply the same rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from breastcls.models.model_card import ModelCard

# Weights are sums of fractions: a share of exactly the coverage may come out a rounding error below it.
ROUNDING = 1e-9


def conformity_scores(probabilities: npt.NDArray[Any], score: str) -> npt.NDArray[np.float64]:
    """Return the score of every class for every row, float64 (n, classes): the higher, the less it fits.

    Args:
        probabilities: (n, classes).
        score: "aps" or "lac"; see `fit_conformal`.
    """
    wide = np.asarray(probabilities, dtype=np.float64)
    if score == "lac":
        return 1.0 - wide
    # Classes of equal probability get the same score, so that no set depends on their order.
    above = wide[:, None, :] > wide[:, :, None]
    return np.asarray((above * wide[:, None, :]).sum(axis=2))


def select_sets(probabilities: npt.NDArray[Any], score: str, limits: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Return which classes belong to the set of each row, bool (n, classes).

    Example:
        >>> select_sets(np.array([[0.1, 0.9], [0.4, 0.6]]), "lac", [0.5, 0.5]).tolist()
        [[False, True], [False, True]]
    """
    return np.asarray(conformity_scores(probabilities, score) <= np.asarray(limits) + ROUNDING)


def find_sets(card: ModelCard | None, probabilities: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    """Return the prediction sets of images, bool (n, classes), or None where the card stores none for images.

    Args:
        card: The model's card, or None for a model without one.
        probabilities: (n, classes), calibrated if the card stores a calibration.
    """
    record = None if card is None else card.provenance.get("conformal")
    if not isinstance(record, dict) or record.get("level", "image") != "image":
        return None
    limits = [math.inf if limit is None else float(limit) for limit in record["limits"]]
    return select_sets(probabilities, record["score"], limits)
