"""The metrics within each histological subtype."""

from __future__ import annotations

import pandas as pd

from breastcls.datasets.subtype_names import describe_subtype
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.any_table import group_blocks
from breastcls.evaluation.report.blocks import Block
from breastcls.evaluation.section import Section
from breastcls.evaluation.subgroup_columns import GROUP_COLUMNS
from breastcls.intervals.score_tables import score_groups


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(index=lambda code: describe_subtype(str(code)))


def subtype_blocks(by_subtype: pd.DataFrame, evaluation: EvaluationData) -> list[Block]:
    """Return the metrics of each subtype, each with its name."""
    return group_blocks(evaluation, _named(by_subtype), "Subtype")


SECTION = Section(
    name="by_subtype",
    title="By subtype",
    part="Subgroups",
    description="One row per subtype.",
    compute=lambda context: score_groups(context.scored, context.scored.subtypes, "", "subtype", context.bootstrap),
    columns=GROUP_COLUMNS,
    rows="subtype",
    table=_named,
    report=subtype_blocks,
)
