"""The score after information is removed from the images."""

from __future__ import annotations

from breastcls.evaluation.report.any_table import any_table
from breastcls.evaluation.section import Section

SECTION = Section(
    name="shortcuts",
    title="Shortcut checks",
    part="Baselines",
    description="One row per check, in which information is removed from the images.",
    report=lambda table, evaluation: [
        any_table(evaluation, table, "Check", "The score after information is removed from the images.")
    ],
)
