"""Heat-maps for the mistakes in the report."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import EvaluationError, ExplanationWarning

if TYPE_CHECKING:
    from breastcls.explanation.explanation import Explanation
    from breastcls.predictions.predictions import Predictions

_REMARKS = {
    "negative": "Nothing in the picture speaks for it: the heat-map is empty.",
    "empty": "The heat-map is empty.",
    "incomplete": "The heat-map does not add up; take it with care.",
}


@dataclass(frozen=True, eq=False)
class Overlay:
    """A picture with its heat-map over it, uint8 (height, width, 3), and what is to be said of it."""

    pixels: npt.NDArray[np.uint8]
    remark: str = ""


@dataclass(frozen=True, eq=False)
class Overlays:
    """Heat-maps of some rows, by row, and how they came about."""

    by_row: dict[int, Overlay]
    method: str


def explain_rows(predictions: Predictions, rows: list[int], model: Any, method: str) -> Overlays:
    """Explain for each row the class that it was called; rows whose file is gone are passed over.

    Args:
        predictions: With paths.
        rows: Which of them.
        model: The model that made them, or the path of its file.
        method: See `breastcls.explain`.

    Raises:
        ExplanationError: If the model or the method cannot be used.
    """
    from breastcls.explanation.explain import explain
    from breastcls.models.persistence import load_model

    if isinstance(model, (str, os.PathLike)):
        model = load_model(Path(model))
    found: dict[int, Overlay] = {}
    if predictions.paths is None:
        return Overlays(found, method)
    decisions = predictions.decisions
    there = [row for row in rows if Path(str(predictions.paths[row])).is_file()]
    for decided in sorted({int(decisions[row]) for row in there}):
        chosen = [row for row in there if decisions[row] == decided]
        with warnings.catch_warnings():
            # What is flagged is said beside the picture that it is about.
            warnings.simplefilter("ignore", ExplanationWarning)
            made = explain(
                model,
                [str(predictions.paths[row]) for row in chosen],
                method,
                target_class=decided,
                classes=predictions.classes,
            )
        found |= {row: _overlay(made, number, predictions.classes[decided]) for number, row in enumerate(chosen)}
    return Overlays(found, method)


def match_rows(predictions: Predictions, rows: list[int], heatmaps: Explanation) -> Overlays:
    """Return the overlays of heat-maps made before, for those rows whose files they are of.

    Raises:
        EvaluationError: If the heat-maps are not of files, or of none of all the images that were scored.
    """
    if heatmaps.paths is None or predictions.paths is None:
        raise EvaluationError(
            "The heat-maps are matched to the images by their files; these heat-maps, or these predictions, know none."
        )
    numbers = {str(path): number for number, path in enumerate(heatmaps.paths)}
    if not any(str(path) in numbers for path in predictions.paths):
        raise EvaluationError(
            f"None of the {len(numbers)} heat-maps is of an image that was scored; the first is of "
            f"{next(iter(numbers), 'nothing')}."
        )
    found = {row: numbers[str(predictions.paths[row])] for row in rows if str(predictions.paths[row]) in numbers}
    names = [predictions.classes[decided] for decided in predictions.decisions]
    by_row = {row: _overlay(heatmaps, number, names[row]) for row, number in found.items()}
    return Overlays(by_row, heatmaps.method)


def describe_overlays(overlays: Overlays, shown: int) -> str:
    """Return a sentence on the heat-maps."""
    if not overlays.by_row:
        return ""
    from breastcls.explanation.methods.method_registry import METHODS

    explainer = METHODS[overlays.method]
    count = "Each has" if len(overlays.by_row) == shown else f"{len(overlays.by_row)} have"
    return (
        f"{count} a heat-map by {explainer.title} ({explainer.reference}): where it is bright, something spoke for the "
        "class that was called. It shows where the model looked, not whether it was right to."
    )


def _overlay(heatmaps: Explanation, number: int, decided: str) -> Overlay:
    target = heatmaps.classes[int(heatmaps.targets[number])]
    remarks = [_REMARKS.get(heatmaps.flags[number], "")]
    if target != decided:
        remarks.append(f"The heat-map is of {target}.")
    return Overlay(heatmaps.overlay(number), " ".join(remark for remark in remarks if remark))
