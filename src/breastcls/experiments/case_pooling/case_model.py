"""`fit_case_model`: a classifier of cases on the pooled vectors of their images."""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

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
from breastcls.experiments.case_pooling.case_bags import CaseBags, make_bags
from breastcls.features.penalty_search import split_cases
from breastcls.features.standardisation import standardise
from breastcls.files import atomic_path
from breastcls.predictions.given_vectors import check_given_vectors
from breastcls.predictions.predictions import Predictions
from breastcls.result import ShownInNotebook
from breastcls.training.class_weights import class_weights

PENALTIES = (1e-2, 1e-1, 1.0, 10.0)
"""Penalties that `fit_case_model` chooses from; each multiplies the squares of the weights on standardised vectors."""

_INNER_FOLDS = 3
_MOST_STEPS = 1000


@dataclass(frozen=True, eq=False)
class CaseModel(ShownInNotebook):
    """A classifier of cases: attention pooling, or the mean, over the vectors of their images, then a softmax layer.

    Attributes:
        parameters: The fitted parameters, on standardised vectors.
        mean: float64 (d,), subtracted from vectors.
        scale: float64 (d,), by which vectors are divided then.
        classes: Class names, the positive one last.
        penalty: The chosen penalty.
        scores: The log loss over held-out cases of each penalty that was tried; empty where there was no choice.
        encoder: The record of the encoder of the training vectors.
    """

    parameters: PoolingParameters
    mean: Matrix
    scale: Matrix
    classes: tuple[str, ...]
    penalty: float
    scores: Mapping[float, float] = field(default_factory=dict)
    encoder: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pooling(self) -> str:
        """How the images of a case are pooled, one of `POOLINGS`."""
        return self.parameters.pooling

    def predict(self, data: Dataset) -> Predictions:
        """Return the predictions of the cases of a dataset, one row per case.

        Raises:
            TrainingError: As `fit_case_model`, for data without vectors or with cases of several classes.
            EvaluationError: If the vectors are of another size.
        """
        found = self._open(data)
        made = Predictions.from_arrays(
            probabilities=self.parameters.probabilities(found.bags),
            labels=found.labels if data.has_labels else None,
            cases=found.cases,
            classes=self.classes,
            distinct=True,
        )
        return dataclasses.replace(made, level="case", aggregation_method=None, distinct=data.distinct)

    def attend(self, data: Dataset) -> pd.DataFrame:
        """Return the attention: one row per image, in the order of the data.

        Returns:
            The columns `path`, `case`, `weight` (the weights of a case sum to 1) and `relative_weight` (times the
            number of images of the case: 1 is the weight in the mean).
        """
        found = self._open(data)
        weights = np.empty(len(data))
        weights[found.rows] = self.parameters.weights(found.bags)
        sizes = np.empty(len(data))
        sizes[found.rows] = np.repeat(found.bags.sizes, found.bags.sizes)
        return pd.DataFrame(
            {"path": data.paths, "case": data.cases, "weight": weights, "relative_weight": weights * sizes}
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to a file `.npz`, which `load` reads, atomically.

        Raises:
            TrainingError: If the name does not end in `.npz`.
            OutputError: If it cannot be written.
        """
        if Path(path).suffix != ".npz":
            raise TrainingError(f"A model of cases is written to a file .npz; found {os.fspath(path)!r}.")
        record = {
            "pooling": self.pooling, "classes": list(self.classes), "penalty": self.penalty,
            "scores": [[penalty, score] for penalty, score in self.scores.items()], "encoder": dict(self.encoder),
        }  # fmt: skip
        arrays: dict[str, Any] = {f"parameter_{number}": array for number, array in enumerate(self.parameters.arrays)}
        with atomic_path(path) as temporary:
            np.savez(temporary, mean=self.mean, scale=self.scale, record=np.array(json.dumps(record)), **arrays)
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CaseModel:
        """Read a model that `save` wrote; nothing in the file is executed.

        Raises:
            TrainingError: If it is no such file, or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                record = json.loads(str(file["record"]))
                arrays = [np.asarray(file[f"parameter_{number}"], np.float64) for number in range(7)]
                mean, scale = file["mean"], file["scale"]
            if record["pooling"] not in POOLINGS:
                raise ValueError(f"its pooling is {record['pooling']!r}")
            return cls(
                PoolingParameters(record["pooling"], *arrays),
                mean,
                scale,
                tuple(record["classes"]),
                float(record["penalty"]),
                {float(penalty): float(score) for penalty, score in record["scores"]},
                record["encoder"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{os.fspath(path)} cannot be read as a model of cases: {error}.") from error

    def __str__(self) -> str:
        chosen = f"chosen from {', '.join(f'{one:g}' for one in self.scores)}" if self.scores else "given"
        return (
            f"Model of cases: {self.pooling} over vectors of {len(self.mean)} components, classes "
            f"{', '.join(self.classes)}, penalty {self.penalty:g} ({chosen})"
        )

    def _open(self, data: Dataset) -> CaseBags:
        found = make_bags(data)
        check_given_vectors(found.bags.vectors.astype(np.float32), len(self.mean))
        return dataclasses.replace(found, bags=Bags((found.bags.vectors - self.mean) / self.scale, found.bags.starts))


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
        if pooling not in POOLINGS:
            raise TrainingError(f"pooling is {pooling!r}; expected one of {', '.join(map(repr, POOLINGS))}.")
    for name, value, least in (("hidden", hidden, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise TrainingError(f"{name} must be a whole number of at least {least}; found {value!r}.")
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
