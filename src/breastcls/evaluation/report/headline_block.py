"""The first part of the report: the result in one sentence, its most important values, and the findings."""

from __future__ import annotations

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.headline_text import HEADLINE
from breastcls.evaluation.report.blocks import Headline, KeyValue, Verdict
from breastcls.intervals.limitations import not_estimable_sentence
from breastcls.intervals.score_values import UNDEFINED, Score, read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_count

FEW_CASES = 10


def headline_block(evaluation: EvaluationData, findings: tuple[tuple[Verdict, str], ...]) -> Headline:
    """Return the headline of the report.

    Args:
        evaluation: The evaluation.
        findings: Verdicts, each with the anchor of the part of the report that explains it.
    """
    balanced_accuracy, roc_auc = (_key_value(evaluation, name) for name in HEADLINE)
    return Headline(
        sample=sample_in_words(evaluation),
        task=task_in_words(evaluation),
        percent=evaluation.percent,
        balanced_accuracy=balanced_accuracy,
        roc_auc=roc_auc,
        values=key_values(evaluation),
        findings=findings,
    )


def key_values(evaluation: EvaluationData) -> tuple[KeyValue, ...]:
    """Return the two headline metrics and the counts that they are based on."""
    values = [_key_value(evaluation, name) for name in HEADLINE]
    for name in ("images", "slides", "cases"):
        count = evaluation.counts.get(name)
        if count:
            values.append(KeyValue((name if count != 1 else name[:-1]).capitalize(), f"{count:,}"))
    return tuple(values)


def headline_score(evaluation: EvaluationData, name: str) -> Score:
    """Return a metric; one that is not in the table is not defined."""
    return read_scores(evaluation.value_of("metrics")).get(name, UNDEFINED)


def sample_in_words(evaluation: EvaluationData) -> str:
    """Return the counts in words, such as "839 images of 48 slides from 40 cases"."""
    counts = evaluation.counts
    words = format_count(counts["images"], "image")
    if counts.get("slides"):
        words += f" of {format_count(counts['slides'], 'slide')}"
    return f"{words} from {format_count(counts['cases'], 'case')}" if counts.get("cases") else words


def task_in_words(evaluation: EvaluationData) -> str:
    """Return the task of the model, such as "distinguished benign from malignant, the positive class,"."""
    classes = evaluation.classes
    if len(classes) == 2:
        return f"distinguished {classes[0]} from {classes[1]}, the positive class,"
    return f"classified {evaluation.unit}s into {len(classes)} classes"


def size_verdict(evaluation: EvaluationData) -> Verdict | None:
    """Return a warning where the smallest class has few cases."""
    if evaluation.predictions.cases is None:
        return None
    cases = {name: of["cases"] for name, of in evaluation.counts["classes"].items() if of["cases"]}
    if not cases or min(cases.values()) >= FEW_CASES:
        return None
    why = not_estimable_sentence(evaluation.counts)
    if why:
        return Verdict("bad", "Too few cases.", f"{why} The values may be due to chance.")
    name = min(cases, key=lambda one: cases[one])
    return Verdict(
        "caution",
        "Few cases.",
        f"Every result on {name} is based on {format_count(cases[name], 'case')}; the confidence intervals are wide, "
        "and may still be too narrow.",
    )


def _key_value(evaluation: EvaluationData, name: str) -> KeyValue:
    score = headline_score(evaluation, name)
    return KeyValue(describe_metric(name).name, score.value_text, score.interval_text)
