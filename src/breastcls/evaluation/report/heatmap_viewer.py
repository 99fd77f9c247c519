"""The viewer of the heat-maps in the report, with opacity, zoom and sorting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from markupsafe import Markup

from breastcls.control_characters import show_controls
from breastcls.drawing.html_page import read_template
from breastcls.evaluation.report.blocks import Block, Part
from breastcls.evaluation.report.image_heatmaps import Overlays
from breastcls.evaluation.report.provenance import file_name
from breastcls.evaluation.report.shown_images import picture_key

if TYPE_CHECKING:
    from breastcls.predictions.predictions import Predictions

_VIEWER = "breastcls.explanation.viewer"
_TEXT = (
    "The viewer shows the same images with an opacity slider, linked zoom, contour lines and sorting. Keys work while "
    "the focus is in the viewer."
)


@dataclass(frozen=True, eq=False)
class HeatmapViewer(Block):
    """The viewer.

    Attributes:
        text: The paragraph above the viewer.
        data: The JSON that its script reads.
    """

    macro: ClassVar[str] = "viewer"
    text: str
    data: Markup


def viewer_part(
    predictions: Predictions,
    rows: Sequence[int],
    overlays: Overlays,
    similar: Mapping[int, Sequence[Mapping[str, Any]]],
    how: str,
) -> list[Part]:
    """Return the viewer of the images that the galleries show, or nothing where none has a heat-map.

    Args:
        predictions: What was scored.
        rows: Which of them are shown.
        overlays: Their heat-maps.
        similar: Similar training images by row; see `find_neighbours`.
        how: How the similar images were found, as a sentence.
    """
    from breastcls.explanation.viewer.viewer_data import NamedMaps, PictureSizes, image_values, to_script, viewer_values

    # The pictures are those of the galleries, which share the bytes that a report may take.
    sizes = PictureSizes(image=360, heatmap=96)
    images, axes = [], {"model": "", "method": "", "target": ""}
    for row in rows:
        overlay = overlays.by_row.get(row)
        if overlay is None or overlay.explanation is None:
            continue
        maps = NamedMaps(overlay.explanation)
        axes = {**maps.axes, "target": "predicted class"}
        one = image_values({0: (maps, overlay.number)}, 1, source=f"#{picture_key(row)}", sizes=sizes)
        neighbours = {"similar": list(similar[row])} if row in similar else {}
        images.append({**one, **_known(predictions, row), **neighbours})
    if not images:
        return []
    values = viewer_values(predictions.classes, [axes], images, similar=how)
    return [Part("heat-maps", "Heat-maps", [HeatmapViewer(_TEXT, to_script(values))])]


def _known(predictions: Predictions, row: int) -> dict[str, object]:
    """Return what the report states about an image: names may be pseudonyms, and the threshold may be another one."""
    label = int(predictions.labels[row])
    return {
        "name": show_controls(file_name("" if predictions.paths is None else str(predictions.paths[row]))),
        "case": None if predictions.cases is None else show_controls(str(predictions.cases[row])),
        "label": show_controls(predictions.classes[label]) if label >= 0 else None,
        "predictions": {
            "": {
                "predicted": show_controls(predictions.classes[int(predictions.decisions[row])]),
                "probabilities": [round(float(value), 5) for value in predictions.probabilities[row]],
            }
        },
    }


def viewer_script() -> str:
    """Return the script of the viewer."""
    return read_template(_VIEWER, "viewer.js")


def viewer_style() -> Markup:
    """Return the style sheet of the viewer."""
    return Markup(read_template(_VIEWER, "viewer.css"))
