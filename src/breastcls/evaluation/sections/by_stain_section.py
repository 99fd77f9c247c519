"""The metrics by quarter of the stain, from pink to blue."""

from __future__ import annotations

import pandas as pd

from breastcls.evaluation.evaluation_context import EvaluationContext, Need
from breastcls.evaluation.report.any_table import group_blocks
from breastcls.evaluation.section import Section


def score_appearance(context: EvaluationContext) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return the metrics by quarter of stain and of sharpness: both are measured in one pass over the images."""
    from breastcls.robustness.appearance_groups import score_by_appearance

    assert context.test is not None
    test = context.test
    return context.compute_once("appearance", lambda: score_by_appearance(context.predictions, test, context.bootstrap))


SECTION = Section(
    name="by_stain",
    title="By stain",
    part="Subgroups",
    description="One row per quarter of the stain, from pink to blue, by the share of red in the optical density.",
    needs=(Need.MODEL,),
    compute=lambda context: score_appearance(context)[0],
    attachable=True,
    columns=("images", "cases"),
    rows="stain",
    report=lambda table, evaluation: group_blocks(
        evaluation, table, "Quarter", "Quarters by the share of red in the optical density (a ratio, 0 to 1)"
    ),
)
