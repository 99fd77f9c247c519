"""The metrics of a cross-validation pooled over folds, beside their means over folds."""

from __future__ import annotations

import pandas as pd

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import Block, Cell, Column, Paragraph, Table, Verdict
from breastcls.evaluation.report.table_cells import score_cell, sort_value, text_cell
from breastcls.evaluation.section import Section
from breastcls.intervals.score_values import Score, interval_text
from breastcls.metrics.metric_descriptions import describe_metric, metric_title
from breastcls.metrics.number_format import format_number

COLUMNS = ("pooled", "pooled_low", "pooled_high", "pooled_reason", "mean_over_folds", "lowest", "highest", "folds")
CHANCE = 0.5
BELOW_CHANCE = (
    "A score below chance is not evidence that reversed predictions would be right. In a cross-validation of few cases "
    "it is common where nothing was learned: a case that is left out shifts the class means of the training images "
    "away from it, so that pooled predictions rank below 0.5 on average, and the spread is wide. A permutation test "
    "(breastcls.experiments.permutation_test) shows where chance is for these images and cases."
)


def _text(folds: pd.DataFrame, evaluation: EvaluationData) -> list[str]:
    lines = ["Pooled over folds, and mean over the folds in which it is defined (lowest to highest)"]
    for (level, metric), (_, row) in zip(folds.index.tolist(), folds.iterrows(), strict=True):
        pooled = interval_text({"value": row["pooled"], "low": row["pooled_low"], "high": row["pooled_high"]})
        name = f"{metric_title(str(metric))} by {level}"
        lines.append(f"  {name:<28}{pooled:<28}{_over_folds(row)}")
    return lines


def _over_folds(row: pd.Series) -> str:
    if not row["folds"]:
        return "not defined in any fold"
    numbers = (format_number(row[name]) for name in ("mean_over_folds", "lowest", "highest"))
    return "{} ({} to {}; {:.0f} folds)".format(*numbers, row["folds"])


def is_below_chance(folds: pd.DataFrame) -> bool:
    """Return whether a ROC AUC, pooled or over folds, is below one half."""
    of_auc = folds.index.get_level_values("metric") == "roc_auc"
    return bool((folds.loc[of_auc, ["pooled", "mean_over_folds"]] < CHANCE).any(axis=None))


def _report(folds: pd.DataFrame, evaluation: EvaluationData) -> list[Block]:
    rows = []
    for (level, metric), (_, row) in zip(folds.index.tolist(), folds.iterrows(), strict=True):
        mean = Cell(format_number(row["mean_over_folds"]), sort_value(row["mean_over_folds"]), _over_folds(row))
        pooled = score_cell(Score(row["pooled"], row["pooled_low"], row["pooled_high"]))
        rows.append((text_cell(f"{describe_metric(str(metric)).name} by {level}"), pooled, mean))
    caption = (
        f"Pooled over the predictions of all folds, with the {evaluation.percent} confidence interval over cases, and "
        "the mean over the folds in which the metric is defined, with the lowest and the highest fold."
    )
    columns = (Column("Metric", "text"), Column("Pooled", "number"), Column("Mean over folds", "number"))
    text = (
        "Pooling compares predictions of different models; a mean over folds does not, but each fold has few cases. "
        "Where both differ much, neither is reliable."
    )
    return [Paragraph(text), Table(caption, columns, tuple(rows))]


def _verdict(folds: pd.DataFrame, evaluation: EvaluationData) -> Verdict | None:
    if not is_below_chance(folds):
        return None
    text = "This is not evidence that reversed predictions would be right; see the limitations."
    return Verdict("caution", "A ROC AUC is below chance.", text)


SECTION = Section(
    name="folds",
    title="Pooled and mean over folds",
    description="Of a cross-validation: metrics pooled over folds, and their means over folds.",
    columns=COLUMNS,
    index=("level", "metric"),
    text=_text,
    report=_report,
    verdict=_verdict,
)
