"""The metrics at each magnification."""

from __future__ import annotations

import pandas as pd

from breastcls.evaluation.evaluation_context import EvaluationContext
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.any_table import group_blocks
from breastcls.evaluation.report.blocks import Block
from breastcls.evaluation.section import Section
from breastcls.evaluation.subgroup_columns import GROUP_COLUMNS
from breastcls.intervals.score_tables import score_groups


def _compute(context: EvaluationContext) -> pd.DataFrame | None:
    scored = context.scored
    return score_groups(scored, scored.magnifications, -1, "magnification", context.bootstrap)


def magnification_blocks(by_magnification: pd.DataFrame, evaluation: EvaluationData) -> list[Block]:
    """Return the metrics at each magnification; nothing for one, whose metrics are those of all images."""
    if len(by_magnification) < 2:
        return []
    return group_blocks(evaluation, by_magnification.rename(index=lambda times: f"{times}×"), "Magnification")


SECTION = Section(
    name="by_magnification",
    title="By magnification",
    part="Subgroups",
    description="One row per magnification.",
    compute=_compute,
    columns=GROUP_COLUMNS,
    rows="magnification",
    report=magnification_blocks,
)
