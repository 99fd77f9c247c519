"""The metrics by quarter of the sharpness."""

from __future__ import annotations

from breastcls.evaluation.evaluation_context import Need
from breastcls.evaluation.report.any_table import group_blocks
from breastcls.evaluation.section import Section
from breastcls.evaluation.sections.by_stain_section import score_appearance

SECTION = Section(
    name="by_sharpness",
    title="By sharpness",
    part="Subgroups",
    description="One row per quarter of the sharpness, the variance of the Laplacian in squared grey levels.",
    needs=(Need.MODEL,),
    compute=lambda context: score_appearance(context)[1],
    attachable=True,
    columns=("images", "cases"),
    rows="sharpness",
    report=lambda table, evaluation: group_blocks(
        evaluation, table, "Quarter", "Quarters by the variance of the Laplacian of the luminance (squared grey levels)"
    ),
)
