"""Comparing models on the same test images, with what can and what cannot be said.

The same cases are drawn for every model, so that what makes a case hard for all of them cancels out. Who asks
several questions is corrected for it by Holm's method (Holm 1979, jstor.org/stable/4615733). McNemar's test (1947, DOI
10.1007/BF02295996) is exact and only given where each case gives one decision: images of one case are not independent
trials.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.evaluation.case_statistics import CaseStatistics
from breastcls.evaluation.comparing.delong import delong
from breastcls.evaluation.evaluate import scored_predictions
from breastcls.evaluation.intervals import Bootstrap, Interval, can_vary
from breastcls.evaluation.metrics import LOSSES, METRICS, compute_metrics
from breastcls.evaluation.predictions import Aggregation, Level, Predictions
from breastcls.evaluation.proportions import has_one_decision_a_case
from breastcls.result import Result

Floats = npt.NDArray[np.float64]
COMPARED = ("balanced_accuracy", "roc_auc", "average_precision", "f1", "mcc", "brier", "log_loss")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """What `compare` found.

    Attributes:
        metrics: Every metric of every model: index metric, one column a model.
        differences: One row a pair of models and metric (`first`, `second`, `metric`), columns `difference` (first
            less second), `low`, `high`, `p` (paired bootstrap over cases) and `p_holm` (corrected for all pairs within
            the metric).
        tests: One row a pair (`first`, `second`): `delong_p` and `delong_p_holm` of the AUC (over cases; two classes),
            and `mcnemar_p` and `mcnemar_p_holm` of the decisions (where each case gives one); NaN where not defined.
        verdicts: One sentence a pair.
        settings: `resamples`, `confidence`, `interval`, `seed`, `level`, `metric` (of the verdicts).
    """

    metrics: pd.DataFrame
    differences: pd.DataFrame
    tests: pd.DataFrame
    verdicts: tuple[str, ...]
    settings: dict[str, Any]

    def __str__(self) -> str:
        shown = self.metrics.loc[list(COMPARED)].round(3)
        return "\n".join([shown.to_string(na_rep="-"), "", *self.verdicts])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON; NaN becomes None."""
        plain = {}
        for name in ("metrics", "differences", "tests"):
            table = getattr(self, name).reset_index()
            plain[name] = table.astype(object).where(table.notna(), None).to_dict("records")
        return {**plain, "verdicts": list(self.verdicts), "settings": dict(self.settings)}


def compare(
    models: Sequence[Any],
    test: Dataset | None = None,
    *,
    names: Sequence[str] | None = None,
    metric: str = "balanced_accuracy",
    level: Level = "image",
    how: Aggregation = "mean",
    resamples: int = 2000,
    confidence: float = 0.95,
    interval: Interval = "expanded",
    seed: int = 0,
    batch_size: int = 32,
) -> Comparison:
    """Compare two or more models, or their predictions, on the same images.

    Args:
        models: Keras models, paths of `.keras` files, or `Predictions` of the same images in the same order.
        test: The images, where models are to predict them.
        names: What to call the models; default: "A", "B", ...
        metric: The metric that the verdicts are about, chosen before looking.
        level: Score by "image", "slide" or "case".
        how: How images are aggregated; see `Predictions.at_level`.
        resamples: Bootstrap resamples over cases, the same for all models.
        confidence: Of the intervals and verdicts.
        interval: "expanded", "percentile" or "bca"; see `Bootstrap`.
        seed: Of the resamples.
        batch_size: Images at a time.

    Returns:
        The comparison; print it.

    Raises:
        EvaluationError: If there are fewer than two models, or their predictions are not of the same images.
        LeakageError: If a model says that it was trained on a test case.

    Example:
        >>> import numpy as np
        >>> labels, cases = np.repeat([0, 1], 40), np.repeat(np.arange(20), 4).astype(str)
        >>> noise = np.random.default_rng(0).random((2, 80))
        >>> good, poor = (
        ...     Predictions.from_arrays(
        ...         probabilities=share * labels + (1 - share) * row, labels=labels, cases=cases, classes=("no", "yes"))
        ...     for share, row in zip((0.5, 0.0), noise))
        >>> found = compare([good, poor], names=["good", "poor"], resamples=500)
        >>> print(found.verdicts[0].split(":")[0])
        good has the better balanced accuracy than poor
    """
    scored, called = _gather(models, test, names, batch_size, level, how)
    if metric not in METRICS:
        raise EvaluationError(f"`metric` is {metric!r}; expected one of {', '.join(METRICS)}.")
    bootstrap = Bootstrap(resamples, confidence, interval, seed)
    statistics = [CaseStatistics.of(one) for one in scored]
    metrics = pd.concat([compute_metrics(one).rename(name) for one, name in zip(scored, called, strict=True)], axis=1)
    pairs = list(itertools.combinations(range(len(scored)), 2))
    differences = _differences(statistics, metrics, pairs, bootstrap)
    tests = _tests(scored, called, pairs)
    return Comparison(
        metrics=metrics,
        differences=differences,
        tests=tests,
        verdicts=tuple(
            _verdict(
                metrics[called[a]],
                metrics[called[b]],
                differences.xs((called[a], called[b], metric)),
                metric,
                confidence,
            )
            for a, b in pairs
        ),
        settings={**dataclasses.asdict(bootstrap), "level": level, "metric": metric},
    )


def holm(p_values: Any) -> Floats:
    """Return p-values corrected for their number by Holm's method; NaN stays and does not count.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64)
    defined = np.flatnonzero(np.isfinite(given))
    order = defined[np.argsort(given[defined], kind="stable")]
    corrected = given.copy()
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return corrected


def mcnemar(first_right: npt.NDArray[np.bool_], second_right: npt.NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value of McNemar's test; 1 where the models never differ."""
    only_first = int((first_right & ~second_right).sum())
    only_second = int((~first_right & second_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def _gather(
    models: Sequence[Any],
    test: Dataset | None,
    names: Sequence[str] | None,
    batch_size: int,
    level: Level,
    how: Aggregation,
) -> tuple[list[Predictions], list[str]]:
    if isinstance(models, (str, Predictions)) or len(models) < 2:
        raise EvaluationError("Give two or more models or predictions to compare.")
    called = [chr(ord("A") + index) for index in range(len(models))] if names is None else [str(name) for name in names]
    if len(called) != len(models) or len(set(called)) != len(called):
        raise EvaluationError(f"`names` must be {len(models)} different names; found {called}.")
    predicted = [scored_predictions(model, test, batch_size) for model in models]
    first = predicted[0]
    for name, other in zip(called[1:], predicted[1:], strict=True):
        for field in ("labels", "cases", "slides", "paths"):
            own, theirs = getattr(first, field), getattr(other, field)
            if own is not None and theirs is not None and not np.array_equal(own, theirs):
                raise EvaluationError(
                    f"The {field} of {name} are not those of {called[0]}: compare on the same images."
                )
        if first.classes != other.classes or len(first) != len(other) or (first.cases is None) != (other.cases is None):
            raise EvaluationError(f"The classes or cases of {name} are not those of {called[0]}.")
    return [one.at_level(level, how) for one in predicted], called


def _differences(
    statistics: list[CaseStatistics], metrics: pd.DataFrame, pairs: list[tuple[int, int]], bootstrap: Bootstrap
) -> pd.DataFrame:
    strata, called = statistics[0].strata, list(metrics.columns)

    def measure(weights: Floats) -> Floats:
        values = [one.measure(weights) for one in statistics]
        return np.concatenate([values[a] - values[b] for a, b in pairs], axis=1)

    low, high = bootstrap.intervals(measure, strata)
    p = np.full(len(low), np.nan)
    if can_vary(strata):
        p = _bootstrap_p(bootstrap.distribution(measure, strata))
    tables = []
    for number, (a, b) in enumerate(pairs):
        part = slice(number * len(METRICS), (number + 1) * len(METRICS))
        gap = (metrics[called[a]] - metrics[called[b]]).to_numpy()
        index = pd.MultiIndex.from_product([[called[a]], [called[b]], METRICS], names=["first", "second", "metric"])
        columns = {"difference": gap, "low": low[part], "high": high[part], "p": np.where(gap == 0, 1.0, p[part])}
        tables.append(pd.DataFrame(columns, index=index))
    table = pd.concat(tables)
    table.loc[table["difference"].isna(), ["low", "high", "p"]] = np.nan
    table["p_holm"] = table.groupby(level="metric")["p"].transform(holm)
    return table


def _bootstrap_p(values: Floats) -> Floats:
    """Return twice the share of resamples on the rarer side of no difference; one is added so that it is never 0."""
    count = np.isfinite(values).sum(axis=0)
    rarer = np.minimum((values <= 0).sum(axis=0), (values >= 0).sum(axis=0))
    p = np.minimum(2 * (rarer + 1) / (count + 1), 1.0)
    return np.where(count > 0, p, np.nan)


def _tests(scored: list[Predictions], called: list[str], pairs: list[tuple[int, int]]) -> pd.DataFrame:
    first = scored[0]
    delong_p, mcnemar_p = _delong_p(scored, pairs), np.full(len(pairs), np.nan)
    if has_one_decision_a_case(first):
        right = [one.decisions == one.labels for one in scored]
        mcnemar_p = np.array([mcnemar(right[a], right[b]) for a, b in pairs])
    index = pd.MultiIndex.from_tuples([(called[a], called[b]) for a, b in pairs], names=["first", "second"])
    columns = {
        "delong_p": delong_p,
        "delong_p_holm": holm(delong_p),
        "mcnemar_p": mcnemar_p,
        "mcnemar_p_holm": holm(mcnemar_p),
    }
    return pd.DataFrame(columns, index=index)


def _delong_p(scored: list[Predictions], pairs: list[tuple[int, int]]) -> Floats:
    first = scored[0]
    if len(first.classes) != 2:
        return np.full(len(pairs), np.nan)
    try:
        found = delong(np.stack([one.positive for one in scored]), first.labels, first.cases)
    except EvaluationError:  # fewer than two cases of a class: there is no variance over cases
        return np.full(len(pairs), np.nan)
    return np.array([found.difference(a, b)[2] for a, b in pairs])


def _verdict(first: pd.Series, second: pd.Series, row: Any, metric: str, confidence: float) -> str:
    a, b, name = str(first.name), str(second.name), metric.replace("_", " ").replace("roc auc", "AUC")
    if np.isnan(row["difference"]) or np.isnan(row["low"]):
        return f"{a} and {b} cannot be compared by {name}: it, or its interval, is not defined on these cases."
    numbers = f"{first[metric]:.3f} against {second[metric]:.3f}, difference {row['difference']:.3f}"
    interval = f"{100 * confidence:g}% interval {row['low']:.3f} to {row['high']:.3f}, p = {row['p_holm']:.2g}"
    outside = row["low"] > 0 or row["high"] < 0
    if not (outside and row["p_holm"] < 1 - confidence):
        return f"No difference in {name} shown between {a} and {b}: {numbers} ({interval}). There may still be one."

    better, worse = (a, b) if (row["difference"] > 0) != (metric in LOSSES) else (b, a)
    return f"{better} has the better {name} than {worse}: {numbers} ({interval})."
