"""AUC and average precision of thousands of weighted copies of one ranking, sorted once.

A bootstrap over cases gives every image of a case the same whole-number weight. The scores, and with them the order of
the images, are the same: only the weights change. So the images are sorted once, counted by case between the places
where either metric can change (the distinct scores of positive images), and each resample is then a product of those
counts with its weights and a cumulative sum. Ties are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
# Elements of the largest temporary array: small enough for the cache of the processor.
BLOCK = 400_000


class Ranking:
    """The scores of one class, sorted and counted by case.

    Args:
        scores: (n,) the probability of the class.
        positive: bool (n,), whether the row is of the class.
        codes: int (n,), index of the case of each row in 0..cases-1.
        cases: Number of cases.
    """

    def __init__(
        self,
        scores: npt.NDArray[np.floating[Any]],
        positive: npt.NDArray[np.bool_],
        codes: npt.NDArray[np.int64],
        cases: int,
    ) -> None:
        stops = np.unique(scores[positive])  # ascending; counted downwards from here on
        self.stops = len(stops)
        place = self.stops - np.searchsorted(stops, scores, side="right")  # the number of stops above the score
        reached = place < self.stops
        tied = np.zeros(len(scores), dtype=bool)
        tied[reached] = stops[self.stops - 1 - place[reached]] == scores[reached]
        negative = ~positive
        self._positive = self._count(place[positive], codes[positive], cases)
        gap = negative & ~tied & reached
        self._gap = self._count(place[gap], codes[gap], cases)
        tied &= negative
        self._tied = self._count(place[tied], codes[tied], cases) if tied.any() else None
        self._rows = np.bincount(codes, minlength=cases).astype(np.float64)

    def _count(self, rows: npt.NDArray[Any], columns: npt.NDArray[Any], cases: int) -> Any:
        counts = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(self.stops, cases), dtype=np.float64)
        return counts.tocsr()  # sums duplicates

    def score(
        self, weights: Floats, columns: Floats | None = None, totals: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Return ROC AUC and average precision, each (resamples,); NaN where a resample holds one class only.

        Args:
            weights: float64 (resamples, cases), the weight of each case; whole numbers.
            columns: float64 (cases, resamples), the same transposed and contiguous, where the caller has it: with
                hundreds of classes, transposing it for each class takes as long as the rest.
            totals: float64 (resamples,), the weight of all rows, where the caller has it.
        """
        count = len(weights)
        auc, precision = np.full(count, np.nan), np.full(count, np.nan)
        if self.stops == 0:
            return auc, precision
        totals = weights @ self._rows if totals is None else totals
        step = max(1, BLOCK // self.stops)
        if columns is not None and step >= count:
            return self._score(columns, totals)
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            auc[part], precision[part] = self._score(np.ascontiguousarray(weights[part].T), totals[part])
        return auc, precision

    def misrankings(self) -> tuple[Floats, Floats]:
        """Return in how many wrongly ranked pairs of images each case takes part, by its positive and negative images.

        Returns:
            Two of float64 (cases,); a tie counts as half a pair.
        """
        here, gap = (np.asarray(part.sum(axis=1)).ravel() for part in (self._positive, self._gap))
        from_here = np.cumsum(here[::-1])[::-1]
        if self._tied is None:
            return self._positive.T @ np.cumsum(gap), self._gap.T @ from_here
        tied = np.asarray(self._tied.sum(axis=1)).ravel()
        of_positives = self._positive.T @ (np.cumsum(gap + tied) - tied / 2)
        return of_positives, self._gap.T @ from_here + self._tied.T @ (from_here - here / 2)

    def _score(self, columns: Floats, totals: Floats) -> tuple[Floats, Floats]:
        here = self._positive @ columns  # (stops, resamples): weight of positives at each stop
        false = self._gap @ columns
        if self._tied is None:
            np.cumsum(false, axis=0, out=false)
            above = np.einsum("sb,sb->b", here, false)
        else:
            level = self._tied @ columns
            false += level
            np.cumsum(false, axis=0, out=false)
            above = np.einsum("sb,sb->b", here, false) - 0.5 * np.einsum("sb,sb->b", here, level)
        true = np.cumsum(here, axis=0)
        positives = true[-1].copy()
        negatives = totals - positives
        false += true
        # Before the first image of a resample the precision is 0 of 0, counted as 0 since `here` is 0 there.
        np.maximum(false, 1.0, out=false)
        np.divide(true, false, out=true)
        found = np.einsum("sb,sb->b", here, true)
        both = (positives > 0) & (negatives > 0)
        nothing = np.full(len(totals), np.nan)
        auc = 1.0 - np.divide(above, positives * negatives, out=nothing.copy(), where=both)
        return auc, np.divide(found, positives, out=nothing, where=both)
