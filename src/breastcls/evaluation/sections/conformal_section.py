"""Coverage and size of the conformal prediction sets that the model stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from breastcls.decisions.conformal_sets import ConformalSets
from breastcls.evaluation.evaluation_context import EvaluationContext
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.any_table import any_table, in_words
from breastcls.evaluation.report.blocks import Block, FactList, Table
from breastcls.evaluation.report.provenance import Facts, describe_value
from breastcls.evaluation.section import Section


def _compute(context: EvaluationContext) -> dict[str, Any] | None:
    """Return the coverage and size of the stored prediction sets; None where there are none for this level."""
    stored = context.provenance.get("conformal")
    if not isinstance(stored, Mapping) or stored.get("level") != context.scored.level:
        return None
    allow_leakage = bool(context.prediction_options.get("allow_leakage"))
    return ConformalSets.from_dict(stored).describe(context.scored, context.bootstrap, allow_leakage=allow_leakage)


def conformal_facts(conformal: Mapping[str, Any]) -> Facts:
    """Return all values but the tables, as pairs of title and text."""
    return [
        (in_words(str(key)), describe_value(value))
        for key, value in conformal.items()
        if not isinstance(value, pd.DataFrame) and value is not None
    ]


def conformal_tables(conformal: Mapping[str, Any], evaluation: EvaluationData) -> list[Table]:
    """Return the tables."""
    return [
        any_table(evaluation, value, in_words(str(value.index.name or "")), f"{in_words(str(key))}.")
        for key, value in conformal.items()
        if isinstance(value, pd.DataFrame)
    ]


def _report(conformal: Mapping[str, Any], evaluation: EvaluationData) -> list[Block]:
    facts = conformal_facts(conformal)
    return [*([FactList(facts)] if facts else []), *conformal_tables(conformal, evaluation)]


SECTION = Section(
    name="conformal",
    title="Prediction sets",
    part="Uncertainty and selective prediction",
    description="Conformal prediction sets; `coverage` in the table `sets` is the mean over cases.",
    compute=_compute,
    attachable=True,
    schema={"type": "object"},
    report=_report,
)
