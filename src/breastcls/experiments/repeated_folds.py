"""Repeated cross-validation: how much a score varies with the division into folds, the seed, and the cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.experiments.fold_scores import score_pooled_and_folds
from breastcls.experiments.fold_table import FOLD_METRICS
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.metric_support import count_support
from breastcls.intervals.minimum_cases import MIN_CASES
from breastcls.json_values import table_to_dict
from breastcls.metrics.classification_metrics import METRICS
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.metrics.number_format import format_number
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions

RunFolds = Callable[[str, int, int], tuple[Predictions, npt.NDArray[np.int64]]]
"""From a name and the seeds of folds and trainings to out-of-fold predictions and the fold of each image."""


@dataclass(frozen=True, eq=False)
class RepeatedFolds:
    """The scores of repeated cross-validations.

    Attributes:
        scores: One row per repetition, level and metric (`name`, `level`, `metric`): `fold_seed`, `training_seed`,
            `pooled`, `mean_over_folds`.
        components: Index `level`, `metric`: `mean` over the divisions into folds, and the standard deviations of the
            pooled score `sd_folds` (other folds, same seed of the training), `sd_seed` (same folds, other seeds) and
            `sd_cases` (resampled cases, same predictions; NaN below three cases of a class).
        repeats: Number of divisions, and of seeds, the first ones included.
    """

    scores: pd.DataFrame
    components: pd.DataFrame
    repeats: int

    def __str__(self) -> str:
        lines = [
            f"Standard deviation of the pooled scores, {self.repeats} divisions into folds and {self.repeats} seeds",
            f"  {'':<28}{'mean':>7}{'folds':>8}{'seed':>8}{'cases':>8}",
        ]
        for (level, metric), (_, row) in zip(self.components.index.tolist(), self.components.iterrows(), strict=True):
            name = f"{metric_title(str(metric))} by {level}"
            numbers = [
                format_number(row[column]) if np.isfinite(row[column]) else "-"
                for column in ("mean", "sd_folds", "sd_seed", "sd_cases")
            ]
            lines.append(f"  {name:<28}{numbers[0]:>7}{numbers[1]:>8}{numbers[2]:>8}{numbers[3]:>8}")
        lines.append(
            "  folds: divided anew, same seed of the training; seed: same folds, other seeds; cases: resampled. "
            "Repeating reduces the first two only: the spread by cases needs more cases."
        )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN becomes None."""
        return {
            "repeats": self.repeats,
            "scores": table_to_dict(self.scores),
            "components": table_to_dict(self.components),
        }


def repeat_folds(
    first: tuple[Predictions, npt.NDArray[np.int64]], run: RunFolds, repeats: int, seed: int, bootstrap: Bootstrap
) -> RepeatedFolds:
    """Repeat a cross-validation with other folds and with other seeds of the training.

    Args:
        first: Predictions and folds of the cross-validation with `seed` for both.
        run: Runs one more.
        repeats: Number of divisions and of seeds, the first included: 2 x (repeats - 1) more are run.
        seed: The first seed; the others follow it.
        bootstrap: How cases are resampled.
    """
    found = {("first", seed, seed): first}
    for step in range(1, repeats):
        for name, fold_seed, training_seed in (
            (f"folds-{step + 1}", seed + step, seed),
            (f"seed-{step + 1}", seed, seed + step),
        ):
            found[name, fold_seed, training_seed] = run(name, fold_seed, training_seed)
    levels = _levels_of(first[0])
    rows: list[Mapping[str, Any]] = []
    for (name, fold_seed, training_seed), (predictions, fold_of) in found.items():
        for level, aggregation in levels.items():
            for metric in FOLD_METRICS:
                pooled, mean = score_pooled_and_folds(predictions, fold_of, metric, aggregation)
                keys = {"name": name, "level": level, "metric": metric}
                seeds = {"fold_seed": fold_seed, "training_seed": training_seed}
                rows.append({**keys, **seeds, "pooled": pooled, "mean_over_folds": mean})
    scores = pd.DataFrame(rows).set_index(["name", "level", "metric"])
    return RepeatedFolds(scores, _components(scores, first[0], levels, bootstrap), repeats)


def _levels_of(predictions: Predictions) -> dict[str, Aggregation]:
    levels = {"image": Aggregation("image")}
    if predictions.cases is not None:
        pairs = pd.DataFrame({"case": predictions.cases, "label": predictions.labels}).drop_duplicates()
        if not pairs["case"].duplicated().any():
            levels["case"] = Aggregation("case")
    return levels


def _components(
    scores: pd.DataFrame, first: Predictions, levels: Mapping[str, Aggregation], bootstrap: Bootstrap
) -> pd.DataFrame:
    names = scores.index.get_level_values("name")
    deals = scores[(names == "first") | names.str.startswith("folds-")]
    seeds = scores[(names == "first") | names.str.startswith("seed-")]
    rows = {}
    for level, aggregation in levels.items():
        over_cases = dict(zip(METRICS, _spread_over_cases(first.aggregate(aggregation), bootstrap), strict=True))
        for metric in FOLD_METRICS:
            of_deals, of_seeds = (
                table.xs((level, metric), level=("level", "metric"))["pooled"] for table in (deals, seeds)
            )
            rows[level, metric] = {
                "mean": float(of_deals.mean()),
                "sd_folds": float(of_deals.std(ddof=1)),
                "sd_seed": float(of_seeds.std(ddof=1)),
                "sd_cases": float(over_cases[metric]),
            }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["level", "metric"])
    return table


def _spread_over_cases(scored: Predictions, bootstrap: Bootstrap) -> Sequence[float]:
    statistics = CaseStatistics.of(scored)
    drawn = bootstrap.distribution(statistics.compute, statistics.strata)
    enough = count_support(METRICS, statistics.holds) >= MIN_CASES
    spread = np.full(len(METRICS), np.nan)
    for place in np.flatnonzero(enough):
        values = drawn[np.isfinite(drawn[:, place]), place]
        # Without any variation the spread is not estimable.
        spread[place] = values.std() if len(values) and np.ptp(values) > 0 else np.nan
    return spread.tolist()
