"""A limit beyond which images are flagged as out-of-distribution, fitted and stored with a model.

The score is the Mahalanobis distance of the colour of an image from the training images. The limit is a conformal
quantile over validation cases: an image that is drawn from a new case of the same distribution is flagged with at most
the nominal probability (Bates, Candès, Lei, Romano & Sesia 2023, DOI 10.1214/22-AOS2244, for independent images; Lee,
Barber & Willett 2023, arXiv:2306.06342, for images in groups).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from typing_extensions import override

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_dataset
from breastcls.decisions.conformal import conformal_limit
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError
from breastcls.intervals.limitations import NO_CASES
from breastcls.models.card_ood import ColourLimit, Floats, measure_colours
from breastcls.models.model_card import get_card, require_card, set_card
from breastcls.models.vector_input import require_pixels
from breastcls.predictions.pixel_batches import open_batches
from breastcls.result import Result
from breastcls.text_tables import format_count
from breastcls.uncertainty.feature_distance import FeatureDistance


@dataclass(frozen=True, eq=False, repr=False)
class OODLimit(Result):
    """The highest distance from the training images that is accepted.

    Attributes:
        colours: The mean and the covariance of the colour of the training images, and the limit.
        accepted: Nominal probability that an image of a new case of the same distribution is not flagged.
        images: Number of validation images that the limit was fitted on.
        cases: Their cases; `evaluate` treats them as seen in training where the limit is stored with a model.
    """

    colours: ColourLimit
    accepted: float
    images: int = 0
    cases: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "score": "colour",
            "mean": self.colours.mean.tolist(),
            "whitening": self.colours.whitening.tolist(),
            "limit": self.colours.limit,
            "accepted": self.accepted,
            "images": self.images,
            "cases": list(self.cases),
        }

    @override
    def __str__(self) -> str:
        limit = "none, since there are too few cases, so that no image is flagged or accepted"
        if self.colours.limit is not None:
            limit = f"distance of the colour {math.sqrt(self.colours.limit):.3g}, accepting {self.accepted:.0%}"
        cases = format_count(len(self.cases), "case") if self.cases else "unknown cases"
        return (
            f"Limit of out-of-distribution images: {limit}; fitted on {format_count(self.images, 'image')} of {cases}"
        )


def fit_ood_limit(model: Any, train: Dataset, val: Dataset, *, accepted: float = 0.9, batch_size: int = 32) -> OODLimit:
    """Fit the limit beyond which `predict` flags images as out-of-distribution.

    The score is the Mahalanobis distance of six numbers, the mean and the standard deviation of red, green and blue,
    from those of the training images. It detects another staining, scanner or kind of image as far as its colour
    differs; it does not detect another magnification or another tissue of the same colour. How many images of your own
    out-of-distribution set are flagged is `predict(model, ood).ood.mean()`.

    Args:
        model: A `keras.Model` with a card, which determines the stain normalizer and the size of the images.
        train: The training images.
        val: Images of the same distribution and of other cases.
        accepted: Nominal probability that an image drawn from a new case of the same distribution is not flagged; each
            case has the same weight, however many images it has. It requires at least accepted / (1 - accepted) cases:
            9 for 0.9, 19 for 0.95.
        batch_size: Images at a time.

    Returns:
        The limit; store it with the model by `store_ood_limit`.

    Raises:
        DatasetError: If `train` or `val` is not a dataset.
        EvaluationError: If the model does not fit them, or `accepted` is not a fraction.
        LeakageError: If they share cases.
        ImageError: If an image cannot be read.

    Warns:
        EvaluationWarning: If there are too few cases for a limit, so that `Predictions.ood` is None, or cases are not
            known.

    Example:
        >>> limit = fit_ood_limit(model, train, val)  # doctest: +SKIP
        >>> store_ood_limit(model, limit)  # doctest: +SKIP
        >>> predict(model, "new_patient/").ood  # doctest: +SKIP
    """
    require_dataset("train", train)
    require_dataset("val", val)
    if not 0 < accepted < 1:
        raise EvaluationError(f"`accepted` is {accepted}; expected a fraction such as 0.9.")
    shared = sorted(set(train.cases.tolist()) & set(val.cases.tolist()))
    if shared:
        raise LeakageError(
            f"`train` and `val` share {format_count(len(shared), 'case')}, such as {shared[0]!r}: the limit would be "
            "too low for new cases. Give validation images of other cases."
        )
    if not val.has_cases:
        warnings.warn(NO_CASES, EvaluationWarning, stacklevel=2)
    known = _read_colours(model, train, batch_size)
    fitted = FeatureDistance.fit(known, np.zeros(len(known), np.int64))
    mean, whitening = fitted.means[0], fitted.whitening
    distances = ColourLimit(mean, whitening, None).distances(_read_colours(model, val, batch_size))
    limit = conformal_limit(distances, pd.factorize(val.cases)[0].astype(np.int64), accepted)
    if not math.isfinite(limit):
        least = math.ceil(accepted / (1 - accepted) - 1e-9)
        warnings.warn(
            f"A fraction of {accepted:g} can only be accepted from {least} cases on; with fewer there is no limit, and "
            "`Predictions.ood` is None. Use validation images of more cases, or a lower `accepted`.",
            EvaluationWarning,
            stacklevel=2,
        )
    return OODLimit(
        ColourLimit(mean, whitening, limit if math.isfinite(limit) else None),
        float(accepted),
        len(val),
        tuple(sorted(set(val.cases.tolist()))) if val.has_cases else (),
    )


def store_ood_limit(model: Any, limit: OODLimit | None) -> None:
    """Store a limit in the card of a model, so that `predict` flags images by it; None removes it.

    Which cases it was fitted on goes into the card's provenance, and `evaluate` counts them as seen. A new training
    keeps it, because it does not depend on the weights; fit it again for other training images.

    Args:
        model: A `keras.Model` with a card.
        limit: What `fit_ood_limit` returned.

    Raises:
        EvaluationError: If the model has no card.
    """
    card = require_card(model)
    provenance = {key: value for key, value in card.provenance.items() if key != "ood"}
    set_card(model, card.replace(provenance=provenance if limit is None else {**provenance, "ood": limit.to_dict()}))


def _read_colours(model: Any, data: Dataset, batch_size: int) -> Floats:
    require_pixels(model, data, "The limit of out-of-distribution images", EvaluationError)
    batches = open_batches(model, get_card(model), data, batch_size).batches
    return np.concatenate([measure_colours(np.asarray(batch)) for batch in batches])
