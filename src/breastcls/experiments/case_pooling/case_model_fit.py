"""`fit_case_model`: fitting a classifier of cases, its penalty chosen within the training cases."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from breastcls.argument_checks import check_choice, check_count
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_labelled
from breastcls.errors import TrainingError, TrainingWarning
from breastcls.experiments.case_pooling.attention_pooling import (
    POOLINGS,
    Bags,
    Integers,
    Matrix,
    PoolingParameters,
    compute_loss,
    draw_parameters,
)
from breastcls.experiments.case_pooling.case_bags import make_bags
from breastcls.experiments.case_pooling.case_model import CaseModel
from breastcls.features.penalty_search import split_cases
from breastcls.features.standardisation import standardise
from breastcls.training.class_weights import class_weights

PENALTIES = (1e-2, 1e-1, 1.0, 10.0)
"""Penalties that `fit_case_model` chooses from; each multiplies the squares of the weights on standardised vectors."""

_INNER_FOLDS = 3
_MOST_STEPS = 1000


def fit_case_model(
    train: Dataset,
    pooling: str = "gated-attention",
    *,
    hidden: int = 32,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
) -> CaseModel:
    """Fit a classifier of cases on the vectors of their images, by attention-based multiple instance learning.

    The class of a case is known, and not which of its images show it. Attention (Ilse et al. 2018, arXiv 1802.04712)
    learns a weight for each image, and the weighted mean of the vectors is classified. The vectors are standardised,
    and all parameters are fitted together by L-BFGS, with every class of equal weight. The penalty is chosen by folds
    of the training cases, as the one with the lowest log loss. Attention has many more parameters than there are cases:
    compare it with the mean by `compare_pooling` before it is used.

    Args:
        train: Training images with vectors, labels and cases; all images of a case have one class.
        pooling: "mean", "attention" or "gated-attention".
        hidden: Number of hidden units of the attention.
        penalties: Penalties to choose from; a single one is used as it is.
        seed: Seed of the initial attention and of the folds; the same seed gives the same bits on one machine.

    Returns:
        The model.

    Raises:
        TrainingError: If an argument is not valid, there are no vectors, or a case holds several classes.
        DatasetError: If `train` is no dataset, or labels or cases are not known.

    Warns:
        TrainingWarning: If there are too few cases to choose a penalty, or the fit did not converge.

    Example:
        >>> import pandas as pd
        >>> from breastcls.features import load_embeddings
        >>> cases = np.repeat(np.arange(12), 5)
        >>> vectors = np.random.default_rng(0).normal(size=(60, 4)) + 2.0 * (cases % 2)[:, None]
        >>> table = pd.DataFrame({
        ...     "path": [f"{row}.png" for row in range(60)], "case": cases.astype(str),
        ...     "label": np.where(cases % 2, "malignant", "benign")})
        >>> model = fit_case_model(load_embeddings(table, vectors), "attention")
        >>> len(model.predict(load_embeddings(table, vectors)))
        12
    """
    require_labelled("train", train, "Training")
    check_pooling_arguments((pooling,), hidden, penalties, seed)
    found = make_bags(train)
    present = np.unique(found.labels)
    if present.tolist() != list(range(len(train.classes))):
        raise TrainingError(
            f"The training cases must be of every class of {train.classes}; found only "
            f"{', '.join(train.classes[index] for index in present)}."
        )
    weights = class_weights("balanced", found.labels, train.classes)
    shares = np.ones(len(found.labels)) if weights is None else np.array([weights[label] for label in found.labels])
    mean, scale = standardise(found.bags.vectors)
    wide = Bags((found.bags.vectors - mean) / scale, found.bags.starts)
    # In the principal axes of the training images fewer components hold the same vectors: products of vectors and the
    # penalty do not depend on the axes.
    axes = _principal_axes(wide.vectors)
    bags = wide if axes is None else Bags(wide.vectors @ axes, wide.starts)
    size = len(train.classes)
    with threadpool_limits(limits=1):
        scores = _score_penalties(bags, found.labels, shares, size, pooling, hidden, penalties, seed)
        penalty = min(scores, key=lambda one: (round(scores[one], 9), -one)) if scores else float(penalties[0])
        fitted, converged = _fit(bags, found.labels, shares, size, pooling, hidden, penalty, seed)
    if not converged:
        warnings.warn(f"The fit of {pooling!r} did not converge in {_MOST_STEPS} steps.", TrainingWarning, stacklevel=2)
    if axes is not None:
        kernels = {name: axes @ getattr(fitted, name) for name in ("kernel", "tanh_kernel", "gate_kernel")}
        fitted = dataclasses.replace(fitted, **kernels)
    return CaseModel(fitted, mean, scale, train.classes, penalty, scores, dict(train.encoder))


def check_pooling_arguments(poolings: Sequence[str], hidden: Any, penalties: Any, seed: Any) -> None:
    """Raise `TrainingError` unless the arguments of `fit_case_model` are valid."""
    for pooling in poolings:
        check_choice("pooling", pooling, POOLINGS, error=TrainingError)
    check_count("hidden", hidden, error=TrainingError)
    check_count("seed", seed, 0, error=TrainingError)
    if not len(penalties) or not all(isinstance(one, int | float) and 0 < one < float("inf") for one in penalties):
        raise TrainingError(f"penalties must be positive numbers; found {penalties!r}.")


def _score_penalties(
    bags: Bags,
    labels: Integers,
    shares: Matrix,
    classes: int,
    pooling: str,
    hidden: int,
    penalties: Sequence[float],
    seed: int,
) -> dict[float, float]:
    """Return the log loss over held-out cases of each penalty; nothing where there is no choice."""
    if len(penalties) == 1:
        return {}
    parts = split_cases(labels, np.arange(len(labels)), classes, _INNER_FOLDS, seed)
    if not parts:
        warnings.warn(
            f"There are too few cases to choose a penalty; {penalties[0]:g} is used.", TrainingWarning, stacklevel=3
        )
        return {}
    scores = {}
    for penalty in penalties:
        losses = np.empty(len(labels))
        for held in parts:
            rest = np.setdiff1d(np.arange(len(labels)), held)
            fitted, _ = _fit(
                _select(bags, rest), labels[rest], shares[rest], classes, pooling, hidden, float(penalty), seed
            )
            chosen = fitted.probabilities(_select(bags, held))[np.arange(len(held)), labels[held]]
            losses[held] = -np.log(np.clip(chosen, 1e-12, 1.0))
        scores[float(penalty)] = float(np.average(losses, weights=shares))
    return scores


def _fit(
    bags: Bags,
    labels: Integers,
    shares: Matrix,
    classes: int,
    pooling: str,
    hidden: int,
    penalty: float,
    seed: int,
) -> tuple[PoolingParameters, bool]:
    start = draw_parameters(pooling, bags.vectors.shape[1], classes, hidden, seed)
    options: Any = {"maxiter": _MOST_STEPS, "maxfun": 2 * _MOST_STEPS, "gtol": 1e-5, "ftol": 1e-5}
    found = minimize(
        compute_loss,
        start.join(),
        (start, bags, labels, shares / shares.sum(), penalty),
        "L-BFGS-B",
        jac=True,
        options=options,
    )
    return start.split(found.x), bool(found.nit < _MOST_STEPS)


def _select(bags: Bags, cases: Integers) -> Bags:
    sizes = bags.sizes[cases]
    ends = np.cumsum(sizes)
    rows = np.concatenate([np.arange(bags.starts[one], bags.starts[one] + bags.sizes[one]) for one in cases])
    return Bags(bags.vectors[rows], np.asarray(ends - sizes, np.int64))


def _principal_axes(vectors: Matrix) -> Matrix | None:
    """Return orthonormal axes (d, r) of the space of some vectors, or None where that is no smaller."""
    if vectors.shape[1] <= vectors.shape[0]:
        return None
    _, sizes, axes = np.linalg.svd(vectors, full_matrices=False)
    return np.ascontiguousarray(axes[sizes > 1e-10 * sizes[0]].T)
