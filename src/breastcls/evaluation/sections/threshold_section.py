"""Where the decision threshold comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import Verdict
from breastcls.evaluation.section import Section
from breastcls.metrics.number_format import choose_form, format_count, format_number
from breastcls.predictions.independence import count_shared_cases

_SCHEMA = {
    "type": "object",
    "required": ["value", "origin"],
    "properties": {
        "value": {"type": "number", "minimum": 0},
        "origin": {"type": "string"},
        "rule": {"type": "string"},
        "sensitivity": {"type": "number"},
        "specificity": {"type": "number"},
        "images": {"type": "integer"},
        "cases": {"type": "array", "items": {"type": "string"}},
        "level": {"enum": ["image", "slide", "case"]},
        "aggregation_method": {"enum": ["mean", "mean-logit", "majority", "maximum", None]},
        "calibration": {"type": ["string", "null"]},
    },
}


def describe_threshold(threshold: Mapping[str, Any]) -> str:
    """Return a threshold and its origin in words.

    Example:
        >>> describe_threshold({"value": 0.25, "origin": "stored with the model", "rule": "sensitivity >= 0.95",
        ...     "images": 120, "cases": ["a", "b"]})
        '0.25, stored with the model: sensitivity >= 0.95, chosen on 120 images of 2 cases'
    """
    text = f"{threshold['value']:.4g}, {threshold['origin']}"
    if "rule" not in threshold:
        return f"{text}; how it was chosen is not recorded"
    chosen = f"chosen on {format_count(threshold['images'], 'image')}"
    if threshold.get("cases"):
        chosen += f" of {format_count(len(threshold['cases']), 'case')}"
    return f"{text}: {threshold['rule']}, {chosen}"


def threshold_verdict(threshold: Mapping[str, Any] | None, evaluation: EvaluationData) -> Verdict:
    """Return the decision rule and the origin of its threshold in words."""
    classes, predictions = evaluation.classes, evaluation.predictions
    votes = evaluation.settings["aggregation"]["method"] == "majority" and len(classes) == 2
    after = (
        f" Each image is classified by it, and half of the votes or more classify its {evaluation.unit} as "
        f"{classes[-1]}."
        if votes
        else ""
    )
    if threshold is None and predictions.threshold is None:
        text = (
            f"{classes[-1]} is predicted from a probability of 0.5."
            if len(classes) == 2
            else "The most probable class is predicted."
        )
        return Verdict("", text, f"No threshold was chosen, and none was fitted to the test images.{after}")
    if threshold is None:
        number = format_number(predictions.threshold, 2)
        return Verdict("", f"{classes[-1]} is predicted from a probability of {number}.", "")
    text = f"{classes[-1]} is predicted from a probability of {describe_threshold(threshold)}."
    if "rule" not in threshold:
        return Verdict(
            "caution",
            text,
            f"If it was chosen on these images, every metric of the predicted classes is too optimistic.{after}",
        )
    shared = count_shared_cases(predictions, threshold.get("cases") or ())
    if shared is None:
        unknown = "Whether it was chosen on cases of the test set is not known, since cases are not recorded."
        return Verdict("caution", text, f"{unknown}{after}")
    if shared:
        verb = choose_form(shared, "is", "are")
        cases = f"{format_count(shared, 'case')} that it was chosen on {verb} in the test set"
        return Verdict("bad", text, f"{cases}, so every metric of the predicted classes is too optimistic.{after}")
    return Verdict("good", text, f"No case that it was chosen on is in the test set.{after}")


SECTION = Section(
    name="threshold",
    title="Decision threshold",
    part="Decision threshold and net benefit",
    description="Where the decision threshold comes from; null where none was chosen.",
    compute=lambda context: context.threshold,
    schema=_SCHEMA,
    text=lambda threshold, evaluation: [f"Decision threshold {describe_threshold(threshold)}"],
    report=lambda threshold, evaluation: [threshold_verdict(threshold, evaluation)],
    report_absent=lambda evaluation: [threshold_verdict(None, evaluation)],
    cases=lambda threshold, context: {},
)
