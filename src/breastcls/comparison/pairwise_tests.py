"""All pairs of several models on the same cases: the difference of each metric, and tests of AUC and predictions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.comparison.auc_covariance import delong
from breastcls.comparison.p_values import holm, intervals_and_p, mcnemar, smallest_p
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.metric_support import count_support
from breastcls.intervals.minimum_cases import FEW_CASES, Bounds
from breastcls.intervals.paired_scores import bound_few_differences
from breastcls.intervals.proportions import has_one_row_per_case
from breastcls.intervals.score_tables import count_units
from breastcls.metrics.classification_metrics import METRICS
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]


def pairs_of(count: int) -> list[tuple[int, int]]:
    """Return all pairs of `count` models.

    Example:
        >>> pairs_of(3)
        [(0, 1), (0, 2), (1, 2)]
    """
    return list(itertools.combinations(range(count), 2))


def score_differences(
    scored: Sequence[Predictions], metrics: pd.DataFrame, scores: pd.DataFrame, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Return the difference of every metric between every two models.

    With fewer than five cases of a class resamples hardly vary where both models depend on the same cases. The interval
    is then no narrower than those of both models allow, there is none where a model has none, and there is no p-value.

    Args:
        scored: Predictions of the same images in the same order.
        metrics: Their metrics, one column per model.
        scores: Their confidence intervals: index `model`, `metric`, columns `low`, `high` and `reason`.
        bootstrap: How confidence intervals are computed, from the same resamples for all models.

    Returns:
        Index `first`, `second`, `metric`; columns `difference`, `low`, `high`, `p`; corrected for all pairs within the
        metric by Holm's method, `low_adjusted` and `high_adjusted` (the confidence interval at the level at which the
        difference is tested) and `p_holm`, which is below one minus the confidence where that interval excludes 0; and
        `reason`: why there are no bounds, else "".
    """
    statistics, names = [CaseStatistics.of(one) for one in scored], list(metrics.columns)
    pairs = pairs_of(len(scored))

    def difference(weights: Floats) -> Floats:
        values = [one.compute(weights) for one in statistics]
        return np.concatenate([values[a] - values[b] for a, b in pairs], axis=1)

    support = count_support(METRICS, statistics[0].holds)
    few = support < FEW_CASES
    families = np.tile(np.arange(len(METRICS)), len(pairs))
    found = intervals_and_p(
        bootstrap, difference, statistics[0].strata, np.tile(support, len(pairs)), families=families
    )
    own = [scores.xs(name, level="model").loc[list(METRICS)] for name in names]
    alone = [
        (metrics[name].to_numpy(), Bounds(*(one[column].to_numpy() for column in Bounds._fields)))
        for name, one in zip(names, own, strict=True)
    ]
    tables = []
    for number, (a, b) in enumerate(pairs):
        part = slice(number * len(METRICS), (number + 1) * len(METRICS))
        differences = (metrics[names[a]] - metrics[names[b]]).to_numpy()
        drawn = Bounds(*(one[part] for one in found.bounds))
        bounds = bound_few_differences(drawn, few, alone[a], alone[b])
        adjusted = drawn._replace(low=found.low_adjusted[part], high=found.high_adjusted[part])
        adjusted = bound_few_differences(adjusted, few, alone[a], alone[b])
        index = pd.MultiIndex.from_product([[names[a]], [names[b]], METRICS], names=["first", "second", "metric"])
        columns = {
            "difference": differences,
            "low": bounds.low,
            "high": bounds.high,
            "p": np.where(few, np.nan, found.p[part]),
            "low_adjusted": adjusted.low,
            "high_adjusted": adjusted.high,
            "reason": bounds.reason,
        }
        tables.append(pd.DataFrame(columns, index=index))
    table = pd.concat(tables)
    table.insert(6, "p_holm", table.groupby(level="metric")["p"].transform(holm))
    return table


def pairwise_tests(scored: Sequence[Predictions], names: Sequence[str]) -> pd.DataFrame:
    """Return p-values of DeLong's and McNemar's tests of all pairs of models, with and without correction.

    Args:
        scored: Predictions of the same images in the same order.
        names: The names of the models.

    Returns:
        Index `first`, `second`; columns `delong_p` and `mcnemar_p`, each also with `_holm`; NaN where not defined.
    """
    first, pairs = scored[0], pairs_of(len(scored))
    delong_p, mcnemar_p = _delong_p(scored, pairs), np.full(len(pairs), np.nan)
    if has_one_row_per_case(first):
        correct = [one.decisions == one.labels for one in scored]
        mcnemar_p = np.array([mcnemar(correct[a], correct[b]) for a, b in pairs])
    index = pd.MultiIndex.from_tuples([(names[a], names[b]) for a, b in pairs], names=["first", "second"])
    columns = {
        "delong_p": delong_p,
        "delong_p_holm": holm(delong_p),
        "mcnemar_p": mcnemar_p,
        "mcnemar_p_holm": holm(mcnemar_p),
    }
    return pd.DataFrame(columns, index=index)


def enough_for_delong(scored: Predictions) -> bool:
    """Return whether there are two classes of five cases or more, as the normal approximation requires."""
    fewest = min(of_class["cases"] for of_class in count_units(scored)["classes"].values())
    return len(scored.classes) == 2 and fewest >= FEW_CASES


def _delong_p(scored: Sequence[Predictions], pairs: Sequence[tuple[int, int]]) -> Floats:
    first = scored[0]
    if not enough_for_delong(first):
        return np.full(len(pairs), np.nan)
    found = delong(np.stack([one.positive for one in scored]), first.labels, first.cases)
    tests = [found.difference(a, b) for a, b in pairs]
    # The normal approximation has far smaller ones where the errors are of few cases.
    least = smallest_p(count_units(first)["cases"])
    # Without any variation a difference has no error, and no test.
    return np.array([max(p, least) if error > 0 or difference == 0 else np.nan for difference, error, p in tests])
