"""What six colour statistics per image reach on the same split."""

from __future__ import annotations

import dataclasses

import pandas as pd

from breastcls.baselines.baseline_predictions import predict_by_baseline
from breastcls.baselines.colour_comparison import score_against_colour_baseline
from breastcls.evaluation.evaluation_context import EvaluationContext, Need
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.headline_text import HEADLINE
from breastcls.evaluation.report.blocks import Block, Column, Paragraph, Table, Verdict
from breastcls.evaluation.report.table_cells import score_cell, text_cell
from breastcls.evaluation.section import Section
from breastcls.evaluation.sections.metrics_section import shown_metrics
from breastcls.intervals.limitations import NO_IMAGES, few_cases, not_estimable_sentence
from breastcls.intervals.paired_scores import change_text
from breastcls.intervals.score_values import UNDEFINED, interval_text, read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import is_defined

NOT_COMPARABLE = "Whether the model is better than the colour-only baseline is not estimable."


def score_colours(context: EvaluationContext) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the metrics of the colour-only baseline and the paired difference of the model from it."""
    return context.compute_once("colour", lambda: _score(context))


def _score(context: EvaluationContext) -> tuple[pd.DataFrame, pd.DataFrame]:
    assert context.train is not None
    assert context.test is not None
    by_colour = predict_by_baseline("colour", context.train, context.test)
    if context.predictions.cases is not None or context.aggregation.level != "image":
        # Both must be aggregated to, and resampled as, the same cases.
        by_colour = dataclasses.replace(by_colour, cases=context.predictions.cases, slides=context.predictions.slides)
    return score_against_colour_baseline(context.scored, by_colour.aggregate(context.aggregation), context.bootstrap)


def _text(baseline: pd.DataFrame, evaluation: EvaluationData) -> list[str]:
    difference = evaluation.value_of("colour_difference")
    lines = ["Colour-only baseline (mean and standard deviation of R, G, B; no network) on the same split"]
    for name in HEADLINE:
        if name in baseline.index:
            row = None if difference is None else difference.loc[name]
            change = "" if row is None else f"; the model {change_text(row['value'], row['low'], row['high'])}"
            lines.append(f"  {name:<26}{interval_text(baseline.loc[name])}{change}")
    return lines


def baseline_table(baseline: pd.DataFrame, evaluation: EvaluationData) -> Table:
    """Return the scores of the model, of the colour-only baseline, and their difference where known."""
    model, colour = read_scores(evaluation.value_of("metrics")), read_scores(baseline)
    paired = evaluation.value_of("colour_difference")
    difference = {} if paired is None else read_scores(paired)
    names = [name for name in shown_metrics(evaluation.value_of("metrics")) if name in colour]
    names = [name for name in names if describe_metric(name).is_score]
    rows = []
    for name in names:
        cells = [score_cell(scores[name]) for scores in (model, colour, difference) if scores]
        rows.append((text_cell(describe_metric(name).name), *cells))
    columns = (
        Column("Metric", "text"),
        Column("Model", "number"),
        Column("Colour-only baseline", "number"),
        *([Column("Difference", "number")] if difference else []),
    )
    caption = (
        f"The model and the colour-only baseline on the same split, with {evaluation.percent} confidence intervals "
        "over cases."
    )
    if difference:
        caption += " The interval of the difference is paired: both are resampled over the same cases."
    return Table(caption, columns, tuple(rows))


def baseline_verdict(baseline: pd.DataFrame, evaluation: EvaluationData) -> Verdict | None:
    """Return in words how the model compares with the colour-only baseline, or None where an AUC is not defined."""
    model = read_scores(evaluation.value_of("metrics")).get("roc_auc", UNDEFINED)
    colour = read_scores(baseline).get("roc_auc", UNDEFINED)
    if not (is_defined(model.value) and is_defined(colour.value)):
        return None
    values = f"ROC AUC {model.value_text} of the model, {colour.value_text} of the colour-only baseline."
    why = not_estimable_sentence(evaluation.counts)
    if why:
        return Verdict("not-estimable", NOT_COMPARABLE, f"{values} {why}")
    if model.value <= colour.value:
        text = f"{values} The result does not show that the model uses more than staining."
        return Verdict("bad", "The model is no better than the colour-only baseline.", text)
    paired = evaluation.value_of("colour_difference")
    difference = UNDEFINED if paired is None else read_scores(paired).get("roc_auc", UNDEFINED)
    if difference.has_interval:
        on_same = f"{values} The paired difference is {difference.value_text} ({difference.interval_text})."
        few = few_cases(evaluation.counts)
        if difference.low > 0 and few:
            text = f"{on_same} {' '.join(few)}"
            return Verdict("caution", "The cases are too few to compare the model with the colour-only baseline.", text)
        if difference.low > 0:
            return Verdict("good", "The model is better than the colour-only baseline.", on_same)
        text = f"{on_same} The difference may be due to chance."
        return Verdict("caution", "The model is not shown to be better than the colour-only baseline.", text)
    if model.has_interval and colour.has_interval and model.low > colour.high and not few_cases(evaluation.counts):
        text = f"{values} The two confidence intervals do not overlap."
        return Verdict("good", "The model is better than the colour-only baseline.", text)
    if paired is not None:
        text = f"{values} The paired difference has no confidence interval."
        return Verdict("not-estimable", NOT_COMPARABLE, text)
    return Verdict(
        "caution",
        "The model is not clearly better than the colour-only baseline.",
        f"{values} The two confidence intervals overlap, or one is not defined; only a paired comparison on the same "
        "cases can show whether the difference is more than chance.",
    )


def _report(baseline: pd.DataFrame, evaluation: EvaluationData) -> list[Block]:
    text = (
        "A logistic regression on six numbers per image, the mean and the standard deviation of red, green and blue, "
        "without a network: its score is what staining alone reaches on the same split."
    )
    return [Paragraph(text), baseline_table(baseline, evaluation)]


def _report_absent(evaluation: EvaluationData) -> list[Block]:
    without = [one for one in evaluation.general_limitations if one.startswith(NO_IMAGES)]
    if without:
        return [Paragraph("Not measured: the data are vectors without image files, and so without colours.")]
    text = (
        "Not measured: the colour-only baseline is fitted on the training images, which were not given. Give them to "
        "evaluate (train=...) to see how much of the score staining alone reaches."
    )
    return [Paragraph(text)]


SECTION = Section(
    name="colour_baseline",
    title="Colour-only baseline",
    part="Baselines",
    description="The metrics of a model of six colour statistics per image, fitted on the same split; as metrics.",
    needs=(Need.TRAINING_SET,),
    compute=lambda context: score_colours(context)[0],
    columns=("value", "low", "high", "reason"),
    text=_text,
    report=_report,
    report_absent=_report_absent,
    verdict=baseline_verdict,
    glossary=(
        (
            "Colour-only baseline",
            "Staining differs between slides, and sometimes between classes. A model that is no better than colour "
            "has not been shown to use the structure of the tissue.",
        ),
    ),
)
