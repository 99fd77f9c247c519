"""The gallery of mistakes: the most confident ones as pictures, with heat-maps where there is a model to explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breastcls.errors import EvaluationError
from breastcls.evaluation.report.mistake_heatmaps import Overlays, describe_overlays, explain_rows, match_rows
from breastcls.evaluation.report.mistakes import find_mistakes, show_mistakes
from breastcls.metrics.metric_descriptions import format_count

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation
    from breastcls.explanation.explanation import Explanation
    from breastcls.predictions.predictions import Predictions


def show_gallery(
    evaluation: Evaluation, count: int, *, model: Any, heatmaps: Explanation | None, method: str
) -> dict[str, Any]:
    """Return what the template shows of the mistakes; see `write_report`.

    Where slides or cases were scored, the images they were joined from are shown, if they are known.

    Raises:
        EvaluationError: If both a model and heat-maps are given, or `count` is out of range.
    """
    if model is not None and heatmaps is not None:
        raise EvaluationError("Give `model`, to have its mistakes explained, or `heatmaps` made before, not both.")
    predictions = evaluation.predictions if evaluation.images is None else evaluation.images
    wrong = find_mistakes(predictions).tolist()
    rows = wrong[: max(count, 0)]
    overlays = Overlays({}, method)
    if model is not None:
        overlays = explain_rows(predictions, rows, model, method)
    elif heatmaps is not None:
        overlays = match_rows(predictions, rows, heatmaps)
    return {
        "mistakes": show_mistakes(predictions, count, overlays.by_row),
        "mistake_unit": predictions.level,
        "mistake_count": format_count(len(wrong), "mistake"),
        "mistake_total": len(wrong),
        "mistake_cases": _cases_of(predictions, wrong),
        "heatmap_note": describe_overlays(overlays, len(rows)),
    }


def _cases_of(predictions: Predictions, rows: list[int]) -> str:
    if predictions.cases is None:
        return ""
    return format_count(len({str(predictions.cases[row]) for row in rows}), "case")
