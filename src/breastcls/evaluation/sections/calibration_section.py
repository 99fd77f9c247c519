"""Whether predicted probabilities agree with observed frequencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from breastcls.calibration.assessment import Calibration, assess_calibration
from breastcls.calibration.consistency_resampling import BIAS
from breastcls.decisions.stored_decision_limitations import calibration_record
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.report.blocks import Block, Cell, Column, Details, Table, Verdict
from breastcls.evaluation.report.table_cells import (
    count_cell,
    score_cell,
    sort_value,
    text_cell,
)
from breastcls.evaluation.section import Section, SectionFigure
from breastcls.evaluation.table_schema import table_schema
from breastcls.intervals.limitations import NO_PROBABILITIES, few_cases, not_estimable_sentence
from breastcls.intervals.score_values import Score, interval_text, read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_interval, format_number, is_defined

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Rules of thumb: an error too small to matter, and one that a test set must be able to show before it supports a model.
# On fewer cases than that no observed frequency is known within the latter. The predicted probabilities cannot replace
# cases: the nearer to 0 or 1 they are, the less room is left to chance, whether they are right or wrong.
SMALL_ERROR, LARGE_ERROR = 0.05, 0.10
ENOUGH_CASES = 100
# Probability of so large an error by chance alone, below which it is reported, and below which its tone is "bad".
SELDOM, VERY_SELDOM = 0.05, 0.01

_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["errors", "consistency", "bias", "equal_width", "equal_mass", "brier", "bins", "event"],
    "properties": {
        **{name: table_schema("value", "low", "high", "reason") for name in ("errors", "bias", "brier")},
        "consistency": table_schema("expected", "upper", "p"),
        **{
            name: table_schema("lower", "upper", "images", "cases", "probability", "frequency", "low", "high", "reason")
            for name in ("equal_width", "equal_mass")
        },
        "bins": {"type": "integer", "minimum": 1},
        "event": {"enum": ["positive class", "predicted class"]},
    },
}


def _text(calibration: Calibration, evaluation: EvaluationData) -> list[str]:
    error = interval_text(calibration.errors.loc["ece_equal_mass"])
    consistency = calibration.consistency.loc["ece_equal_mass"]
    return [
        f"Expected calibration error {error}, bins of equal mass; by chance alone {consistency['expected']:.3f}, up to "
        f"{consistency['upper']:.3f}"
    ]


def calibration_table(calibration: Calibration, evaluation: EvaluationData) -> Table:
    """Return the calibration errors and the terms of the Brier score."""
    consistency = calibration.consistency.to_dict("index")
    rows = []
    for name, score in read_scores(pd.concat([calibration.errors, calibration.bias, calibration.brier])).items():
        of_chance = Cell("")
        if name in consistency:
            expected, upper = consistency[name]["expected"], consistency[name]["upper"]
            of_chance = Cell(f"{format_number(expected)}, up to {format_number(upper)}", sort_value(expected))
        rows.append((text_cell(describe_metric(name).name), score_cell(score), of_chance))
    percent = evaluation.percent
    columns = tuple(Column(title, "number") for title in ("Value", "By chance alone"))
    caption = (
        f"Of the probability of the {calibration.event}, in {calibration.bins} bins; {percent} confidence intervals "
        "over cases. Resampling makes calibration errors larger, so their intervals may be above the value. “By chance "
        "alone” is the mean error if every predicted probability were exactly right, and the value that "
        f"{percent} of such test sets stay below."
    )
    return Table(caption, (Column("Metric", "text"), *columns), tuple(rows))


def bin_table(calibration: Calibration, evaluation: EvaluationData) -> Table:
    """Return the bins of the reliability diagram."""
    rows = []
    for row in calibration.equal_mass.to_dict("records"):
        # Edges near 0 or 1 may differ in later decimals only, and would read as an interval of no width.
        lower, upper = format_number(row["lower"]), format_number(row["upper"])
        edges = f"near {lower}" if lower == upper else f"{lower} to {upper}"
        rows.append(
            (
                Cell(edges, sort_value(row["lower"])),
                count_cell(row["images"]),
                count_cell(row["cases"]),
                Cell(format_number(row["probability"]), sort_value(row["probability"])),
                score_cell(Score(row["frequency"], row["low"], row["high"])),
            )
        )
    titles = (f"{evaluation.unit.capitalize()}s", "Cases", "Predicted probability", "Observed frequency")
    columns = (Column("Bin", "number"), *(Column(title, "number") for title in titles))
    caption = "The bins of the reliability diagram: mean predicted probability and observed frequency."
    return Table(caption, columns, tuple(rows))


def calibration_verdict(calibration: Calibration, evaluation: EvaluationData) -> Verdict | None:
    """Return in words whether the probabilities are calibrated.

    Their error is compared with that of a perfectly calibrated model, see
    `breastcls.calibration.consistency_resampling`: on few cases a perfectly calibrated model has a large error too.
    """
    values = NO_PROBABILITIES.get(str(evaluation.settings["aggregation"]["method"]))
    if values is not None:
        text = f"By {evaluation.unit} the values are {values}: a calibration error does not apply to them."
        return Verdict("caution", "There are no probabilities to assess.", text)
    error = read_scores(calibration.errors)["ece_equal_mass"]
    if not is_defined(error.value):
        return None
    why = not_estimable_sentence(evaluation.counts) or _one_class_sentence(evaluation)
    if why:
        return Verdict("not-estimable", "Whether the probabilities are calibrated is not estimable.", why)
    consistency = calibration.consistency.loc["ece_equal_mass"]
    bias = read_scores(calibration.bias)[BIAS]
    one_sided = bias.has_interval and (bias.low > 0 or bias.high < 0)
    # The observed frequency of so few cases is that of their selection.
    shown = (one_sided or consistency["p"] < SELDOM) and not few_cases(evaluation.counts)
    numbers = _numbers(calibration, evaluation)
    if not shown or error.value < SMALL_ERROR:
        cases = evaluation.predictions.cases
        counted = len(evaluation.predictions) if cases is None else len(np.unique(cases))
        if counted >= ENOUGH_CASES and consistency["upper"] < LARGE_ERROR:
            return Verdict("good", "The probabilities are close to the observed frequencies.", numbers)
        few = "images" if cases is None else "cases"
        return Verdict("", f"The {few} are too few to assess the calibration.", numbers)
    direction = "not calibrated"
    if one_sided:
        direction = "too high" if bias.value > 0 else "too low"
    advice = "Calibrate on validation images (fit_calibrator) before the probabilities are used."
    if is_calibrated(evaluation):
        advice = "They were calibrated; the images they were calibrated on were few, or unlike these."
    tone = "bad" if consistency["p"] < VERY_SELDOM else "caution"
    of_class = f" of {evaluation.classes[-1]}" if one_sided and len(evaluation.classes) == 2 else ""
    return Verdict(tone, f"The probabilities{of_class} are {direction}.", f"{numbers} {advice}")


def is_calibrated(evaluation: EvaluationData) -> bool:
    """Return whether a calibration is recorded, in the model's card or with the predictions."""
    provenance = evaluation.model.get("provenance")
    stored = calibration_record(evaluation.predictions, provenance if isinstance(provenance, Mapping) else {})
    return bool(stored) or evaluation.model.get("temperature") is not None


def _one_class_sentence(evaluation: EvaluationData) -> str:
    """Return why images of one class do not show whether probabilities are calibrated; "" where there are more.

    Of such images the frequency of the class is 1 by selection, whatever the probabilities are.
    """
    present = [name for name, of_class in evaluation.counts["classes"].items() if of_class["images"]]
    if len(present) != 1:
        return ""
    return f"All scored {evaluation.unit}s are of {present[0]}, so that its frequency is 1 by the selection of images."


def _numbers(calibration: Calibration, evaluation: EvaluationData) -> str:
    error, consistency = (table.loc["ece_equal_mass"] for table in (calibration.errors, calibration.consistency))
    bias = read_scores(calibration.bias)[BIAS]
    table = calibration.equal_width
    predicted, observed = (
        float(np.average(table[name], weights=table["images"])) for name in ("probability", "frequency")
    )
    of_class = calibration.event == "positive class"
    subject = evaluation.classes[-1] if of_class else "the predicted class"
    interval = ""
    if bias.has_interval:
        ends = format_interval(bias.low, bias.high, 2)
        interval = f" (difference {bias.value_text_of(2)}, {evaluation.percent} CI {ends})"
    expected, upper = (format_number(consistency[name], 2) for name in ("expected", "upper"))
    return (
        f"The expected calibration error is {format_number(error['value'], 2)}; by chance alone it would be "
        f"{expected}, and up to {upper}. The mean predicted probability of {subject} is {format_number(predicted, 2)}, "
        f"the observed frequency {format_number(observed, 2)}{interval}."
    )


def _table(calibration: Calibration) -> pd.DataFrame:
    return pd.concat([calibration.errors, calibration.bias, calibration.brier])


def _report(calibration: Calibration, evaluation: EvaluationData) -> list[Block]:
    bins = Details("The bins of the reliability diagram", [bin_table(calibration, evaluation)])
    return [calibration_table(calibration, evaluation), bins]


def _draw(calibration: Calibration, evaluation: EvaluationData, axes: Axes | None) -> Figure:
    from breastcls.evaluation.figures.reliability_figure import plot_reliability

    positive = evaluation.classes[-1] if len(evaluation.classes) == 2 else None
    return plot_reliability(calibration.equal_mass, positive=positive, error=_error(calibration), axes=axes)


def _describe(calibration: Calibration, evaluation: EvaluationData) -> FigureText:
    from breastcls.evaluation.figures.reliability_figure import describe_reliability

    return describe_reliability(
        calibration.equal_mass, error=_error(calibration), confidence=evaluation.confidence, unit=evaluation.unit
    )


def _error(calibration: Calibration) -> Score:
    return read_scores(calibration.errors)["ece_equal_mass"]


SECTION = Section(
    name="calibration",
    title="Calibration",
    description="Agreement of predicted probabilities with observed frequencies.",
    compute=lambda context: assess_calibration(context.scored, bootstrap=context.bootstrap),
    schema=_SCHEMA,
    table=_table,
    text=_text,
    figures=(SectionFigure("reliability", _draw, _describe),),
    report=_report,
    verdict=calibration_verdict,
    glossary=(
        (
            "Reliability diagram and calibration error",
            "Of the images with a predicted probability near 0.8, about eight in ten should be positive. The diagram "
            "shows the observed frequency; the calibration error is the mean distance.",
        ),
    ),
)
