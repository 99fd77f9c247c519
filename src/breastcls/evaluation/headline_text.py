"""The two metrics that an evaluation is summarised by."""

from __future__ import annotations

import pandas as pd

from breastcls.intervals.score_values import interval_text
from breastcls.metrics.metric_descriptions import metric_title

HEADLINE = ("balanced_accuracy", "roc_auc")


def headline(metrics: pd.DataFrame) -> str:
    """Return balanced accuracy and ROC AUC with their confidence intervals in one line."""
    first, second = (f"{metric_title(name)} {interval_text(metrics.loc[name])}" for name in HEADLINE)
    return f"{first[0].upper()}{first[1:]}, {second}"
