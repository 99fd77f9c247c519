"""Precision, recall, specificity and F1 of each class."""

from __future__ import annotations

import pandas as pd

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.any_table import metrics_by_row
from breastcls.evaluation.report.blocks import Table
from breastcls.evaluation.section import Section
from breastcls.evaluation.sections.metrics_section import compute_with_classes
from breastcls.metrics.classification_metrics import PER_CLASS


def class_table(per_class: pd.DataFrame, evaluation: EvaluationData) -> Table:
    """Return the metrics of each class."""
    two = len(evaluation.classes) == 2
    # Of two classes the specificity of one is the recall of the other.
    shown = [name for name in PER_CLASS if not (two and name == "specificity")]
    caption = f"Each class against the rest, with {evaluation.percent} confidence intervals over cases."
    return metrics_by_row(per_class, "Class", shown, caption)


SECTION = Section(
    name="per_class",
    title="By class",
    part="Subgroups",
    description="One row per class.",
    always=True,
    compute=lambda context: compute_with_classes(context)[1],
    columns=("images", "cases", *(f"{name}{end}" for name in PER_CLASS for end in ("", "_low", "_high"))),
    rows="class",
    report=lambda per_class, evaluation: [class_table(per_class, evaluation)],
)
