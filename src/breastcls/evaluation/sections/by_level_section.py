"""The metrics by image, by slide and by case."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from breastcls.evaluation.evaluation_context import EvaluationContext
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.headline_text import headline
from breastcls.evaluation.report.blocks import Verdict
from breastcls.evaluation.section import Section, no_blocks
from breastcls.intervals.score_tables import score_levels
from breastcls.intervals.score_values import read_levels
from breastcls.metrics.number_format import is_defined


def _score(context: EvaluationContext) -> tuple[pd.DataFrame, tuple[str, ...]]:
    known: Mapping[str, pd.DataFrame] = {context.scored.level: context.values["metrics"]}
    return context.compute_once(
        "levels", lambda: score_levels(context.predictions, context.bootstrap, context.aggregation, known)
    )


def _text(by_level: pd.DataFrame, evaluation: EvaluationData) -> list[str]:
    others = [level for level in by_level.index.unique(0) if level != evaluation.unit]
    return [f"By {level}: {headline(by_level.loc[level])}" for level in others]


def level_verdict(by_level: pd.DataFrame, evaluation: EvaluationData) -> Verdict | None:
    """Return balanced accuracy by case, where images or slides were scored and cases are known."""
    levels = read_levels(by_level)
    if evaluation.unit == "case" or "case" not in levels:
        return None
    score = levels["case"]["balanced_accuracy"]
    if not is_defined(score.value):
        return None
    interval = f"{evaluation.percent} CI {score.interval_text}"
    text = "Each case counts once: the probabilities of its images are aggregated first."
    return Verdict("", f"By case the balanced accuracy is {score.value_text} ({interval}).", text)


SECTION = Section(
    name="by_level",
    title="Metrics by image, slide and case",
    part="Metrics",
    description="The metrics by image, slide and case; each index is [level, metric].",
    compute=lambda context: _score(context)[0],
    columns=("value", "low", "high", "reason"),
    index=("level", "metric"),
    text=_text,
    report=no_blocks,  # The table of the metrics has the levels as columns.
    verdict=level_verdict,
    glossary=(
        (
            "By image, slide and case",
            "By image every image counts the same, so a case with many images has more weight. By case the images of a "
            "case are aggregated to one probability first, and each case counts once.",
        ),
    ),
    limitations=lambda by_level, context: _score(context)[1],
)
