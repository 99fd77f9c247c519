"""Heat-maps of the images that the report shows."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import EvaluationError, ExplanationWarning
from breastcls.evaluation.report.method_check import check_in_words
from breastcls.metrics.number_format import choose_form

if TYPE_CHECKING:
    from breastcls.explanation.explanation import Explanation
    from breastcls.predictions.predictions import Predictions

_REMARKS = {
    "negative": "No region is evidence for the predicted class: the heat-map is empty.",
    "empty": "The heat-map is empty.",
    "incomplete": "The attributions do not sum to the score; the heat-map may be unreliable.",
}


@dataclass(frozen=True, eq=False)
class Overlay:
    """A picture with its heat-map over it.

    Attributes:
        pixels: uint8 (height, width, 3), RGB.
        remark: A remark on the heat-map, or "".
        evidence: The share of positive evidence, and of evidence on glass, as text.
        explanation: The heat-maps of which this is one, for the viewer; None for none.
        number: The position of this heat-map in `explanation`.
    """

    pixels: npt.NDArray[np.uint8]
    remark: str = ""
    evidence: str = ""
    explanation: Explanation | None = None
    number: int = 0


@dataclass(frozen=True, eq=False)
class Overlays:
    """Heat-maps of some rows, by row, the method that computed them, and the result of its check in one sentence."""

    by_row: dict[int, Overlay]
    method: str
    check: str = ""


def explain_rows(predictions: Predictions, rows: list[int], model: Any, method: str) -> Overlays:
    """Explain the predicted class of each row; rows whose file is gone are left out.

    Args:
        predictions: With paths.
        rows: Which of them.
        model: The model that made them, or the path of its file.
        method: See `breastcls.explain`.

    Raises:
        ExplanationError: If the model or the method cannot be used.
    """
    from breastcls.models.persistence import load_model

    if isinstance(model, (str, os.PathLike)):
        model = load_model(Path(model))
    if predictions.paths is None:
        return Overlays({}, method)
    decisions = predictions.decisions
    there = [row for row in rows if Path(predictions.file_of(row)).is_file()]
    found = _explain(predictions, there, model, method, None)
    # The decisions may be by another threshold than the model's: what it predicts otherwise is explained again, for the
    # class that was predicted here.
    others = [row for row in there if row not in found]
    for target in sorted({int(decisions[row]) for row in others}):
        found |= _explain(predictions, [row for row in others if decisions[row] == target], model, method, target)
    files = [predictions.file_of(row) for row in rows if row in found]
    return Overlays(found, method, check_in_words(model, files, method, predictions.classes))


def _explain(
    predictions: Predictions, rows: list[int], model: Any, method: str, target: int | None
) -> dict[int, Overlay]:
    """Return the heat-maps of those rows that are explained for the class that was predicted, by row."""
    from breastcls.explanation.explain import explain

    if not rows:
        return {}
    with warnings.catch_warnings():
        # The flag is shown with the picture that it concerns.
        warnings.simplefilter("ignore", ExplanationWarning)
        files = [predictions.file_of(row) for row in rows]
        # One call for all of them: each call prepares the model anew.
        made = explain(model, files, method, target_class=target, classes=predictions.classes)
    decisions, names = predictions.decisions, predictions.classes
    return {
        row: _overlay(made, number, names[decisions[row]])
        for number, row in enumerate(rows)
        if made.targets[number] == decisions[row]
    }


def match_rows(predictions: Predictions, rows: list[int], heatmaps: Explanation) -> Overlays:
    """Return the overlays of heat-maps made before, for those rows whose files they are of.

    Raises:
        EvaluationError: If the heat-maps are not of files, or of none of all the images that were scored.
    """
    if heatmaps.paths is None or predictions.paths is None:
        raise EvaluationError(
            "Heat-maps are matched to images by their file names; these heat-maps, or these predictions, have none."
        )
    numbers = {heatmaps.source.file_of(number): number for number in range(len(heatmaps))}
    files = [predictions.file_of(row) for row in range(len(predictions))]
    if not any(file in numbers for file in files):
        raise EvaluationError(
            f"None of the {len(numbers)} heat-maps is of an image that was scored; the first is of "
            f"{next(iter(numbers), 'nothing')}."
        )
    found = {row: numbers[files[row]] for row in rows if files[row] in numbers}
    names = [predictions.classes[predicted] for predicted in predictions.decisions]
    by_row = {row: _overlay(heatmaps, number, names[row]) for row, number in found.items()}
    return Overlays(by_row, heatmaps.method)


def describe_overlays(overlays: Overlays, rows: Sequence[int]) -> str:
    """Return a sentence on the heat-maps of some rows, or "" where there are none."""
    count = sum(row in overlays.by_row for row in rows)
    if count == 0:
        return ""
    from breastcls.explanation.methods.method_registry import METHODS

    explainer = METHODS[overlays.method]
    subject = "Each has" if count == len(rows) else f"{count} of them {choose_form(count, 'has', 'have')}"
    text = (
        f"{subject} a heat-map by {explainer.title} ({explainer.reference}): bright regions are evidence for the "
        "predicted class. Heat-maps are scaled one by one; those with a positive share below 0.5 are drawn with less "
        "opacity, and glass is left out. They show which regions the prediction depends on, not whether these are "
        "relevant."
    )
    return f"{text} {overlays.check}" if overlays.check else text


def _overlay(heatmaps: Explanation, number: int, predicted: str) -> Overlay:
    target = heatmaps.classes[int(heatmaps.targets[number])]
    remarks = [_REMARKS.get(heatmaps.flags[number], "")]
    if target != predicted:
        remarks.append(f"The heat-map is of {target}.")
    remark = " ".join(remark for remark in remarks if remark)
    return Overlay(heatmaps.overlay(number), remark, heatmaps.evidence(number), heatmaps, number)
