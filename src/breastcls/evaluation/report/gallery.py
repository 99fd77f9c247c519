"""The galleries of misclassified and of correctly classified images, with heat-maps where there is a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from breastcls.errors import EvaluationError, ExplanationError, ImageError
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import Block, Part
from breastcls.evaluation.report.heatmap_viewer import viewer_part
from breastcls.evaluation.report.image_heatmaps import Overlays, describe_overlays, explain_rows, match_rows
from breastcls.evaluation.report.shown_images import (
    ShownImage,
    check_thumbnails,
    find_correct,
    find_mistakes,
    find_neighbours,
    show_images,
)
from breastcls.metrics.number_format import choose_form, format_count

if TYPE_CHECKING:
    from breastcls.explanation.explanation import Explanation
    from breastcls.features.similar_images import SimilarImages
    from breastcls.predictions.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Gallery(Block):
    """Images with their classes, probabilities and heat-maps.

    Attributes:
        text: What is shown, in words.
        images: Those that are shown.
        unit: "image", or what else a row of the predictions is.
    """

    macro: ClassVar[str] = "gallery"
    text: str
    images: list[ShownImage]
    unit: str


def gallery_parts(
    evaluation: EvaluationData,
    count: int,
    *,
    model: Any,
    heatmaps: Explanation | None,
    method: str,
    similar: SimilarImages | None = None,
) -> list[Part]:
    """Return the misclassified and the correctly classified images; see `write_report`.

    Where slides or cases were scored, the images they were aggregated from are shown, if they are known.

    Raises:
        EvaluationError: If both a model and heat-maps are given, or `count` is out of range.
        ExplanationError: If a model is given that cannot be explained.
    """
    if model is not None and heatmaps is not None:
        raise EvaluationError("Give `model`, to explain its images, or `heatmaps` made before, not both.")
    check_thumbnails(count)
    predictions = evaluation.predictions if evaluation.images is None else evaluation.images
    wrong, right = find_mistakes(predictions).tolist(), find_correct(predictions).tolist()
    shown = [wrong[:count], right[:count]]
    rows = [*shown[0], *shown[1]]
    overlays, problem = _find_overlays(evaluation, predictions, rows, model, heatmaps, method)
    pictures = len(rows) + len(overlays.by_row)
    unit = predictions.level
    parts: list[Part] = []
    neighbours = find_neighbours(predictions, rows, similar)
    viewed = viewer_part(predictions, rows, overlays, neighbours, "" if similar is None else similar.describe())
    notes: list[str] = []
    for kind, found, chosen in (("Misclassified", wrong, shown[0]), ("Correctly classified", right, shown[1])):
        words = [_describe(predictions, kind, found, chosen)]
        note = describe_overlays(overlays, chosen) or (problem if chosen else "")
        # The method is explained once.
        words += [note] if note and note not in notes else []
        notes.append(note)
        if similar is not None and not parts:
            words.append(f"Below each are its most similar training images, of other cases. {similar.describe()}")
        images = show_images(predictions, chosen, overlays.by_row, pictures, neighbours)
        block = Gallery(" ".join(word for word in words if word), images, unit)
        parts.append(Part(f"{kind.lower().replace(' ', '-')}-{unit}s", f"{kind} {unit}s", [block]))
    # Correctly classified images without pictures would be a list of names.
    if not any(image.picture for image in parts[1].blocks[0].images):  # type: ignore[attr-defined]
        parts = parts[:1]
    return [*parts, *viewed]


def _find_overlays(
    evaluation: EvaluationData,
    predictions: Predictions,
    rows: list[int],
    model: Any,
    heatmaps: Explanation | None,
    method: str,
) -> tuple[Overlays, str]:
    """Return the heat-maps of rows, and why there are none."""
    if heatmaps is not None:
        return match_rows(predictions, rows, heatmaps), ""
    if model is not None:
        return explain_rows(predictions, rows, model, method), ""
    none = Overlays({}, method)
    if predictions.paths is None or not evaluation.model:
        return none, ""
    own = evaluation.source.model
    if own is None:
        return none, "Heat-maps need the model, which is not in memory: pass it to to_html (model=...)."
    if _has_changed(evaluation, own):
        return none, "There are no heat-maps: the weights of the model changed after the evaluation."
    try:
        return explain_rows(predictions, rows, own, method), ""
    except (ExplanationError, ImageError) as error:
        # Nobody asked for them; the reason is shown in their place.
        return none, f"There are no heat-maps: {error}"


def _has_changed(evaluation: EvaluationData, model: Any) -> bool:
    from breastcls.models.weight_hash import hash_weights

    return hash_weights(model) != evaluation.fingerprints.get("weights", "")


def _describe(predictions: Predictions, kind: str, found: list[int], chosen: list[int]) -> str:
    unit = predictions.level
    if not found:
        return f"There are no {kind.lower()} {unit}s."
    text = format_count(len(found), f"{kind.lower()} {unit}")
    if predictions.cases is not None:
        text += f" from {format_count(len({str(predictions.cases[row]) for row in found}), 'case')}"
    if not chosen:
        return f"{text}; none is shown."
    verb = choose_form(len(chosen), "is", "are")
    if len(chosen) == len(found):
        return f"{text}; {choose_form(len(chosen), 'it', 'all of them')} {verb} shown."
    order = "spread over the cases, " if predictions.cases is not None else ""
    if kind != "Misclassified":
        order = f"spread over classes{' and cases' if order else ''}, "
    return f"{text}; {len(chosen)} of them {verb} shown, {order}those with the highest predicted probability first."
