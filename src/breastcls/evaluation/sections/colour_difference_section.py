"""The paired difference of the model from the colour-only baseline."""

from __future__ import annotations

from breastcls.evaluation.evaluation_context import Need
from breastcls.evaluation.section import Section, no_blocks
from breastcls.evaluation.sections.colour_baseline_section import score_colours
from breastcls.evaluation.table_schema import exact_table_schema

SECTION = Section(
    name="colour_difference",
    title="Difference from the colour-only baseline",
    part="Baselines",
    description="The metrics less those of the colour-only baseline, with paired intervals over cases; as metrics.",
    needs=(Need.TRAINING_SET,),
    compute=lambda context: score_colours(context)[1],
    columns=("value", "low", "high", "reason"),
    schema=exact_table_schema("value", "low", "high", "reason"),
    report=no_blocks,  # The table of the colour-only baseline has it as a column.
)
