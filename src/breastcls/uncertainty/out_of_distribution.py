"""Telling strangers from what the model knows: images of another stain, organ or scanner, or no tissue at all.

A score that tells them apart is higher for strangers. Its AUROC is the share of pairs of a stranger and a known image
in which the stranger has the higher score; FPR@95 is the share of strangers that would pass where 95% of the known
images do (Hendrycks & Gimpel 2017, arXiv:1610.02136; Liang, Li & Srikant 2018, arXiv:1706.02690). Both over cases.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import find_stranger_limitations
from breastcls.metrics.weighted_ranking import Ranking
from breastcls.predictions.predictions import Predictions
from breastcls.uncertainty.feature_distance import MOST_CHANNELS, FeatureDistance
from breastcls.uncertainty.uncertainty_scores import (
    UNCERTAINTY_SCORES,
    recover_logits,
    score_members,
    score_predictions,
)

if TYPE_CHECKING:
    import keras

Floats = npt.NDArray[np.float64]
DISTANCE = "mahalanobis"
# Enough for the covariance of any backbone's channels; more would only fill memory.
MOST_TRAINING_IMAGES = 20_000
PASSED = 0.95
BLOCK = 2_000_000


def score_ood(
    model: keras.Model | str | os.PathLike[str] | None,
    known: Dataset | Predictions,
    unknown: Dataset | Predictions,
    train: Dataset | None = None,
    *,
    scores: Sequence[str] | None = None,
    tta: str | None = None,
    batch_size: int = 32,
    bootstrap: Bootstrap | None = None,
    allow_leakage: bool = False,
) -> pd.DataFrame:
    """Measure how well a model's uncertainty tells strangers from images of the kind that it knows.

    Args:
        model: A model, or the path of a `.keras` file; None where both sets are predictions.
        known: Test images: of the kind that the model was trained on, but of other cases.
        unknown: Strangers. Their classes play no part and may be others.
        train: What the model was trained on; needed for "mahalanobis", which is fitted on its features.
        scores: Names of `uncertainty_scores`, and "mahalanobis". Default: all that can be had from what is given,
            without a second look at the images.
        tta: Views for the scores that need members, `"dihedral"` or None; see `predict_members`. An `Ensemble` has
            members of its own.
        batch_size: Images at a time.
        bootstrap: How intervals are made; default: 2000 resamples over cases, 95%, expanded percentile.
        allow_leakage: Go on although `known` and `train` share cases.

    Returns:
        One row a score (index `score`), columns `auroc` and `fpr95`, each also with `_low` and `_high`, and
        `known_images`, `known_cases`, `unknown_images`, `unknown_cases`. Without cases every image counts as its own.
        Where one side is of one case there are no bounds: nothing is known of other cases of that kind.

    Raises:
        EvaluationError: If a set is empty, or a score needs what is not given.
        LeakageError: If `known` holds cases of `train`: the model would know them better than it knows new ones.
        RegistryError: If there is no such score.
        ImageError: If an image cannot be read.

    Warns:
        EvaluationWarning: If one side is of fewer than five cases, or its cases are not known.

    Example:
        >>> known = Predictions.from_arrays(
        ...     probabilities=[0.99, 0.95, 0.02, 0.9], labels=None, cases=list("abcd"), classes=("benign", "malignant"))
        >>> unknown = Predictions.from_arrays(
        ...     probabilities=[0.6, 0.92, 0.5, 0.4], labels=None, cases=list("efgh"), classes=("benign", "malignant"))
        >>> with warnings.catch_warnings(action="ignore"):  # four cases a side are few
        ...     table = score_ood(None, known, unknown, scores=["entropy"])
        >>> table[["auroc", "fpr95", "unknown_cases"]].to_numpy().tolist()
        [[0.9375, 0.25, 4.0]]
    """
    if isinstance(known, Dataset) and isinstance(unknown, Dataset) and model is not None:
        _check_leak(known, train, allow_leakage)
        seen = _look(model, known, unknown, train, scores, tta, batch_size)
    elif isinstance(known, Predictions) and isinstance(unknown, Predictions) and model is None:
        if train is not None or tta is not None:
            raise EvaluationError("`train` and `tta` need a model and images; these are predictions.")
        names = list(scores) if scores is not None else _names("probabilities", "logits")
        seen = {name: (_score(known, name), _score(unknown, name)) for name in names}
    else:
        found = ", ".join(type(one).__name__ for one in (model, known, unknown))
        raise EvaluationError(f"Give a model and two datasets, or None and the predictions of both; found {found}.")
    for message in find_stranger_limitations(known.cases, unknown.cases):
        warnings.warn(message, EvaluationWarning, stacklevel=2)
    return pd.DataFrame(
        [separate(*pair, known.cases, unknown.cases, bootstrap=bootstrap) for pair in seen.values()],
        index=pd.Index(list(seen), name="score"),
    )


def separate(
    known: Any, unknown: Any, known_cases: Any = None, unknown_cases: Any = None, *, bootstrap: Bootstrap | None = None
) -> dict[str, float]:
    """Return how well one score tells strangers apart, with intervals over cases.

    Args:
        known: (n,) the score of known images, higher for what looks strange.
        unknown: (m,) the score of strangers.
        known_cases: (n,) index or name of the case of each; None: every image counts as its own.
        unknown_cases: As `known_cases`.
        bootstrap: How intervals are made; default: 2000 resamples, 95%, expanded percentile.

    Returns:
        `auroc`, `auroc_low`, `auroc_high`, `fpr95`, `fpr95_low`, `fpr95_high`, and the counts `known_images`,
        `known_cases`, `unknown_images`, `unknown_cases`. Where one side is of one case the bounds are NaN.

    Raises:
        EvaluationError: If a set is empty or a score is not finite.

    Example:
        >>> found = separate([0.1, 0.2, 0.3], [0.25, 0.8], bootstrap=Bootstrap(50))
        >>> round(found["auroc"], 4), found["fpr95"]
        (0.8333, 0.5)
    """
    sets = [np.asarray(one, dtype=np.float64) for one in (known, unknown)]
    for name, one in zip(("known", "unknown"), sets, strict=True):
        if one.ndim != 1 or one.size == 0 or not np.isfinite(one).all():
            raise EvaluationError(f"`{name}` must be one finite number an image; found an array of shape {one.shape}.")
    codes = [
        np.arange(len(one)) if cases is None else pd.factorize(np.asarray(cases))[0]
        for one, cases in zip(sets, (known_cases, unknown_cases), strict=True)
    ]
    counts = [int(one.max()) + 1 for one in codes]
    # A case of one set is never one of the other, whatever it is called.
    case = np.concatenate([codes[0], codes[1] + counts[0]]).astype(np.int64)
    strange = np.repeat([False, True], [len(one) for one in sets])
    ranking = Ranking(np.concatenate(sets), strange, case, sum(counts))
    strata = np.repeat([0, 1], counts).astype(np.int64)

    def measure(weights: Floats) -> Floats:
        passed = _passed(sets, codes, weights[:, : counts[0]], weights[:, counts[0] :])
        return np.stack([ranking.score(weights)[0], passed], axis=1)

    value = measure(np.ones((1, sum(counts))))[0]
    low, high = np.full((2, len(value)), np.nan)
    if min(counts) > 1:
        # A case alone on its side is in every resample: the width would be that of the other side.
        low, high = (bootstrap or Bootstrap()).intervals(measure, strata)
    found: dict[str, float] = {}
    for index, name in enumerate(("auroc", "fpr95")):
        found |= {name: float(value[index]), f"{name}_low": float(low[index]), f"{name}_high": float(high[index])}
    for side, one, cases in zip(("known", "unknown"), sets, counts, strict=True):
        found |= {f"{side}_images": len(one), f"{side}_cases": cases}
    return found


def _passed(sets: list[Floats], codes: list[npt.NDArray[Any]], of_known: Floats, of_unknown: Floats) -> Floats:
    """Return the share of strangers at or below the lowest limit that lets 95% of the known pass, (resamples,)."""
    orders = [np.argsort(one, kind="stable") for one in sets]
    known, unknown = (one[order] for one, order in zip(sets, orders, strict=True))
    # Equals of a limit pass with it.
    below = np.searchsorted(unknown, known, side="right")
    shares = np.empty(len(of_known))
    step = max(1, BLOCK // max(len(known), len(unknown)))
    for start in range(0, len(of_known), step):
        part = slice(start, start + step)
        passing = np.cumsum(of_known[part][:, codes[0][orders[0]]], axis=1)
        # Weights are whole numbers: half an image less than the share is no rounding matter.
        limit = (passing >= PASSED * passing[:, -1:] - 1e-6).argmax(axis=1)
        strangers = np.cumsum(of_unknown[part][:, codes[1][orders[1]]], axis=1)
        reached = below[limit]
        rows = np.arange(len(reached))
        shares[part] = np.where(reached > 0, strangers[rows, reached - 1], 0.0) / strangers[:, -1]
    return shares


def _names(*needs: str) -> list[str]:
    return [name for name, score in UNCERTAINTY_SCORES.items() if score.needs in needs]


def _score(predictions: Predictions, name: str) -> Floats:
    if name == DISTANCE:
        raise EvaluationError(f"{DISTANCE!r} needs the model, its images and `train`; these are predictions.")
    return score_predictions(predictions, name)


def _check_leak(known: Dataset, train: Dataset | None, allowed: bool) -> None:
    if train is None or allowed:
        return
    shared = sorted(set(known.cases.tolist()) & set(train.cases.tolist()))
    if shared:
        raise LeakageError(
            f"`known` and `train` share {len(shared)} cases, such as {shared[0]!r}: known images would look more "
            "familiar than new ones. Give test images of other cases, or `allow_leakage=True`."
        )


def _look(
    model: Any,
    known: Dataset,
    unknown: Dataset,
    train: Dataset | None,
    scores: Sequence[str] | None,
    tta: str | None,
    batch_size: int,
) -> dict[str, tuple[Floats, Floats]]:
    """Run the model over all images and return the scores of both sets."""
    # Here and not above: predictions of another framework are judged without loading Keras.
    from breastcls.predictions.model_outputs import InsideView

    view = InsideView.of(model, batch_size)
    names = _choose(scores, view, train, tta)
    distance = _fit_distance(view, train) if train is not None and DISTANCE in names else None
    wants_members = any(name != DISTANCE and UNCERTAINTY_SCORES[name].needs == "members" for name in names)
    both: list[dict[str, Floats]] = []
    for data in (known, unknown):
        outputs = view(data, features=distance is not None)
        members = view.members(data, tta) if wants_members else None
        logits = recover_logits(outputs.probabilities) if outputs.logits is None else outputs.logits
        found: dict[str, Floats] = {}
        for name in names:
            if name == DISTANCE and distance is not None:
                found[name] = distance(outputs.features)
            elif UNCERTAINTY_SCORES[name].needs == "members":
                found[name] = score_members(members, name)
            else:
                score = UNCERTAINTY_SCORES[name]
                wide = logits if score.needs == "logits" else outputs.probabilities
                found[name] = score.measure(np.asarray(wide, dtype=np.float64))
        both.append(found)
    return {name: (both[0][name], both[1][name]) for name in names}


def _fit_distance(view: Any, train: Dataset) -> FeatureDistance:
    if len(train) > MOST_TRAINING_IMAGES:
        rows = np.random.default_rng(0).choice(len(train), MOST_TRAINING_IMAGES, replace=False)
        train = train[np.sort(rows)]
    return FeatureDistance.fit(view(train, features=True).features, train.labels)


def _choose(scores: Sequence[str] | None, view: Any, train: Dataset | None, tta: str | None) -> list[str]:
    if scores is None:
        names = _names("probabilities", "logits")
        if tta is not None or view.is_ensemble:
            names += _names("members")
        if train is not None and view.channels is not None and view.channels <= MOST_CHANNELS:
            names.append(DISTANCE)
        return names
    names = list(scores)
    for name in names:
        if name == DISTANCE and train is None:
            raise EvaluationError(f"{DISTANCE!r} needs `train`, the images that the model was trained on.")
        if name == DISTANCE and view.channels is None:
            raise EvaluationError(f"{DISTANCE!r} needs a model with one backbone to take features from.")
        if name != DISTANCE:
            UNCERTAINTY_SCORES[name]  # an unknown name is told before any image is read
    return names
