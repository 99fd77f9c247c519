"""Logistic regressions of two classes on subsets of the same images, hundreds of them fitted together.

With hundreds of images most of the time of one fit is not spent in products of matrices, and with hundreds of thousands
a product with one vector is bound by the memory. Fitted together, every step is two products with a matrix.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.features.shared_features import SharedFeatures, row_blocks
from breastcls.features.standardisation import LEAST_DEVIATION

Floats = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]

_MOST_STEPS = 300
_MOST_SHORTER_STEPS = 12
# Pairs of steps and changes of the gradient that L-BFGS keeps.
_MEMORY = 8
# A step is too long if the loss increases along its end by this share of the decrease at its start.
_TOO_LONG = 0.5
# Finished regressions are left out of the products once they are so many of all.
_FINISHED_SHARE = 0.25
_LEAST_CURVATURE = 0.02


@dataclass(frozen=True, eq=False)
class BatchedRegressions:
    """Logistic regressions with an L2 penalty, each on weighted rows, standardised on the rows with a weight.

    Each minimises the mean loss, weighted by `shares`, plus half of the penalty times the squared norm of its
    coefficients: the loss of scikit-learn, divided by C times the sum of the weights. All are minimised by L-BFGS at
    once, each with a step length of its own. The first guess of the inverse curvature is that of the loss with the
    penalty along the principal axes of the features, so that few steps are needed; it is shared by all, for any labels.

    Attributes:
        values: (n, d), standardised over all rows; float64 for exact fits, else float32.
        shared: Where they come from, with the principal axes.
        targets: (n, k), 1 where the label of a row is the second class in that regression.
        shares: (n, k), the weight of each row; 0 for rows that are left out; columns add up to 1.
        means: (k, d), of the rows with a weight.
        scales: (k, d), their standard deviation; infinite where a feature does not vary in them.
        threads: Number of threads that work on blocks of rows.
    """

    values: Floats
    shared: SharedFeatures
    targets: Floats
    shares: Floats
    means: Floats
    scales: Floats
    threads: int = 1

    @classmethod
    def of(
        cls, shared: SharedFeatures, targets: Floats, weights: Floats, *, exact: bool = False, threads: int = 1
    ) -> BatchedRegressions:
        """Compute the standardisation of each regression.

        Args:
            shared: The features of all rows.
            targets: (n, k), whether the label of a row is the second class.
            weights: (n, k), the weight of each row; 0 for rows that are left out.
            exact: Whether to compute in float64.
            threads: Number of threads.
        """
        kind = np.float64 if exact else np.float32
        means, scales = _standardise_columns(shared, weights > 0)
        return cls(
            values=shared.exact_values if exact else shared.values,
            shared=shared,
            targets=targets.astype(kind),
            shares=(weights / weights.sum(axis=0)).astype(kind),
            means=means.astype(kind),
            scales=scales.astype(kind),
            threads=threads,
        )

    def take(self, columns: Integers) -> BatchedRegressions:
        """Return some of the regressions."""
        if len(columns) == len(self.means):
            return self
        return dataclasses.replace(
            self,
            targets=self.targets[:, columns],
            shares=self.shares[:, columns],
            means=self.means[columns],
            scales=self.scales[columns],
        )

    def logits(self, solution: Floats) -> Floats:
        """Return the logit of the second class of every row, (n, k), from the output of `solve`."""
        kernels, offsets = self._layers(solution)
        parts = self._over_blocks(lambda block: self.values[block] @ kernels.T + offsets)
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def layer(self, solution: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return kernels (k, d) and biases (k,) of the logit on features as they were."""
        kernels, offsets = self._layers(solution.astype(np.float64))
        kernels = kernels / self.shared.scale
        return kernels, offsets - kernels @ self.shared.mean

    def solve(self, penalties: Floats, start: Floats, tolerance: float) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Minimise all losses.

        Args:
            penalties: (k,), positive.
            start: (k, d + 1), coefficients on standardised features and constants where the search starts.
            tolerance: Largest Newton decrement at the end: twice its half square is about the excess of the loss.

        Returns:
            The solutions, (k, d + 1), and whether each was reached.
        """
        kind = self.values.dtype
        found, reached = start.astype(kind), np.zeros(len(start), dtype=bool)
        places, part = np.arange(len(start)), self
        penalties = penalties.astype(kind)
        at = found.copy()
        gradient, curvature = part.gradient_at(at, penalties)
        memory: list[tuple[Floats, Floats, Floats]] = []
        for _ in range(_MOST_STEPS):
            direction = part.direction_from(gradient, penalties, curvature, memory)
            slope = np.einsum("kd,kd->k", gradient, direction, dtype=np.float64)
            finished = slope > -(tolerance**2)
            if finished.mean() > _FINISHED_SHARE or finished.all():
                found[places[finished]], reached[places[finished]] = at[finished], True
                if finished.all():
                    break
                rest = np.flatnonzero(~finished)
                places, part, penalties, curvature = places[rest], part.take(rest), penalties[rest], curvature[rest]
                at, gradient, direction, slope = at[rest], gradient[rest], direction[rest], slope[rest]
                memory = [(step[rest], change[rest], inverse[rest]) for step, change, inverse in memory]
            after, new_gradient = part.advance(at, direction, slope, penalties)
            step, change = after - at, new_gradient - gradient
            product = np.einsum("kd,kd->k", step, change)
            norms = np.sqrt(np.einsum("kd,kd->k", step, step) * np.einsum("kd,kd->k", change, change))
            # A pair that rounding errors dominate has no information about the curvature.
            useful = product > 10 * np.finfo(kind).eps * norms
            inverse = np.divide(1.0, product, out=np.zeros_like(product), where=useful)
            memory = [*memory[-_MEMORY + 1 :], (step, change, inverse)]
            at, gradient = after, new_gradient
        else:
            found[places] = at
        return found, reached

    def _layers(self, solution: Floats) -> tuple[Floats, Floats]:
        kernels = solution[:, :-1] / self.scales
        return kernels, solution[:, -1] - np.einsum("kd,kd->k", self.means, kernels)

    def gradient_at(self, at: Floats, penalties: Floats) -> tuple[Floats, Floats]:
        """Return the gradients, (k, d + 1), and the mean of 4 p (1 - p), (k,)."""
        kernels, offsets = self._layers(at)

        def of_block(block: slice) -> tuple[Floats, Floats, Floats]:
            values, shares = self.values[block], self.shares[block]
            found = values @ kernels.T
            found += offsets
            np.negative(found, out=found)
            with np.errstate(over="ignore"):
                np.exp(found, out=found)
            found += 1
            np.reciprocal(found, out=found)
            bent = np.einsum("nk,nk,nk->k", shares, found, 1 - found)
            found -= self.targets[block]
            found *= shares
            return found.T @ values, found.sum(axis=0), bent

        parts = self._over_blocks(of_block)
        slopes, sums, bent = (np.sum(each, axis=0) if len(parts) > 1 else each[0] for each in zip(*parts, strict=True))
        gradient = np.empty_like(at)
        gradient[:, :-1] = (slopes - self.means * sums[:, None]) / self.scales + penalties[:, None] * at[:, :-1]
        gradient[:, -1] = sums
        return gradient, np.maximum(4 * bent, _LEAST_CURVATURE).astype(at.dtype)

    def _over_blocks(self, work: Callable[[slice], Any]) -> list[Any]:
        blocks = list(row_blocks(*self.values.shape))
        if self.threads == 1 or len(blocks) == 1:
            return [work(block) for block in blocks]
        with ThreadPoolExecutor(self.threads) as threads:
            return list(threads.map(work, blocks))

    def direction_from(
        self, gradient: Floats, penalties: Floats, curvature: Floats, memory: Sequence[tuple[Floats, Floats, Floats]]
    ) -> Floats:
        """Return the direction of L-BFGS (Nocedal & Wright 2006, Numerical Optimization, algorithm 7.4)."""
        rest, factors = gradient.copy(), []
        for step, change, inverse in reversed(memory):
            factor = inverse * np.einsum("kd,kd->k", step, rest)
            rest -= factor[:, None] * change
            factors.append(factor)
        found = self._precondition(rest, penalties, curvature)
        for (step, change, inverse), factor in zip(memory, reversed(factors), strict=True):
            found += (factor - inverse * np.einsum("kd,kd->k", change, found))[:, None] * step
        return np.asarray(-found)

    def _precondition(self, gradient: Floats, penalties: Floats, curvature: Floats) -> Floats:
        axes, spread = (one.astype(gradient.dtype, copy=False) for one in (self.shared.axes, self.shared.spread))
        inside = gradient[:, :-1]
        along = inside @ axes
        inverse = 1 / (curvature[:, None] * spread / 4 + penalties[:, None])
        found = np.empty_like(gradient)
        if axes.shape[0] == axes.shape[1]:
            found[:, :-1] = (along * inverse) @ axes.T
        else:
            # Beside the principal axes there is the penalty alone.
            alone = 1 / penalties[:, None]
            found[:, :-1] = (along * (inverse - alone)) @ axes.T + inside * alone
        found[:, -1] = 4 * gradient[:, -1] / curvature
        return found

    def advance(self, at: Floats, direction: Floats, slope: Floats, penalties: Floats) -> tuple[Floats, Floats]:
        """Return where each step ends, and the gradient there; steps that are too long are shortened.

        The loss is convex: it has decreased where its slope at the end of the step is not positive. Slopes are
        accurate where differences of losses are only rounding errors.
        """
        after = at + direction
        gradient, _ = self.gradient_at(after, penalties)
        length = np.ones(len(at), dtype=at.dtype)
        end = np.einsum("kd,kd->k", gradient, direction, dtype=np.float64)
        for _ in range(_MOST_SHORTER_STEPS):
            long = np.flatnonzero(end > -_TOO_LONG * slope)
            if len(long) == 0:
                break
            # Where a straight line through both slopes is zero.
            length[long] *= np.clip(slope[long] / (slope[long] - end[long]), 0.05, 0.9)
            after[long] = at[long] + length[long, None] * direction[long]
            gradient[long], _ = self.take(long).gradient_at(after[long], penalties[long])
            end[long] = np.einsum("kd,kd->k", gradient[long], direction[long], dtype=np.float64)
        return after, gradient


def _standardise_columns(shared: SharedFeatures, trained: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the rows of each column, float64 (k, d).

    In float64, since a feature that does not vary in these rows has to be found out.
    """
    width = shared.values.shape[1]
    sums, squares = np.zeros((trained.shape[1], width)), np.zeros((trained.shape[1], width))
    for block in row_blocks(*shared.values.shape):
        values, rows = shared.values[block].astype(np.float64), trained[block].T.astype(np.float64)
        sums += rows @ values
        squares += rows @ values**2
    counts = trained.sum(axis=0)[:, None]
    means = sums / counts
    deviation = np.sqrt(np.maximum(squares / counts - means**2, 0.0))
    least = LEAST_DEVIATION * np.maximum(deviation.max(axis=1, keepdims=True), 1e-300)
    # The coefficient of a feature that does not vary is 0, and stays so whatever the rows are that are left out.
    return means, np.where(deviation > least, deviation, np.inf)
