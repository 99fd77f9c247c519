"""Images, predicted probabilities and events in bins of the predicted probability, for weighted cases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.intervals.proportion_bounds import Proportions
from breastcls.intervals.weighted_counts import are_many_of_one_row
from breastcls.metrics.division import divide

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class BinSums(NamedTuple):
    """Sums over the rows of each bin.

    Attributes:
        images: float64 (resamples, bins), number of rows.
        predicted: float64 (resamples, bins), sum of the predicted probabilities.
        observed: float64 (resamples, bins), number of rows in which the event occurred.
    """

    images: Floats
    predicted: Floats
    observed: Floats

    def frequencies(self) -> Floats:
        """Return the observed frequency in each bin, (resamples, bins); NaN in an empty bin."""
        return divide(self.observed, self.images)

    def errors(self) -> Floats:
        """Return expected and maximum calibration error, (resamples, 2)."""
        gaps = np.abs(self.observed - self.predicted)
        expected = gaps.sum(axis=1) / self.images.sum(axis=1)
        return np.stack([expected, np.nanmax(divide(gaps, self.images), axis=1)], axis=1)

    def brier(self, squares: Floats) -> Floats:
        """Return the Brier score and its parts, (resamples, 5): reliability, resolution, uncertainty, within bins.

        Args:
            squares: float64 (resamples,), the sum of the squared errors.
        """
        images, observed = self.images, self.observed
        total = images.sum(axis=1)
        share = images / total[:, None]
        frequency, predicted = divide(observed, images, 0.0), divide(self.predicted, images, 0.0)
        base = observed.sum(axis=1) / total
        score = squares / total
        reliability = (share * (predicted - frequency) ** 2).sum(axis=1)
        resolution = (share * (frequency - base[:, None]) ** 2).sum(axis=1)
        uncertainty = base * (1 - base)
        # The remainder is the variance of the probabilities within bins minus twice their covariance with the event.
        within = score - reliability + resolution - uncertainty
        return np.stack([score, reliability, resolution, uncertainty, within], axis=1)


class BinnedCases:
    """Rows in bins, by case.

    Args:
        predicted: float64 (n,), the predicted probability of each row.
        observed: float64 (n,), 1 where the event occurred, else 0.
        codes: int64 (n,), index of the case of each row in 0..cases-1.
        edges: The edges of the bins, ascending; see `bin_edges`.
    """

    def __init__(self, predicted: Floats, observed: Floats, codes: Integers, edges: Floats) -> None:
        self._edges = edges
        self._bins = len(edges) - 1
        cases = int(codes.max()) + 1
        place = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, self._bins - 1).astype(np.int64)
        self._row_of_case: Integers | None = None
        if are_many_of_one_row(codes, cases):
            # An array of every case and bin would be nearly all zeros.
            order = np.argsort(codes)
            self._row_of_case = 2 * place[order] + observed[order].astype(np.int64)
            self._predicted = predicted[order]
            return
        cells = codes * self._bins + place
        self._images, self._predicted, self._observed = (
            np.bincount(cells, values, minlength=cases * self._bins).reshape(cases, self._bins).astype(np.float64)
            for values in (None, predicted, observed)
        )

    def weigh(self, weights: Floats) -> BinSums:
        """Return the sums of each weighting of the cases, float64 (resamples, cases)."""
        if self._row_of_case is None:
            return BinSums(weights @ self._images, weights @ self._predicted, weights @ self._observed)
        sums = [self._weigh_rows(row) for row in weights]
        return BinSums(*(np.stack(part) for part in zip(*sums, strict=True)))

    def _weigh_rows(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the sums of one weighting of cases of one row each."""
        assert self._row_of_case is not None
        counts, predicted = (
            np.bincount(self._row_of_case, values, minlength=2 * self._bins).reshape(self._bins, 2).astype(np.float64)
            for values in (weights, weights * self._predicted)
        )
        return counts.sum(axis=1), predicted.sum(axis=1), counts[:, 1]

    def proportions(self) -> Proportions:
        """Return the observed frequency in each bin as a proportion of its images."""
        if self._row_of_case is None:
            return Proportions.from_cases(self._observed, self._images)
        missed, found = np.bincount(self._row_of_case, minlength=2 * self._bins).reshape(self._bins, 2).T
        images = missed + found
        return Proportions(found.astype(np.float64), images.astype(np.float64), images, np.minimum(missed, found))

    def table(self) -> pd.DataFrame:
        """Return one row per bin: its edges, images, cases, mean predicted probability and observed frequency."""
        images, predicted, observed = (part[0] for part in self.weigh(np.ones((1, self._cases))))
        return pd.DataFrame(
            {
                "lower": self._edges[:-1],
                "upper": self._edges[1:],
                "images": images.astype(np.int64),
                "cases": self.proportions().cases,
                "probability": divide(predicted, images),
                "frequency": divide(observed, images),
            }
        )

    @property
    def _cases(self) -> int:
        return len(self._predicted)
