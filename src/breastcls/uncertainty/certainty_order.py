"""Images in order of their certainty: the risk of those that are most certain, for weighted cases."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from breastcls.errors import EvaluationError
from breastcls.intervals.case_statistics import case_codes, case_strata, classes_held
from breastcls.intervals.metric_support import fewest_cases
from breastcls.intervals.proportion_bounds import Proportions
from breastcls.metrics.classification_metrics import require_labels
from breastcls.metrics.division import divide
from breastcls.models.log_probabilities import log_probabilities
from breastcls.models.probability_rule import DEFAULT_THRESHOLD
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import format_count
from breastcls.uncertainty.uncertainty_scores import score_predictions

Floats = npt.NDArray[np.float64]
# Elements of the largest temporary array: small enough for the cache of the processor.
BLOCK = 2_000_000
# A dense array may have this many times the elements of the sparse one.
FULL = 10
# A fraction of the images may differ from a whole number by rounding.
ROUNDING = 1e-9


def lack_of_distance(predictions: Predictions) -> Floats:
    """Return the negative distance of each row to its threshold, float64 (n,): 0 at the threshold, else below 0.

    Args:
        predictions: Of two classes; without a threshold, 0.5 is used.

    Returns:
        Minus the distance in log-odds.

    Raises:
        EvaluationError: If there are more than two classes.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.1, 0.5, 0.01], labels=None, classes=("no", "yes"), threshold=0.1)
        >>> lack_of_distance(some).round(2).tolist()
        [-0.0, -2.2, -2.4]
    """
    if len(predictions.classes) != 2:
        raise EvaluationError(f"A threshold needs two classes; there are {len(predictions.classes)}.")
    at = np.float64(np.float32(DEFAULT_THRESHOLD if predictions.threshold is None else predictions.threshold))
    logarithms = log_probabilities(np.concatenate([predictions.probabilities, [[1 - at, at]]]))
    odds = logarithms[:, 1] - logarithms[:, 0]
    return np.asarray(-np.abs(odds[:-1] - odds[-1]))


class CertaintyOrder:
    """Images in order of increasing uncertainty, in groups of equal scores, counted per case."""

    def __init__(self, predictions: Predictions, uncertainty: Any) -> None:
        require_labels(predictions)
        if uncertainty is None and predictions.threshold is not None:
            uncertainty = lack_of_distance(predictions)
        elif uncertainty is None:
            uncertainty = score_predictions(predictions, "max-probability")
        elif isinstance(uncertainty, str):
            uncertainty = score_predictions(predictions, uncertainty)
        scores = np.asarray(uncertainty, dtype=np.float64)
        if scores.shape != (len(predictions),) or not np.isfinite(scores).all():
            raise EvaluationError(
                f"`uncertainty` must be one finite number for each of {format_count(len(predictions), 'prediction')}; "
                "found an array "
                f"of shape {scores.shape}{'' if np.isfinite(scores).all() else ' with NaN or infinite values'}."
            )
        codes = case_codes(predictions)
        self.strata = case_strata(predictions.labels, codes, len(predictions.classes))
        self.fewest = fewest_cases(classes_held(predictions.labels, codes, len(predictions.classes)))
        order = np.argsort(scores, kind="stable")
        self._codes = codes[order]
        self._wrong = (predictions.decisions != predictions.labels)[order].astype(np.float64)
        # Where each group of equals ends.
        self._ends = np.flatnonzero(np.append(np.diff(scores[order]) > 0, True))

    def cases_covered(self, at: Floats) -> npt.NDArray[np.int64]:
        """Return the number of cases of the images that each coverage predicts, int64 (coverages,)."""
        return self._cases_of(np.ones(len(self._codes), dtype=bool), at)

    def proportions(self, risk: Floats, at: Floats) -> Proportions:
        """Return the risks at coverages as proportions of the images that these predict."""
        wrong, right = (self._cases_of(chosen, at) for chosen in (self._wrong > 0, self._wrong == 0))
        return Proportions(risk, np.ones(len(at)), self.cases_covered(at), np.minimum(wrong, right))

    def _cases_of(self, chosen: npt.NDArray[np.bool_], at: Floats) -> npt.NDArray[np.int64]:
        """Return the number of cases with one of the chosen images among those that each coverage predicts."""
        places = np.flatnonzero(chosen)
        first = np.sort(places[np.unique(self._codes[places], return_index=True)[1]])
        images = np.maximum(np.ceil(at * len(self._codes) - ROUNDING), 1)
        # Images with equal scores are covered together.
        last = self._ends[np.searchsorted(self._ends + 1, images)]
        return np.searchsorted(first, last, side="right").astype(np.int64)

    def risks(self, weights: Floats, at: Floats) -> Floats:
        """Return the risk at each coverage, (resamples, coverages).

        A coverage is first looked for among blocks of groups, then within its block, so that a resample costs about the
        root of the number of images and not that number.
        """
        columns = np.ascontiguousarray(weights.T)
        blocks = self._blocks
        until, mistakes = (np.cumsum(counts @ columns, axis=0) for counts in (blocks.images, blocks.wrong))
        wanted = at[:, None] * until[-1]
        place = np.stack([(until < row - ROUNDING).sum(axis=0) for row in wanted])
        found = np.empty_like(wanted)
        for block in np.unique(place):
            coverage, resample = np.nonzero(place == block)
            rows, of_pair = np.unique(resample, return_inverse=True)
            cases, images, wrong = blocks.open(block)
            inside = columns[np.ix_(cases, rows)]
            cumulated = [
                np.concatenate([before[None], before + np.cumsum(counts @ inside, axis=0)])[:, of_pair]
                for counts, before in (
                    (images, until[block - 1, rows] if block else np.zeros(len(rows))),
                    (wrong, mistakes[block - 1, rows] if block else np.zeros(len(rows))),
                )
            ]
            target = wanted[coverage, resample]
            last = np.maximum((cumulated[0] < target - ROUNDING).sum(axis=0), 1)
            pairs = np.arange(len(target))
            (low, high), (fewer, more) = ((one[last - 1, pairs], one[last, pairs]) for one in cumulated)
            # Within a group of equal scores the errors are spread evenly.
            share = divide(target - low, high - low, 0.0)
            found[coverage, resample] = (fewer + share * (more - fewer)) / target
        return np.asarray(found.T)

    @cached_property
    def _blocks(self) -> _Blocks:
        return _Blocks(self._codes, self._wrong, self._ends, len(self.strata))

    def accumulate(self, weights: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Yield blocks of (images, wrong decisions) up to each group of equals, each (some resamples, groups)."""
        step = max(1, BLOCK // len(self._codes))
        for start in range(0, len(weights), step):
            images = weights[start : start + step][:, self._codes]
            wrong = images * self._wrong
            for counts in (images, wrong):
                np.cumsum(counts, axis=1, out=counts)
            yield images[:, self._ends], wrong[:, self._ends]


class _Blocks:
    """Groups of equal scores in blocks of about the root of the number of images; images and mistakes of each by case.

    Attributes:
        images: Of each block and case, (blocks, cases).
        wrong: As `images`, the wrong decisions.
    """

    def __init__(self, codes: npt.NDArray[np.int64], wrong: Floats, ends: npt.NDArray[np.int64], cases: int) -> None:
        groups = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
        blocks = ends // max(1, int(np.sqrt(len(codes))))
        self._firsts = np.append(np.flatnonzero(np.diff(blocks, prepend=-1)), len(ends))
        self._of_groups = [
            sparse.coo_array((values, (groups, codes)), shape=(len(ends), cases)).tocsr()
            for values in (np.ones(len(codes)), wrong)
        ]
        gather = sparse.csr_array(
            (np.ones(len(ends)), np.arange(len(ends)), self._firsts), shape=(len(self._firsts) - 1, len(ends))
        )
        self.images, self.wrong = (_dense_where_full(gather @ counts) for counts in self._of_groups)
        self._opened: dict[int, tuple[npt.NDArray[np.int64], Any, Any]] = {}

    def open(self, block: int) -> tuple[npt.NDArray[np.int64], Any, Any]:
        """Return the cases of a block, and images and wrong decisions of each of its groups and these cases."""
        if block not in self._opened:
            part = slice(self._firsts[block], self._firsts[block + 1])
            images, wrong = (counts[part] for counts in self._of_groups)
            cases = np.unique(images.indices)
            self._opened[block] = cases.astype(np.int64), images[:, cases], wrong[:, cases]
        return self._opened[block]


def _dense_where_full(counts: Any) -> Any:
    """Return a sparse array as it is, or a dense one where that is small.

    With few cases nearly every block has images of every case, and a dense product is many times faster. Where every
    image is its own case, a dense array would hold the root of the number of images times that number, nearly all 0.
    """
    return counts.toarray() if counts.shape[0] * counts.shape[1] <= FULL * counts.nnz else counts
