"""The gallery of misclassified images: the most confident first, with heat-maps where there is a model to explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import Block, Part
from breastcls.evaluation.report.mistake_heatmaps import Overlays, describe_overlays, explain_rows, match_rows
from breastcls.evaluation.report.mistakes import Mistake, find_mistakes, show_mistakes
from breastcls.metrics.number_format import format_count

if TYPE_CHECKING:
    from breastcls.explanation.explanation import Explanation
    from breastcls.predictions.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Gallery(Block):
    """Misclassified images.

    Attributes:
        mistakes: Those that are shown.
        total: How many there are.
        count: The same in words.
        cases: Of how many cases they are, in words, or "".
        unit: "image", or what else a row of the predictions is.
        heatmap_note: A sentence on the heat-maps, or "".
    """

    macro: ClassVar[str] = "gallery"
    mistakes: list[Mistake]
    total: int
    count: str
    cases: str
    unit: str
    heatmap_note: str


def gallery_part(
    evaluation: EvaluationData, count: int, *, model: Any, heatmaps: Explanation | None, method: str
) -> Part:
    """Return the misclassified images; see `write_report`.

    Where slides or cases were scored, the images they were aggregated from are shown, if they are known.

    Raises:
        EvaluationError: If both a model and heat-maps are given, or `count` is out of range.
    """
    if model is not None and heatmaps is not None:
        raise EvaluationError("Give `model`, to explain its misclassified images, or `heatmaps` made before, not both.")
    predictions = evaluation.predictions if evaluation.images is None else evaluation.images
    wrong = find_mistakes(predictions).tolist()
    rows = wrong[: max(count, 0)]
    overlays = Overlays({}, method)
    if model is not None:
        overlays = explain_rows(predictions, rows, model, method)
    elif heatmaps is not None:
        overlays = match_rows(predictions, rows, heatmaps)
    gallery = Gallery(
        mistakes=show_mistakes(predictions, count, overlays.by_row),
        total=len(wrong),
        count=format_count(len(wrong), f"misclassified {predictions.level}"),
        cases=_cases_of(predictions, wrong),
        unit=predictions.level,
        heatmap_note=describe_overlays(overlays, len(rows)),
    )
    return Part("misclassified-images", f"Misclassified {predictions.level}s", [gallery])


def _cases_of(predictions: Predictions, rows: list[int]) -> str:
    if predictions.cases is None:
        return ""
    return format_count(len({str(predictions.cases[row]) for row in rows}), "case")
