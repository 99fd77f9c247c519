"""Choosing a decision threshold, on validation or out-of-fold predictions and never on the test set.

A threshold that is chosen on the images on which it is scored is fitted to their random variation, so the score is
optimistic by an unknown amount.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn import metrics as reference

from breastcls.argument_checks import check_choice
from breastcls.errors import EvaluationError
from breastcls.intervals.few_case_support import count_class_cases, warn_few_cases
from breastcls.intervals.minimum_cases import MIN_CASES
from breastcls.intervals.proportion_bounds import interval_at_cases
from breastcls.metrics.classification_metrics import require_labels
from breastcls.metrics.number_format import format_count, format_number
from breastcls.models.calibration_identity import name_calibration
from breastcls.predictions.array_arguments import check_share
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result
from breastcls.text_tables import limitation_lines

Rule = Literal["half", "youden", "sensitivity", "specificity", "cost"]
HALF = "0.5"
RULES = ("half", "youden", "sensitivity", "specificity", "cost")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Threshold(Result):
    """A threshold and the record of its choice.

    Attributes:
        value: The positive class is predicted if `positive >= value`.
        rule: The rule it was chosen by.
        sensitivity: On the predictions it was chosen on, so optimistic for new cases.
        specificity: As `sensitivity`.
        images: Number of rows it was chosen on.
        cases: Names of the cases it was chosen on; `evaluate` refuses to score it on one of them.
        level: What one row was: "image", "slide" or "case". Aggregated probabilities have another distribution than
            those of images, so `evaluate` reports where it is used at another level.
        aggregation_method: How the images were aggregated, where a row was a slide or a case.
        calibration: Method and fingerprint of the calibration of the predictions it was chosen on, "none" where they
            recorded none, None where that is not known; `evaluate` refuses to use it on those of another.
        class_cases: The number of cases of the negative and of the positive class; empty where cases are not known.
        limitations: Sentences on how well these cases support the choice.
    """

    value: float
    rule: str
    sensitivity: float
    specificity: float
    images: int
    cases: tuple[str, ...] = ()
    level: str = "image"
    aggregation_method: str | None = None
    calibration: str | None = None
    class_cases: tuple[int, ...] = ()
    limitations: tuple[str, ...] = ()

    def __str__(self) -> str:
        cases = " of unknown cases"
        if self.class_cases:
            negative, positive = self.class_cases
            cases = f" of {format_count(len(self.cases), 'case')} ({positive} positive, {negative} negative)"
        lines = [
            f"Threshold {format_number(self.value)}: {self.rule}",
            f"Chosen on {format_count(self.images, self.level)}{cases}: sensitivity {format_number(self.sensitivity)}, "
            f"specificity {format_number(self.specificity)} there, which is optimistic for new cases",
        ]
        return "\n".join([*lines, *limitation_lines(self.limitations)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON."""
        return {
            "value": self.value,
            "rule": self.rule,
            "sensitivity": self.sensitivity,
            "specificity": self.specificity,
            "images": self.images,
            "cases": list(self.cases),
            "level": self.level,
            "aggregation_method": self.aggregation_method,
            "calibration": self.calibration,
            "class_cases": list(self.class_cases),
            "limitations": list(self.limitations),
        }


def choose_threshold(
    predictions: Predictions,
    rule: Rule = "youden",
    *,
    target: float | None = None,
    costs: tuple[float, float] | None = None,
    prevalence: float | None = None,
) -> Threshold:
    """Choose a decision threshold of two classes.

    All thresholds between two neighbouring probabilities are equivalent; the middle is chosen.

    Args:
        predictions: Of validation or out-of-fold images, with known classes; for decisions on cases,
            `aggregate("case")` of them.
        rule: "half" (0.5), "youden" (highest sensitivity + specificity, DOI
            10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3), "sensitivity" (the highest threshold whose
            sensitivity reaches `target`), "specificity" (the lowest whose specificity reaches `target`), or "cost" (the
            lowest expected cost).
        target: For "sensitivity" and "specificity", in 0..1.
        costs: For "cost": of a false positive and of a false negative, in any unit.
        prevalence: For "cost": the fraction of positives where it will be used, in 0..1; default: that of the
            predictions.

    Returns:
        The threshold; pass it to `evaluate(..., threshold=...)` or `store_threshold`.

    Raises:
        EvaluationError: If the predictions are of the training or test set, do not hold both classes, an argument is
            not what it should be, or the target cannot be reached.

    Warns:
        EvaluationWarning: If a class has fewer than five cases: they do not support the choice.

    Example:
        >>> val = Predictions.from_arrays(
        ...     probabilities=[0.125, 0.25, 0.5, 0.75], labels=[0, 0, 1, 1], classes=("benign", "malignant"))
        >>> choose_threshold(val).value
        0.375
    """
    _check(predictions)
    check_choice("rule", rule, RULES, error=EvaluationError)
    if (rule in ("sensitivity", "specificity")) != (target is not None) or (rule == "cost") != (costs is not None):
        raise EvaluationError(
            f'`rule` is {rule!r}: "sensitivity" and "specificity" need `target`, "cost" needs `costs`, '
            "the other rules neither."
        )
    if prevalence is not None and rule != "cost":
        raise EvaluationError(f'`prevalence` is for the rule "cost"; {rule!r} does not depend on it, so leave it out.')
    check_share(prevalence, "prevalence")
    check_share(target, "target")
    false, true, scores = reference.roc_curve(predictions.labels, predictions.positive, drop_intermediate=False)
    values = _between(scores)
    if rule == "half":
        return _describe(predictions, 0.5, HALF)
    if rule == "youden":
        return _describe(predictions, values[_first_best(true - false)], "highest sensitivity + specificity")
    if target is not None:
        reached = true >= target if rule == "sensitivity" else 1 - false >= target
        # Lower thresholds find more, higher ones exclude more: of those that reach the target the other end is best.
        index = int(reached.argmax()) if rule == "sensitivity" else len(reached) - 1 - int(reached[::-1].argmax())
        found = _describe(predictions, values[index], f"{rule} of at least {target:g}")
        return dataclasses.replace(found, limitations=(*found.limitations, *_not_shown(found, rule, target)))
    assert costs is not None
    if len(costs) != 2 or not np.isfinite(costs).all() or min(costs) < 0 or max(costs) <= 0:
        raise EvaluationError(f"`costs` are {costs}; expected the costs of a false positive and a false negative.")
    share = float(predictions.labels.mean()) if prevalence is None else prevalence
    expected = costs[0] * (1 - share) * false + costs[1] * share * (1 - true)
    words = f"lowest cost at {costs[0]:g} a false positive, {costs[1]:g} a false negative, prevalence {share:.3g}"
    return _describe(predictions, values[_first_best(-expected)], words)


def _check(predictions: Any) -> None:
    if not isinstance(predictions, Predictions):
        raise EvaluationError(
            f"A threshold is chosen on validation or out-of-fold `Predictions`, not on {type(predictions).__name__}."
        )
    if predictions.part in ("test", "train"):
        test = predictions.part == "test"
        why = "makes their own score optimistic" if test else "is biased, since the model was trained on these images"
        raise EvaluationError(
            f"These are {predictions.part} predictions: a threshold chosen on them {why}. Choose it on "
            "`predict(model, val)` or on out-of-fold predictions."
        )
    if len(predictions.classes) != 2:
        raise EvaluationError(f"A threshold needs two classes; there are {len(predictions.classes)}.")
    require_labels(predictions)
    if len(np.unique(predictions.labels)) < 2:
        raise EvaluationError("All predictions are of one class, so a threshold between two cannot be chosen.")


def _between(scores: Floats) -> Floats:
    """Return for each score, from the highest down, a threshold just below it that the next lower score misses."""
    upper = np.asarray(scores, dtype=np.float64).copy()
    upper[0] = 1.0  # scikit-learn starts at infinity, where nothing is positive
    middle = (upper + np.append(upper[1:], 0.0)) / 2
    middle[0] = (1.0 + upper[1]) / 2 if upper[1] < 1 else float(np.nextafter(np.float32(1), np.float32(2)))
    lower = np.append(upper[1:], -1.0)
    # Classes are predicted in float32, where a middle that rounds down to the lower neighbour would include it.
    return np.where(middle.astype(np.float32) > lower.astype(np.float32), middle, upper)


def _first_best(values: Floats) -> int:
    """Return the index of the highest value, among equals (but for rounding) the highest threshold."""
    return int(np.flatnonzero(values >= values.max() - 1e-12)[0])


def _not_shown(found: Threshold, rule: str, target: float) -> tuple[str, ...]:
    """Return a sentence where the cases are too few to show that a target is reached on others."""
    cases = found.class_cases[1 if rule == "sensitivity" else 0] if found.class_cases else 0
    if cases < MIN_CASES:
        return ()
    reached = found.sensitivity if rule == "sensitivity" else found.specificity
    low = float(interval_at_cases(reached, 1.0, cases, 0.95)[0])
    if low >= target:
        return ()
    of = "positive" if rule == "sensitivity" else "negative"
    return (
        f"That the {rule} of new cases reaches {target:g} is not shown by {cases} {of} cases: if the images of a case "
        f"were right or wrong together, it could be as low as {format_number(low)} (95% confidence).",
    )


def _describe(predictions: Predictions, value: float, rule: str) -> Threshold:
    if value > 1:
        raise EvaluationError(
            "Only a threshold above 1 would reach this: images of the negative class have the probability 1."
        )
    what = "The choice of the threshold" if rule != HALF else "The performance of the threshold 0.5"
    limitations = warn_few_cases(predictions, what, stacklevel=4)
    if predictions.cases is None:
        limitations = ("Cases are not known, so how many independent observations support the choice is not known.",)
    if rule != HALF and np.ptp(predictions.positive) == 0:
        same = f"Every {predictions.level} has the same probability, so that no threshold separates the classes."
        limitations = (*limitations, same)
    predicted = predictions.with_threshold(float(value)).decisions
    positive = predictions.labels == 1
    return Threshold(
        value=float(value),
        rule=rule,
        sensitivity=float((predicted[positive] == 1).mean()),
        specificity=float((predicted[~positive] == 0).mean()),
        images=len(predictions),
        cases=() if predictions.cases is None else tuple(sorted(set(predictions.cases.tolist()))),
        level=predictions.level,
        aggregation_method=predictions.aggregation_method,
        calibration=name_calibration(predictions.calibration),
        class_cases=tuple(count_class_cases(predictions).values()),
        limitations=limitations,
    )
