"""What follows from the further sections, in words: the probabilities, the threshold, the level; and all in short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from breastcls.calibration.errors_by_chance import GAP
from breastcls.decisions.stored_decision_limitations import calibration_record
from breastcls.evaluation.report.report_text import Verdict, audit_verdict, baseline_verdict
from breastcls.evaluation.report.settings_text import percent_of, unit_of
from breastcls.evaluation.text_summary import describe_threshold
from breastcls.intervals.limitations import NO_PROBABILITIES
from breastcls.intervals.score_values import read_levels, read_scores
from breastcls.metrics.metric_descriptions import format_count, format_interval, format_number, is_defined
from breastcls.predictions.independence import count_shared_cases

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation

# Rules of thumb: an error too small to matter, and one that a test set has to be able to show to vouch for a model. On
# fewer cases than that no share found is known within the latter. What is claimed cannot tell that: the surer the
# claims, the less room is left to chance, right or wrong.
SMALL_ERROR, LARGE_ERROR = 0.05, 0.10
ENOUGH_CASES = 100
# How seldom chance alone may be as far off, for a doubt and for a verdict.
SELDOM, VERY_SELDOM = 0.05, 0.01
FEW_CASES = 10


def calibration_verdict(evaluation: Evaluation) -> Verdict | None:
    """Return in words whether probabilities can be taken at their word.

    They are judged against what chance alone makes of the same claims, see `breastcls.calibration.errors_by_chance`: on
    few cases a perfect model is far off too.
    """
    if evaluation.calibration is None:
        return None
    values = NO_PROBABILITIES.get(str(evaluation.settings["aggregation"]["method"]))
    if values is not None:
        text = f"By {unit_of(evaluation)} the values are {values}: a calibration error says nothing of them."
        return Verdict("caution", "No probabilities to judge.", text)
    error = read_scores(evaluation.calibration.errors)["ece_equal_mass"]
    if not is_defined(error.value):
        return None
    by_chance = evaluation.calibration.by_chance.loc["ece_equal_mass"]
    gap = read_scores(evaluation.calibration.gap)[GAP]
    one_sided = gap.has_interval and (gap.low > 0 or gap.high < 0)
    shown = one_sided or by_chance["p"] < SELDOM
    numbers = _calibration_numbers(evaluation)
    if not shown or error.value < SMALL_ERROR:
        cases = evaluation.predictions.cases
        counted = len(evaluation.predictions) if cases is None else len(np.unique(cases))
        if counted >= ENOUGH_CASES and by_chance["upper"] < LARGE_ERROR:
            return Verdict("good", "Probabilities close to what was found.", numbers)
        few = "images" if cases is None else "cases"
        return Verdict("", f"Whether the probabilities mean what they say cannot be told on so few {few}.", numbers)
    direction = "not to be taken at their word"
    if one_sided:
        direction = "too high" if gap.value > 0 else "too low"
    advice = "Calibrate on validation images (fit_calibrator) before anybody reads them as chances."
    if is_calibrated(evaluation):
        advice = "They were calibrated; the images they were calibrated on were few, or unlike these."
    tone = "bad" if by_chance["p"] < VERY_SELDOM else "caution"
    return Verdict(tone, f"Probabilities {direction}.", f"{numbers} {advice}")


def _calibration_numbers(evaluation: Evaluation) -> str:
    calibration = evaluation.calibration
    assert calibration is not None
    error, by_chance = (table.loc["ece_equal_mass"] for table in (calibration.errors, calibration.by_chance))
    gap = read_scores(calibration.gap)[GAP]
    table = calibration.equal_width
    claimed, found = (float(np.average(table[name], weights=table["images"])) for name in ("probability", "frequency"))
    of_class = calibration.claim == "positive class"
    subject = evaluation.predictions.classes[-1] if of_class else "the class decided"
    ends = f"{percent_of(evaluation)} interval {format_interval(gap.low, gap.high, 2)}"
    interval = f" (difference {gap.value_text_of(2)}, {ends})"
    expected, upper = (format_number(by_chance[name], 2) for name in ("expected", "upper"))
    return (
        f"They are {format_number(error['value'], 2)} off on average; were they exactly right, chance alone would make "
        f"it {expected}, and up to {upper}. On average {subject} is claimed at {format_number(claimed, 2)} and is "
        f"{'found' if of_class else 'right'} in {format_number(found, 2)}{interval if gap.has_interval else ''}."
    )


def is_calibrated(evaluation: Evaluation) -> bool:
    """Return whether a calibration is recorded, in the model's card or with the predictions."""
    provenance = evaluation.model.get("provenance")
    kept = calibration_record(evaluation.predictions, provenance if isinstance(provenance, Mapping) else {})
    return bool(kept) or evaluation.model.get("temperature") is not None


def threshold_verdict(evaluation: Evaluation) -> Verdict:
    """Return in words where the decisions come from."""
    classes = evaluation.predictions.classes
    threshold = evaluation.threshold
    unit, votes = unit_of(evaluation), evaluation.settings["aggregation"]["method"] == "majority" and len(classes) == 2
    after = f" Each image is decided so, and half of the votes or more call its {unit} {classes[-1]}." if votes else ""
    if threshold is None and evaluation.predictions.threshold is None:
        text = (
            f"Called {classes[-1]} from a probability of 0.5 on."
            if len(classes) == 2
            else "The most probable class is called."
        )
        return Verdict("", text, f"No threshold was chosen; none was fitted to these images either.{after}")
    if threshold is None:
        number = format_number(evaluation.predictions.threshold, 2)
        return Verdict("", f"Called {classes[-1]} from {number} on.", "")
    text = f"Called {classes[-1]} {describe_threshold(threshold)}."
    if "rule" not in threshold:
        return Verdict(
            "caution",
            text,
            f"Had it been chosen on these images, every figure of the decisions would be too good.{after}",
        )
    shared = count_shared_cases(evaluation.predictions, threshold.get("cases") or ())
    if shared is None:
        told = "Whether a case it was chosen on is among these cannot be told: on one side they are not known."
        return Verdict("caution", text, f"{told}{after}")
    if shared:
        told = f"{format_count(shared, 'case')} of those it was chosen on {'is' if shared == 1 else 'are'} among these"
        return Verdict("bad", text, f"{told}, so every figure of the decisions is too good.{after}")
    return Verdict("good", text, f"No case it was chosen on is among these.{after}")


def level_verdict(evaluation: Evaluation) -> Verdict | None:
    """Return the headline by case, where the report is about images or slides and cases are known."""
    levels = {} if evaluation.by_level is None else read_levels(evaluation.by_level)
    if unit_of(evaluation) == "case" or "case" not in levels:
        return None
    score = levels["case"]["balanced_accuracy"]
    if not is_defined(score.value):
        return None
    interval = f" ({percent_of(evaluation)} interval {score.interval_text})" if score.has_interval else ""
    return Verdict(
        "", f"By case, balanced accuracy {score.value_text}.", f"Each case counted once, its images joined{interval}."
    )


def size_verdict(evaluation: Evaluation) -> Verdict | None:
    """Return a warning where the smallest class rests on few cases."""
    if evaluation.predictions.cases is None:
        return None
    cases = {name: of["cases"] for name, of in evaluation.counts["classes"].items() if of["cases"]}
    if not cases or min(cases.values()) >= FEW_CASES:
        return None
    name = min(cases, key=lambda one: cases[one])
    return Verdict(
        "caution",
        "Few cases.",
        f"All that is said of {name} rests on {format_count(cases[name], 'case')}; the intervals are wide, and may "
        "still be too narrow.",
    )


def in_short(evaluation: Evaluation) -> list[tuple[Verdict, str]]:
    """Return the verdicts of the report, each with the section that tells more."""
    found = [
        (audit_verdict(evaluation), "audit"),
        (size_verdict(evaluation), "card"),
        (baseline_verdict(evaluation), "colour"),
        (level_verdict(evaluation), "metrics"),
        (calibration_verdict(evaluation), "probabilities"),
        (_robustness_verdict(evaluation), "robustness"),
    ]
    return [(verdict, section) for verdict, section in found if verdict is not None]


def _robustness_verdict(evaluation: Evaluation) -> Verdict | None:
    """Return the largest loss of balanced accuracy under any alteration, where these were tried."""
    table = evaluation.robustness
    if table is None:
        return None
    rows = table[table["metric"] == "balanced_accuracy"].reset_index(drop=True)
    if not np.isfinite(rows["value"]).any():
        return None
    worst = rows.iloc[int(rows["value"].argmin())]
    own = rows[(rows["perturbation"] == worst["perturbation"]) & (rows["strength"] == 0)]["value"]
    if own.empty or not is_defined(own.iloc[0]):
        return None
    unchanged = float(own.iloc[0])
    loss = unchanged - float(worst["value"])
    name = str(worst["perturbation"]).replace("_", " ").replace("-", " ")
    words = (
        f"Balanced accuracy {format_number(worst['value'])} at strength {worst['strength']:g}, "
        f"{format_number(unchanged)} on the images as they are."
    )
    headline = read_scores(evaluation.metrics).get("balanced_accuracy")
    if headline is not None and headline.value_text != format_number(unchanged):
        words += f" The {headline.value_text} above was scored otherwise: with other views, images or levels."
    tone = "bad" if loss >= 2 * LARGE_ERROR else "caution" if loss >= SMALL_ERROR else "good"
    return Verdict(tone, f"Worst alteration: {name}.", words)
