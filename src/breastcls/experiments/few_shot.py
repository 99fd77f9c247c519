"""Few-shot curves: the score of a probe against the number of cases per class that it is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.experiments.probe_splits import Integers, ProbeHead, ProbeSplit
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics, case_codes, case_strata
from breastcls.intervals.metric_support import count_support
from breastcls.intervals.score_tables import wide_score
from breastcls.metrics.classification_metrics import METRICS
from breastcls.metrics.division import divide
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]


def draw_cases(
    labels: Integers, cases: npt.NDArray[np.object_], count: int, generator: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Draw cases until each class has so many, and return which images are of them, bool (n,).

    A case with images of several classes counts for each of them; the class that the fewest cases hold is drawn first.

    Raises:
        ValueError: If a class has fewer cases.

    Example:
        >>> labels, cases = np.array([0, 0, 1, 1]), np.array(["a", "b", "c", "c"], dtype=object)
        >>> draw_cases(labels, cases, 1, np.random.default_rng(0)).tolist()
        [True, False, True, True]
    """
    _, codes = np.unique(cases.astype(str), return_inverse=True)
    holds = np.zeros((int(codes.max()) + 1, int(labels.max()) + 1), dtype=bool)
    holds[codes, labels] = True
    chosen = np.zeros(len(holds), dtype=bool)
    for index in np.argsort(holds.sum(axis=0), kind="stable"):
        missing = count - int((chosen & holds[:, index]).sum())
        free = np.flatnonzero(holds[:, index] & ~chosen)
        if missing > len(free):
            raise ValueError(f"Class {index} has fewer than {count} cases.")
        if missing > 0:
            chosen[generator.permutation(free)[:missing]] = True
    return np.asarray(chosen[codes])


def most_cases(data: Dataset) -> int:
    """Return how many cases per class can be drawn so that a case of each class remains to be tested."""
    pairs = pd.DataFrame({"case": data.cases, "label": data.labels}).drop_duplicates()
    return int(pairs["label"].value_counts().reindex(range(len(data.classes)), fill_value=0).min()) - 1


def few_shot_splits(data: Dataset, count: int, draws: int, seed: int) -> list[ProbeSplit]:
    """Return so many draws of training cases, each tested on all images of the other cases."""
    splits = []
    for number in range(draws):
        inside = draw_cases(data.labels, data.cases, count, np.random.default_rng([seed, count, number]))
        splits.append(ProbeSplit(data.labels, np.flatnonzero(inside), np.flatnonzero(~inside)))
    return splits


def score_few_shot(
    head: ProbeHead,
    data: Dataset,
    splits: Sequence[ProbeSplit],
    metrics: Sequence[str],
    aggregation: Aggregation,
    bootstrap: Bootstrap,
) -> dict[str, float]:
    """Return each metric as the mean over draws, with a confidence interval over cases and the range of the draws.

    The interval is of the mean over draws: in each resample of the cases every draw is scored on its test cases with
    the same weights. It holds for the training cases that were drawn, whose variation the range of single draws shows.
    With fewer than five cases of a class it is not estimable.

    Args:
        head: The probe.
        data: The images.
        splits: The draws.
        metrics: Some of `METRICS`.
        aggregation: The level that is scored.
        bootstrap: How confidence intervals are computed.
    """
    scored = [
        predictions_of(data[split.test], probabilities).aggregate(aggregation)
        for split, probabilities in zip(splits, head.predict(splits), strict=True)
    ]
    whole = predictions_of(data, np.full((len(data), len(data.classes)), 1 / len(data.classes))).aggregate(aggregation)
    statistics = [(CaseStatistics.of(one), _places(one, whole)) for one in scored]
    columns = [METRICS.index(name) for name in metrics]

    def statistic(weights: Floats) -> Floats:
        total, defined = np.zeros((len(weights), len(columns))), np.zeros((len(weights), len(columns)))
        for one, places in statistics:
            mine = weights[:, places]
            held = mine.sum(axis=1) > 0
            values = np.full((len(weights), len(columns)), np.nan)
            values[held] = one.compute(mine[held])[:, columns]
            defined += np.isfinite(values)
            total += np.nan_to_num(values)
        return divide(total, defined)

    codes = case_codes(whole)
    strata = case_strata(whole.labels, codes, len(data.classes))
    support = count_support(metrics, CaseStatistics.of(whole, rank=False).holds)
    bounds = bootstrap.intervals(statistic, strata, support).drop_few(support)
    point = statistic(np.ones((1, len(strata))))[0]
    single = np.stack([one.compute(np.ones((1, one.cases)))[0, columns] for one, _ in statistics])
    row: dict[str, float] = {}
    for place, name in enumerate(metrics):
        row |= wide_score(name, [point[place], *(part[place] for part in bounds)])
        defined = single[np.isfinite(single[:, place]), place]
        row[f"{name}_lowest"], row[f"{name}_highest"] = (
            (float(defined.min()), float(defined.max())) if len(defined) else (np.nan, np.nan)
        )
    return row


def _places(part: Predictions, whole: Predictions) -> Integers:
    """Return for each case of some predictions its index among all cases."""
    assert part.cases is not None
    assert whole.cases is not None
    names = list(dict.fromkeys(part.cases))
    order = {name: place for place, name in enumerate(dict.fromkeys(whole.cases))}
    return np.array([order[name] for name in names])
