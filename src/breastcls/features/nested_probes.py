"""Many linear probes of two classes on the same images, each with its penalty chosen within its training cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from breastcls.features.batched_regressions import BatchedRegressions
from breastcls.features.penalty_search import GRID, LEAST_SHARE, CaseLosses, Scores, choose_penalty, is_finished
from breastcls.features.shared_features import SharedFeatures

Integers = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]

# Newton decrements: while penalties are compared, and of the coefficients that are returned, in float64 and float32.
_COMPARED, _EXACT, _SINGLE = 1e-4, 1e-8, 1e-5


@dataclass(frozen=True, eq=False)
class ProbeTask:
    """One probe to be fitted.

    Attributes:
        labels: 0 or 1, int64 (n,), of all rows of the features.
        rows: The rows to train on, int64.
        weights: The weight of a row of each class.
        parts: The rows, some of `rows`, that each inner fold holds out; empty where C is given.
        c: The penalty 1/c where there are no inner folds.
    """

    labels: Integers
    rows: Integers
    weights: Sequence[float]
    parts: Sequence[Integers]
    c: float


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """A fitted probe.

    Attributes:
        c: The chosen C.
        scores: C to log loss by case over the inner folds and its standard error.
        logits: The logit of the second class of all rows, float64 (n,).
        kernel: Of that logit on features as they were, float64 (d,).
        bias: Of that logit.
        converged: Whether the solver reached its tolerance.
    """

    c: float
    scores: Scores
    logits: Matrix
    kernel: Matrix
    bias: float
    converged: bool


def fit_probes(
    shared: SharedFeatures, tasks: Sequence[ProbeTask], groups: Integers, *, threads: int = 1
) -> list[FittedProbe]:
    """Choose the penalty of each task over its inner folds, and fit it on all its rows.

    Args:
        shared: The features of all rows.
        tasks: The probes; all are fitted together.
        groups: The case of each row, as a number.
        threads: Number of threads that work on blocks of rows.
    """
    scores, starts = search_penalties(shared, tasks, groups, threads=threads)
    chosen = np.array([choose_penalty(found) if found else task.c for found, task in zip(scores, tasks, strict=True)])
    exact = shared.can_be_exact
    targets = np.stack([task.labels == 1 for task in tasks], axis=1)
    weights = np.stack([_row_weights(task, task.rows) for task in tasks], axis=1)
    problems = BatchedRegressions.of(shared, targets, weights, exact=exact, threads=threads)
    width = shared.values.shape[1] + 1
    start = np.stack([found.get(c, np.zeros(width)) for found, c in zip(starts, chosen, strict=True)])
    penalties = 1 / (chosen * weights.sum(axis=0))
    solution, reached = problems.solve(penalties, start, _EXACT if exact else _SINGLE)
    logits = problems.logits(solution).astype(np.float64)
    kernels, biases = problems.layer(solution)
    return [
        FittedProbe(
            float(chosen[task]), scores[task], logits[:, task], kernels[task], float(biases[task]), bool(reached[task])
        )
        for task in range(len(tasks))
    ]


def search_penalties(
    shared: SharedFeatures, tasks: Sequence[ProbeTask], groups: Integers, *, threads: int = 1
) -> tuple[list[Scores], list[dict[float, Any]]]:
    """Return the scores of each C of each task, and for each C the mean of the solutions of the inner folds.

    The regressions of all inner folds of all tasks are fitted together, from the strongest penalty to the weakest, each
    from its previous solution; a task is finished where `is_finished` finds no better C.
    """
    columns = [(task, part) for task, one in enumerate(tasks) for part in one.parts]
    scores: list[Scores] = [{} for _ in tasks]
    starts: list[dict[float, Any]] = [{} for _ in tasks]
    if not columns:
        return scores, starts
    owners = np.array([task for task, _ in columns])
    targets = np.stack([tasks[task].labels == 1 for task in owners], axis=1)
    weights = np.stack([_row_weights(tasks[task], np.setdiff1d(tasks[task].rows, part)) for task, part in columns], 1)
    problems = BatchedRegressions.of(shared, targets, weights, threads=threads)
    totals = weights.sum(axis=0)
    losses = [CaseLosses(one.labels[one.rows], groups[one.rows], one.weights) for one in tasks]
    solution = np.zeros((len(columns), shared.values.shape[1] + 1), dtype=np.float32)
    is_open = np.array([bool(one.parts) for one in tasks])
    for c in GRID:
        taking = is_open & np.array([c * len(one.rows) >= LEAST_SHARE for one in tasks])
        places = np.flatnonzero(taking[owners])
        if len(places) == 0:
            continue
        part = problems.take(places)
        solution[places], _ = part.solve(1 / (c * totals[places]), solution[places], _COMPARED)
        logits = part.logits(solution[places])
        for task in np.flatnonzero(taking).tolist():
            mine = np.flatnonzero(owners[places] == task)
            one = tasks[task]
            chosen = np.empty(len(one.labels))
            for column, held in zip(mine, one.parts, strict=True):
                sides = np.where(one.labels[held] == 1, 1.0, -1.0)
                chosen[held] = expit(sides * logits[held, column])
            scores[task][c] = losses[task].score(chosen[one.rows])
            starts[task][c] = solution[places[mine]].mean(axis=0)
            is_open[task] = not is_finished(scores[task])
    return scores, starts


def _row_weights(task: ProbeTask, rows: Integers) -> Matrix:
    weights = np.zeros(len(task.labels))
    weights[rows] = np.asarray(task.weights, np.float64)[task.labels[rows]]
    return weights
