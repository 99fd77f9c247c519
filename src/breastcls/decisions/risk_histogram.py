"""Distribution of the predicted risk within each class, as a histogram and cumulatively.

With two classes the risk is the probability of the positive class, for positive and negative images. The histogram
shows models with good ranking whose probabilities of both classes are on the same side of the threshold.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.argument_checks import check_count
from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata
from breastcls.intervals.proportion_bounds import Proportions, bound_few
from breastcls.intervals.weighted_counts import WeightedCounts
from breastcls.metrics.classification_metrics import require_labels
from breastcls.metrics.division import divide
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]


def risk_histogram(predictions: Predictions, *, bins: int = 20, bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Count images by predicted risk within each class, with confidence bands over cases.

    Args:
        predictions: With known classes. With more than two, the risk is the probability of the predicted class, and the
            groups are the "right" and "wrong" predictions.
        bins: Number of bins of equal width.
        bootstrap: How confidence bands are computed; default: 2000 resamples, 95%, expanded percentile.

    Returns:
        One row per group and bin: columns `group`, `lower`, `upper` (edges; a value on an edge belongs to the bin above
        it), `images`, `share` (of the group), `cumulative` (share of the group below `upper`), `low`, `high`,
        `reason` (of `cumulative`). Groups without images are left out.

    Raises:
        EvaluationError: If a true class is not known or there are no bins.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.1, 0.2, 0.6, 0.9], labels=[0, 0, 0, 1], classes=("no", "yes"))
        >>> risk_histogram(some, bins=2)[["group", "upper", "images", "cumulative"]].round(2).values.tolist()
        [['no', 0.5, 2, 0.67], ['no', 1.0, 1, 1.0], ['yes', 0.5, 0, 0.0], ['yes', 1.0, 1, 1.0]]
    """
    require_labels(predictions)
    check_count("bins", bins, error=EvaluationError)
    risk, groups, names = _risk_and_groups(predictions)
    codes = case_codes(predictions)
    strata = case_strata(predictions.labels, codes, len(predictions.classes))
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, risk, side="right") - 1, 0, bins - 1)
    counts = WeightedCounts(groups * bins + place, codes, len(names) * bins, len(strata))

    def measure(weights: Floats) -> Floats:
        """Return the cumulative shares of each group, (resamples, groups x bins)."""
        weighted = counts.weigh(weights).reshape(len(weights), len(names), bins)
        added = np.cumsum(weighted, axis=2)
        return divide(added, added[:, :, -1:]).reshape(len(weights), -1)

    held = np.zeros((len(strata), len(names)), dtype=bool)
    held[codes, groups] = True
    cases = np.repeat(held.sum(axis=0), bins)
    bootstrap = bootstrap or Bootstrap()
    bounds = bootstrap.intervals(measure, strata, cases)
    images = np.bincount(groups * bins + place, minlength=len(names) * bins)
    of_group = np.repeat(np.bincount(groups, minlength=len(names)), bins)
    value = measure(np.ones((1, len(strata))))[0]
    parts = [
        Proportions.reaching(place[groups == group], codes[groups == group], np.arange(1, bins + 1)).complement()
        if (groups == group).any()
        else Proportions.from_cases(np.zeros((1, bins)), np.zeros((1, bins)))
        for group in range(len(names))
    ]
    # All of a group is below the upper edge of the last bin: that is no estimate.
    inside = np.arange(len(value)) % bins < bins - 1
    shares = Proportions(*map(np.concatenate, zip(*parts, strict=True))).mask(inside)
    bounds = bound_few(bounds, shares, bootstrap.confidence)
    table = pd.DataFrame(
        {
            "group": np.repeat(np.array(names, dtype=object), bins),
            "lower": np.tile(edges[:-1], len(names)),
            "upper": np.tile(edges[1:], len(names)),
            "images": images,
            "share": divide(images, of_group, 0.0),
            "cumulative": value,
            **bounds._asdict(),
        }
    )
    return table[of_group > 0].reset_index(drop=True)


def _risk_and_groups(predictions: Predictions) -> tuple[Floats, npt.NDArray[np.int64], tuple[str, ...]]:
    wide = predictions.probabilities.astype(np.float64)
    if wide.shape[1] == 2:
        return wide[:, 1], predictions.labels, predictions.classes
    right = wide.argmax(axis=1) == predictions.labels
    return wide.max(axis=1), (~right).astype(np.int64), ("right", "wrong")
