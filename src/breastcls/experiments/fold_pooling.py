"""Pools the predictions of all folds, so that every image counts once, and evaluates them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from breastcls.baselines.baseline_predictions import predict_folds_by_baselines
from breastcls.baselines.colour_comparison import score_against_colour_baseline
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.leakage import audit_leakage
from breastcls.datasets.leakage_report import LeakageReport, join_reports
from breastcls.evaluation.evaluate import describe_left_out, evaluate
from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments.fold import Fold, FoldResult
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import LEAKING
from breastcls.predictions.join_predictions import join_predictions
from breastcls.predictions.predictions import Predictions


def audit_folds(folds: Sequence[Fold]) -> LeakageReport:
    """Compare the test images of each fold with what its model is fitted on; return one report for all folds.

    Raises:
        ImageError: If an image cannot be read.
    """
    return join_reports([audit_leakage(fold.fitted_on, fold.test) for fold in folds])


def pool_predictions(results: Sequence[FoldResult], data: Dataset | None = None) -> Predictions:
    """Join the predictions of all folds, in the order of the folds, or in that of `data`.

    Raises:
        EvaluationError: If an image is in several test parts.
    """
    return _in_order(join_predictions([result.predictions for result in results]), results, data)


def _in_order(pooled: Predictions, results: Sequence[FoldResult], data: Dataset | None) -> Predictions:
    if data is None:
        return pooled
    row_of = {path: row for row, path in enumerate(data.paths)}
    return pooled[np.argsort([row_of[path] for result in results for path in result.fold.test.paths])]


def evaluate_folds(
    results: Sequence[FoldResult],
    leakage: LeakageReport,
    model: Mapping[str, Any],
    *,
    data: Dataset | None = None,
    leak_limitations: Sequence[str] = (),
    limitations: Sequence[str] = (),
    bootstrap: Bootstrap | None = None,
) -> Evaluation:
    """Evaluate the predictions of all folds together, and compare them with the colour-only baseline.

    Vectors without image files have no colours, so that a limitation takes the place of the comparison.

    Args:
        results: From `run_folds`.
        leakage: From `audit_folds`.
        model: Description of the model.
        data: All images, for predictions in their order; default: the order of the folds.
        leak_limitations: Further limitations if the folds leak.
        limitations: Further limitations.
        bootstrap: How confidence intervals are computed; 2,000 resamples by default.

    Warns:
        EvaluationWarning: If a class has few cases.
    """
    bootstrap = bootstrap or Bootstrap()
    pooled = pool_predictions(results, data)
    pairs = [(result.fold.fitted_on, result.fold.test) for result in results]
    evaluation = evaluate(pooled, bootstrap=bootstrap)
    sections: dict[str, Any] = {}
    if all(part.has_images for pair in pairs for part in pair):
        by_colour = _in_order(predict_folds_by_baselines(("colour",), pairs)["colour"], results, data)
        baseline, difference = score_against_colour_baseline(pooled, by_colour, bootstrap)
        sections = {"colour_baseline": baseline, "colour_difference": difference}
    else:
        limitations = (*limitations, describe_left_out())
    leaks = () if leakage.clean else (LEAKING, *leak_limitations)
    return dataclasses.replace(
        evaluation,
        sections={**evaluation.sections, **sections},
        leakage=leakage,
        general_limitations=(*leaks, *evaluation.general_limitations, *limitations),
        model=model,
        origin={**evaluation.origin, **({"test_data": data.name} if data is not None and data.name else {})},
    )
