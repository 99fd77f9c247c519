"""Out-of-distribution (OOD) detection: images of another stain, organ or scanner, or of no tissue at all.

A score that detects them is higher for OOD images than for in-distribution test images. Its AUROC is the fraction of
pairs of an OOD image and a test image in which the OOD image has the higher score; FPR@95 is the fraction of OOD images
that would be accepted at the limit that accepts 95% of the test images (Hendrycks & Gimpel 2017, arXiv:1610.02136;
Liang, Li & Srikant 2018, arXiv:1706.02690). Both have confidence intervals over cases.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import find_ood_limitations
from breastcls.intervals.printed_table import PrintedTable
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import format_count
from breastcls.uncertainty.feature_distance import MOST_CHANNELS, FeatureDistance
from breastcls.uncertainty.ood_detection import Floats, measure_detection
from breastcls.uncertainty.uncertainty_scores import (
    UNCERTAINTY_SCORES,
    recover_logits,
    score_members,
    score_predictions,
)

if TYPE_CHECKING:
    import keras

DISTANCE = "mahalanobis"
# Enough for the covariance of any backbone's channels; more would only fill memory.
MOST_TRAINING_IMAGES = 20_000


def score_ood(
    model: keras.Model | str | os.PathLike[str] | None,
    test: Dataset | Predictions,
    ood: Dataset | Predictions,
    train: Dataset | None = None,
    *,
    scores: Sequence[str] | None = None,
    tta: str | None = None,
    batch_size: int = 32,
    bootstrap: Bootstrap | None = None,
    allow_leakage: bool = False,
) -> pd.DataFrame:
    """Measure how well a model's uncertainty detects out-of-distribution (OOD) images.

    Args:
        model: A model, or the path of a `.keras` file; None where both sets are predictions.
        test: In-distribution test images: of the kind that the model was trained on, but of other cases.
        ood: Out-of-distribution images. Their classes are not used and may differ from the model's.
        train: What the model was trained on; needed for "mahalanobis", which is fitted on its features.
        scores: Names of `list_uncertainty_scores`, and "mahalanobis". Default: all that the given arguments allow,
            without reading the images a second time.
        tta: Test-time augmentation for the scores that need members, `"dihedral"` or None; see
            `predict_members`. An ensemble has members of its own.
        batch_size: Images at a time.
        bootstrap: How confidence intervals are computed; default: 2000 resamples over cases, 95%, expanded percentile.
        allow_leakage: Continue although `test` and `train` share cases.

    Returns:
        One row per score (index `score`), columns `auroc` and `fpr95`, each also with `_low` and `_high`, and
        `test_images`, `test_cases`, `ood_images`, `ood_cases`. Without cases every image counts as its own.
        Where one set has only one case the bounds are NaN: one case does not show how much cases vary.

    Raises:
        EvaluationError: If a set is empty, or a score needs what is not given.
        LeakageError: If `test` holds cases of `train`, on which the model was trained.
        RegistryError: If there is no such score.
        ImageError: If an image cannot be read.

    Warns:
        EvaluationWarning: If one set has fewer than five cases, or its cases are not known.

    Example:
        >>> test = Predictions.from_arrays(
        ...     probabilities=[0.99, 0.95, 0.02, 0.9], labels=None, cases=list("abcd"), classes=("benign", "malignant"))
        >>> ood = Predictions.from_arrays(
        ...     probabilities=[0.6, 0.92, 0.5, 0.4], labels=None, cases=list("efgh"), classes=("benign", "malignant"))
        >>> with warnings.catch_warnings(action="ignore"):  # four cases per set are few
        ...     table = score_ood(None, test, ood, scores=["entropy"])
        >>> table[["auroc", "fpr95", "ood_cases"]].to_numpy().tolist()
        [[0.9375, 0.25, 4.0]]
    """
    if isinstance(test, Dataset) and isinstance(ood, Dataset) and model is not None:
        _check_leak(test, train, allow_leakage)
        seen = _look(model, test, ood, train, scores, tta, batch_size)
    elif isinstance(test, Predictions) and isinstance(ood, Predictions) and model is None:
        if train is not None or tta is not None:
            raise EvaluationError("`train` and `tta` need a model and images; these are predictions.")
        names = list(scores) if scores is not None else _names("probabilities", "logits")
        seen = {name: (_score(test, name), _score(ood, name)) for name in names}
    else:
        found = ", ".join(type(one).__name__ for one in (model, test, ood))
        raise EvaluationError(f"Give a model and two datasets, or None and the predictions of both; found {found}.")
    for message in find_ood_limitations(test.cases, ood.cases):
        warnings.warn(message, EvaluationWarning, stacklevel=2)
    return PrintedTable(
        [measure_detection(*pair, test.cases, ood.cases, bootstrap=bootstrap) for pair in seen.values()],
        index=pd.Index(list(seen), name="score"),
    )


def _names(*needs: str) -> list[str]:
    return [name for name, score in UNCERTAINTY_SCORES.items() if score.needs in needs]


def _score(predictions: Predictions, name: str) -> Floats:
    if name == DISTANCE:
        raise EvaluationError(f"{DISTANCE!r} needs the model, its images and `train`; these are predictions.")
    return score_predictions(predictions, name)


def _check_leak(test: Dataset, train: Dataset | None, allowed: bool) -> None:
    if train is None or allowed:
        return
    shared = sorted(set(test.cases.tolist()) & set(train.cases.tolist()))
    if shared:
        raise LeakageError(
            f"`test` and `train` share {format_count(len(shared), 'case')}, such as {shared[0]!r}: the model was "
            "trained on these "
            "cases. Give test images of other cases, or `allow_leakage=True`."
        )


def _look(
    model: Any,
    test: Dataset,
    ood: Dataset,
    train: Dataset | None,
    scores: Sequence[str] | None,
    tta: str | None,
    batch_size: int,
) -> dict[str, tuple[Floats, Floats]]:
    """Run the model over all images and return the scores of both sets."""
    # Imported here, so that predictions of another framework are evaluated without loading Keras.
    from breastcls.predictions.model_outputs import MultiOutputModel

    network = MultiOutputModel.open(model, batch_size)
    names = _choose(scores, network, train, tta)
    distance = _fit_distance(network, train) if train is not None and DISTANCE in names else None
    wants_members = any(name != DISTANCE and UNCERTAINTY_SCORES[name].needs == "members" for name in names)
    both: list[dict[str, Floats]] = []
    for data in (test, ood):
        outputs = network(data, features=distance is not None)
        members = network.members(data, tta) if wants_members else None
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


def _fit_distance(network: Any, train: Dataset) -> FeatureDistance:
    if len(train) > MOST_TRAINING_IMAGES:
        rows = np.random.default_rng(0).choice(len(train), MOST_TRAINING_IMAGES, replace=False)
        train = train[np.sort(rows)]
    return FeatureDistance.fit(network(train, features=True).features, train.labels)


def _choose(scores: Sequence[str] | None, network: Any, train: Dataset | None, tta: str | None) -> list[str]:
    if scores is None:
        names = _names("probabilities", "logits")
        if tta is not None or network.is_ensemble:
            names += _names("members")
        if train is not None and network.channels is not None and network.channels <= MOST_CHANNELS:
            names.append(DISTANCE)
        return names
    names = list(scores)
    for name in names:
        if name == DISTANCE and train is None:
            raise EvaluationError(f"{DISTANCE!r} needs `train`, the images that the model was trained on.")
        if name == DISTANCE and network.channels is None:
            raise EvaluationError(f"{DISTANCE!r} needs a model with one backbone to take features from.")
        if name != DISTANCE:
            UNCERTAINTY_SCORES[name]  # a wrong name is reported before any image is read
    return names
