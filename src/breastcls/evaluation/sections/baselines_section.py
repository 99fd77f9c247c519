"""What further simple models reach on the same split."""

from __future__ import annotations

from breastcls.evaluation.report.any_table import any_table
from breastcls.evaluation.section import Section

SECTION = Section(
    name="baselines",
    title="Simple models",
    part="Baselines",
    description="One row per simple model.",
    report=lambda table, evaluation: [
        any_table(evaluation, table, "Simple model", "Metrics of simple models on the same split.")
    ],
)
