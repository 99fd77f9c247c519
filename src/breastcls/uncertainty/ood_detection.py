"""How well a score detects out-of-distribution images: AUROC and FPR@95, with confidence intervals over cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.intervals.auc_interval import auc_interval
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.minimum_cases import FEW_CASES, NO_VARIATION
from breastcls.intervals.proportion_bounds import Proportions, bound_few
from breastcls.intervals.score_tables import wide_score
from breastcls.metrics.weighted_ranking import Ranking

Floats = npt.NDArray[np.float64]
PASSED = 0.95
BLOCK = 2_000_000


def measure_detection(
    test: Any, ood: Any, test_cases: Any = None, ood_cases: Any = None, *, bootstrap: Bootstrap | None = None
) -> dict[str, float]:
    """Return how well one score detects out-of-distribution images, with confidence intervals over cases.

    Args:
        test: (n,) the score of in-distribution images; it should be lower than that of OOD images.
        ood: (m,) the score of out-of-distribution images.
        test_cases: (n,) index or name of the case of each; None: every image counts as its own.
        ood_cases: As `test_cases`.
        bootstrap: How confidence intervals are computed; default: 2000 resamples, 95%, expanded percentile.

    Returns:
        `auroc`, `auroc_low`, `auroc_high`, `fpr95`, `fpr95_low`, `fpr95_high`, and the counts `test_images`,
        `test_cases`, `ood_images`, `ood_cases`. Where one set has only one case the bounds are NaN.

    Raises:
        EvaluationError: If a set is empty or a score is not finite.

    Example:
        >>> found = measure_detection([0.1, 0.2, 0.3], [0.25, 0.8], bootstrap=Bootstrap(50))
        >>> round(found["auroc"], 4), found["fpr95"]
        (0.8333, 0.5)
    """
    sets = [np.asarray(one, dtype=np.float64) for one in (test, ood)]
    for name, one in zip(("test", "ood"), sets, strict=True):
        if one.ndim != 1 or one.size == 0 or not np.isfinite(one).all():
            raise EvaluationError(f"`{name}` must be one finite number per image; found an array of shape {one.shape}.")
    codes = [
        np.arange(len(one)) if cases is None else pd.factorize(np.asarray(cases))[0]
        for one, cases in zip(sets, (test_cases, ood_cases), strict=True)
    ]
    counts = [int(one.max()) + 1 for one in codes]
    # A case of one set is never a case of the other, whatever its name.
    case = np.concatenate([codes[0], codes[1] + counts[0]]).astype(np.int64)
    is_ood = np.repeat([False, True], [len(one) for one in sets])
    ranking = Ranking(np.concatenate(sets), is_ood, case, sum(counts))
    strata = np.repeat([0, 1], counts).astype(np.int64)

    def measure(weights: Floats) -> Floats:
        passed = _passed(sets, codes, weights[:, : counts[0]], weights[:, counts[0] :])
        return np.stack([ranking.score(weights)[0], passed], axis=1)

    value = measure(np.ones((1, sum(counts))))[0]
    bootstrap = bootstrap or Bootstrap()
    bounds = bootstrap.intervals(measure, strata, min(counts))
    # Where no resample varies, and below five cases, the AUROC has Newcombe's interval.
    is_auroc = np.arange(2) == 0
    ends = [np.full(2, end) for end in auc_interval(value[0], counts[0], counts[1], bootstrap.confidence)]
    bounds = bounds.replace(is_auroc & (bounds.reason == NO_VARIATION), *ends)
    bounds = bounds.widen(is_auroc & (min(counts) < FEW_CASES), *ends)
    bounds = bound_few(bounds, _passed_proportion(sets, codes[1]), bootstrap.confidence)
    found: dict[str, Any] = {}
    for index, name in enumerate(("auroc", "fpr95")):
        low, high, reason = (part[index] for part in bounds)
        found |= wide_score(name, [float(value[index]), float(low), float(high), str(reason)])
    for name, one, cases in zip(("test", "ood"), sets, counts, strict=True):
        found |= {f"{name}_images": len(one), f"{name}_cases": cases}
    return found


def _passed_proportion(sets: list[Floats], codes: npt.NDArray[Any]) -> Proportions:
    """Return the share of OOD images that pass (`_passed`) as a proportion, in the second of two places."""
    ordered = np.sort(sets[0])
    limit = ordered[int(np.ceil(PASSED * len(ordered) - 1e-6)) - 1]
    # Scores above the limit do not pass.
    above = np.nextafter(limit, np.inf)
    return Proportions.reaching(sets[1], codes, np.full(2, above)).complement().mask(np.arange(2) == 1)


def _passed(sets: list[Floats], codes: list[npt.NDArray[Any]], of_test: Floats, of_ood: Floats) -> Floats:
    """Return the share of OOD images at or below the lowest limit that accepts 95% of the test images, (resamples,)."""
    orders = [np.argsort(one, kind="stable") for one in sets]
    test, ood = (one[order] for one, order in zip(sets, orders, strict=True))
    # Equals of a limit pass with it.
    below = np.searchsorted(ood, test, side="right")
    shares = np.empty(len(of_test))
    step = max(1, BLOCK // max(len(test), len(ood)))
    for start in range(0, len(of_test), step):
        part = slice(start, start + step)
        passing = np.cumsum(of_test[part][:, codes[0][orders[0]]], axis=1)
        # Weights are whole numbers: half an image less than the share is more than a rounding error.
        limit = (passing >= PASSED * passing[:, -1:] - 1e-6).argmax(axis=1)
        accepted = np.cumsum(of_ood[part][:, codes[1][orders[1]]], axis=1)
        reached = below[limit]
        rows = np.arange(len(reached))
        shares[part] = np.where(reached > 0, accepted[rows, reached - 1], 0.0) / accepted[:, -1]
    return shares
