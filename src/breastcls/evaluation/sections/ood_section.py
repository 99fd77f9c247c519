"""How well the model's uncertainty detects out-of-distribution images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from breastcls.evaluation.evaluation_context import EvaluationContext, Need
from breastcls.evaluation.report.any_table import any_table
from breastcls.evaluation.section import Section
from breastcls.intervals.limitations import find_ood_limitations
from breastcls.predictions.predictions import Predictions
from breastcls.uncertainty.out_of_distribution import score_ood


def _compute(context: EvaluationContext) -> pd.DataFrame:
    ood: Any = context.ood
    if isinstance(context.source, Predictions):
        return score_ood(None, context.predictions, ood, bootstrap=context.bootstrap)
    test: Any = context.test
    return score_ood(
        context.source, test, ood, context.train, bootstrap=context.bootstrap, **context.prediction_options
    )


def _limitations(table: pd.DataFrame, context: EvaluationContext) -> Sequence[str]:
    assert context.ood is not None
    return find_ood_limitations(context.predictions.cases, context.ood.cases)


def _cases(table: pd.DataFrame, context: EvaluationContext) -> Mapping[str, int]:
    assert context.ood is not None
    sets = {"in-distribution": context.predictions.cases, "out-of-distribution": context.ood.cases}
    return {name: len(set(cases.tolist())) for name, cases in sets.items() if cases is not None}


SECTION = Section(
    name="ood",
    title="Out-of-distribution detection",
    description="Out-of-distribution detection, one row per uncertainty score.",
    needs=(Need.OOD_IMAGES,),
    compute=_compute,
    attachable=True,
    columns=tuple(f"{name}{end}" for name in ("auroc", "fpr95") for end in ("", "_low", "_high")),
    report=lambda table, evaluation: [
        any_table(evaluation, table, "Score", "Detection of out-of-distribution images by uncertainty scores.")
    ],
    limitations=_limitations,
    cases=_cases,
)
