"""`compare_pooling`: cross-validation of attention over the images of a case, and of their mean, on the same folds."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.comparison.compare_models import compare
from breastcls.comparison.comparison import Comparison
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_labelled
from breastcls.errors import TrainingError
from breastcls.experiments.case_pooling.attention_pooling import POOLINGS
from breastcls.experiments.case_pooling.case_bags import make_bags
from breastcls.experiments.case_pooling.case_model import CaseModel
from breastcls.experiments.case_pooling.case_model_fit import PENALTIES, check_pooling_arguments, fit_case_model
from breastcls.experiments.case_pooling.pooling_comparison import SHOWN, PoolingComparison
from breastcls.experiments.fold_plan import FoldPlan
from breastcls.experiments.fold_pooling import audit_folds
from breastcls.experiments.fold_scores import mean_over_folds, one_metric
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predictions import Predictions


def compare_pooling(
    data: Dataset,
    poolings: Sequence[str] = POOLINGS,
    *,
    folds: int = 5,
    hidden: int = 32,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
    bootstrap: Bootstrap | None = None,
) -> PoolingComparison:
    """Train and test classifiers of cases with attention over their images, and with the mean as the baseline.

    Every case is predicted by models that were not fitted on it. All poolings have the same folds, the same solver and
    the same penalties, of which one is chosen within the training cases; the mean is attention with equal weights. See
    `fit_case_model`.

    Args:
        data: Images with vectors, labels and cases, of `load_embeddings` or `extract_features`; all images of a case
            have one class.
        poolings: "mean" and one or more of "attention" and "gated-attention".
        folds: Number of folds by case.
        hidden: Number of hidden units of the attention.
        penalties: Penalties to choose from within each training part.
        seed: Seed of the folds, within folds, and of the initial attention.
        bootstrap: How confidence intervals are computed; 2,000 resamples by default.

    Returns:
        The table, the predictions and the attention; print it, or draw a case by `plot_case`.

    Raises:
        DatasetError: If `data` is no dataset, or labels or cases are not known.
        TrainingError: If there are no vectors, a case holds several classes, or an argument is not valid.
        SplitError: If a class has fewer cases than there are folds.
        LeakageError: If the folds share files, pixels or vectors.

    Warns:
        EvaluationWarning: If a class has few cases.
        TrainingWarning: As `fit_case_model`.

    Example:
        >>> result = compare_pooling(data)  # doctest: +SKIP
        >>> print(result)  # doctest: +SKIP
        >>> result.plot_case("14-22549", "attention.png")  # doctest: +SKIP
    """
    require_labelled("data", data, "Training")
    names = tuple(dict.fromkeys(poolings))
    check_pooling_arguments(names, hidden, penalties, seed)
    if "mean" not in names or len(names) < 2:
        raise TrainingError(f"poolings must have 'mean', and another to compare with it; found {names!r}.")
    cases = make_bags(data).cases
    parts, _ = FoldPlan(folds, "case", seed).divide(data)
    leakage = audit_folds(parts)
    leakage.raise_if_leaking(has_argument=False)
    predicted: dict[str, list[Predictions]] = {name: [] for name in names}
    models: dict[str, list[CaseModel]] = {name: [] for name in names}
    attention = []
    for number, fold in enumerate(parts, start=1):
        for name in names:
            model = fit_case_model(fold.train, name, hidden=hidden, penalties=penalties, seed=seed)
            models[name].append(model)
            predicted[name].append(model.predict(fold.test))
            if name != "mean":
                table = model.attend(fold.test)
                table.insert(0, "pooling", name)
                table.insert(3, "fold", number)
                attention.append(table)
    joined = {name: _join(several, cases) for name, several in predicted.items()}
    found = compare(joined, metric="roc_auc", aggregation="case", bootstrap=bootstrap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        of_folds = {
            name: {metric: mean_over_folds([one_metric(one, metric) for one in several]) for metric in SHOWN}
            for name, several in predicted.items()
        }
    return PoolingComparison(
        table=_table(found, of_folds),
        comparison=found,
        predictions=joined,
        attention=pd.concat(attention, ignore_index=True),
        penalties={name: tuple(one.penalty for one in several) for name, several in models.items()},
        settings={"folds": folds, "seed": seed, "hidden": hidden, "penalties": [float(one) for one in penalties]},
        leakage=leakage,
    )


def _join(parts: Sequence[Predictions], cases: npt.NDArray[np.object_]) -> Predictions:
    """Return the predictions of all folds, in the order of the cases of the data."""
    names = np.concatenate([one.cases for one in parts if one.cases is not None])
    place = {name: row for row, name in enumerate(names.tolist())}
    order = [place[name] for name in cases.tolist()]
    whole = Predictions.from_arrays(
        probabilities=np.concatenate([one.probabilities for one in parts])[order],
        labels=np.concatenate([one.labels for one in parts])[order],
        cases=names[order],
        classes=parts[0].classes,
        part="out-of-fold",
        distinct=True,
    )
    return dataclasses.replace(whole, level="case", distinct=parts[0].distinct)


def _table(found: Comparison, of_folds: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    rows = {}
    scores: Any = found.scores
    for name in found.metrics.columns:
        row: dict[str, float] = {}
        for metric in SHOWN:
            if (name, metric) not in scores.index:
                continue
            score = scores.loc[(name, metric)]
            row |= {metric: score["value"], f"{metric}_low": score["low"], f"{metric}_high": score["high"]}
            row[f"{metric}_folds"] = of_folds[name][metric]
            against = np.array([np.nan, np.nan, np.nan])
            if name != "mean":
                against = _against_mean(found.differences, str(name), metric)
            row |= dict(zip((f"{metric}_difference{end}" for end in ("", "_low", "_high")), against, strict=True))
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pooling")


def _against_mean(differences: Any, name: str, metric: str) -> npt.NDArray[np.float64]:
    """Return the difference of a pooling from the mean, and its interval."""
    for first, second, sign in ((name, "mean", 1), ("mean", name, -1)):
        if (first, second, metric) in differences.index:
            row = differences.loc[(first, second, metric)]
            ends = sorted((sign * float(row["low"]), sign * float(row["high"])))
            return np.array([sign * float(row["difference"]), *ends])
    return np.full(3, np.nan)
