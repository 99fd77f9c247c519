"""What a predicted class means at stated prevalences."""

from __future__ import annotations

import warnings

import pandas as pd

from breastcls.decisions.operating_points import operating_table
from breastcls.errors import EvaluationWarning
from breastcls.evaluation.evaluation_context import EvaluationContext, Need
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import Cell, Column, Table
from breastcls.evaluation.report.table_cells import score_cell, sort_value
from breastcls.evaluation.section import Section
from breastcls.intervals.score_values import Score
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_number

_METRICS = ("sensitivity", "specificity", "ppv", "npv")


def _compute(context: EvaluationContext) -> pd.DataFrame:
    with warnings.catch_warnings():
        # `evaluate` itself warns of few cases.
        warnings.simplefilter("ignore", EvaluationWarning)
        return operating_table(context.scored, prevalences=context.prevalences, bootstrap=context.bootstrap)


def operating_points(operating: pd.DataFrame, evaluation: EvaluationData) -> Table:
    """Return sensitivity, specificity and the predictive values at each stated prevalence."""
    several = operating.index.unique(0).size > 1
    # At one threshold sensitivity and specificity are the same at every prevalence; the first page has them.
    metrics = _METRICS if several else _METRICS[2:]
    rows = []
    for (threshold, prevalence), row in zip(operating.index, operating.to_dict("records"), strict=True):
        cells = [Cell(f"{100 * prevalence:.3g}%", sort_value(prevalence))]
        cells += [Cell(format_number(threshold, 2), sort_value(threshold))] * several
        cells += [score_cell(Score(row[name], row[f"{name}_low"], row[f"{name}_high"])) for name in metrics]
        rows.append(tuple(cells))
    columns = [Column("Prevalence", "number"), *([Column("Threshold", "number")] * several)]
    columns += [Column(describe_metric(name).short, "number") for name in metrics]
    positive = evaluation.classes[-1]
    caption = (
        f"Predictive values where that share of the {evaluation.unit}s is {positive}, with {evaluation.percent} "
        "confidence intervals. Sensitivity and specificity are assumed to be the same at every "
        "prevalence, which need not hold at another site."
    )
    return Table(caption, tuple(columns), tuple(rows))


SECTION = Section(
    name="operating",
    title="Predictive values",
    part="Decision threshold and net benefit",
    description="Two classes: sensitivity, specificity and predictive values; each index is [threshold, prevalence].",
    needs=(Need.TWO_CLASSES,),
    compute=_compute,
    columns=tuple(f"{name}{end}" for name in _METRICS for end in ("", "_low", "_high")),
    index=("threshold", "prevalence"),
    rows="threshold and prevalence",
    report=lambda operating, evaluation: [operating_points(operating, evaluation)],
    glossary=(
        (
            "Prevalence, PPV and NPV",
            "How likely a predicted class is to be right depends on how common the class is where the model is used. "
            "Where one in a hundred is positive, most positive predictions are wrong even with a good model.",
        ),
    ),
)
