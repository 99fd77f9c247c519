"""What the viewer shows, as JSON values: images, heat-maps by model, method and class, and texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from breastcls.control_characters import show_controls
from breastcls.drawing.embedded_pictures import encode_grey, encode_mask, encode_photograph
from breastcls.explanation.colour_maps import colour_table
from breastcls.explanation.explained_images import ExplainedImages
from breastcls.explanation.heatmap import FLAGS
from breastcls.explanation.input_region import find_input_region
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.stain.glass_pixels import find_glass

COLOURS = ("viridis", "cividis", "magma", "gray")
PREDICTED = "predicted class"
SCALE = "evidence for the class, scaled per image; maps with little evidence have less opacity, and glass is left out"
KEYS = (
    "m method, c class, v model, o heat-map on or off, l contour lines, g glass, [ ] opacity, + − 0 zoom, h j k ; "
    "move, s sort, ← → previous and next image, Enter enlarge, Esc close."
)


@dataclass(frozen=True)
class PictureSizes:
    """The largest longer side of pictures in the page, in pixels, and the quality of JPEG files, 1 to 100."""

    image: int = 1024
    heatmap: int = 256
    quality: int = 88


@dataclass(frozen=True, eq=False)
class NamedMaps:
    """One explanation in the viewer.

    Attributes:
        explanation: The explanation.
        model: The name of its model, or "" if all are of one model.
    """

    explanation: ExplainedImages
    model: str = ""

    @property
    def axes(self) -> dict[str, str]:
        """Model, method and class, among which the user of the page chooses."""
        method = METHODS[self.explanation.method].title
        return {"model": self.model, "method": method, "target": _target(self.explanation)}

    def prediction(self, number: int) -> dict[str, Any]:
        """Return what the model predicted for one image."""
        classes = self.explanation.classes
        return {
            "predicted": show_controls(classes[int(self.explanation.predicted[number])]),
            "probabilities": [round(float(value), 5) for value in self.explanation.probabilities[number]],
        }


def viewer_values(
    classes: Sequence[str], maps: Sequence[Mapping[str, str]], images: Sequence[dict[str, Any]], similar: str = ""
) -> dict[str, Any]:
    """Return what the script of the viewer reads.

    Args:
        classes: Class names.
        maps: Model, method and class of the heat-maps that each image may have.
        images: What `image_values` returned, each with `maps` in that order.
        similar: A sentence on how similar images were found.
    """
    return {
        "classes": [show_controls(name) for name in classes],
        "maps": [{key: show_controls(value) for key, value in one.items()} for one in maps],
        "images": list(images),
        "colours": [{"name": name, "table": colour_table(name).tobytes().hex()} for name in COLOURS],
        "flags": {flag: f"Flag: {meaning}." for flag, meaning in FLAGS.items() if flag != "incomplete"},
        "scale": SCALE,
        "keys": KEYS,
        "similar": similar,
    }


def image_values(
    found: Mapping[int, tuple[NamedMaps, int]], count: int, *, source: str | None, sizes: PictureSizes
) -> dict[str, Any]:
    """Return one image and its heat-maps.

    Args:
        found: By the index of the heat-map among all `count` ones: the explanation and the index of the image in it.
        count: The largest number of heat-maps of an image.
        source: The address of the picture, or `#` and the id of an element that shows it; None encodes the picture.
        sizes: The sizes of pictures in the page.

    Raises:
        ImageError: If the file of the image can no longer be read.
        ExplanationError: If the size of the image has changed.
    """
    first, number = next(iter(found.values()))
    explanation = first.explanation
    image = explanation.image(number)
    glass = find_glass(image)
    magnifications = explanation.source.magnifications
    predictions: dict[str, Any] = {}
    maps: list[dict[str, Any] | None] = [None] * count
    for place, (one, position) in found.items():
        predictions.setdefault(show_controls(one.model), one.prediction(position))
        maps[place] = _map_values(one.explanation, position, sizes)
    return {
        "name": show_controls(Path(explanation.paths[number]).name if explanation.paths else f"image {number}"),
        "case": show_controls(explanation.cases[number]) if explanation.cases else None,
        "magnification": magnifications[number] if magnifications else None,
        "label": show_controls(explanation.labels[number]) if explanation.labels else None,
        "src": source or encode_photograph(image, sizes.image, sizes.quality),
        "width": int(image.shape[1]),
        "height": int(image.shape[0]),
        "glass": encode_mask(glass, sizes.image) if glass.any() else None,
        "predictions": predictions,
        "maps": maps,
    }


def _map_values(explanation: ExplainedImages, number: int, sizes: PictureSizes) -> dict[str, Any]:
    height, width = (int(side) for side in explanation.sizes[number])
    heat = explanation.heatmaps[number]
    region = find_input_region((height, width), (heat.shape[0], heat.shape[1]), explanation.resize)
    box = (region.left / width, region.top / height, region.width / width, region.height / height)
    return {
        "src": encode_grey(heat, sizes.heatmap),
        "box": [round(part, 6) for part in box],
        "share": round(float(explanation.positive_share[number]), 4),
        "opacity": round(explanation.opacity(number), 4),
        "onGlass": round(float(explanation.glass_share[number]), 4),
        "flag": explanation.flags[number],
        "target": show_controls(explanation.target_name(number)),
    }


def _target(explanation: ExplainedImages) -> str:
    if explanation.target_score:
        return explanation.target_score
    names = {explanation.target_name(number) for number in range(len(explanation))}
    if all(int(one) == int(other) for one, other in zip(explanation.targets, explanation.predicted, strict=True)):
        return PREDICTED
    return names.pop() if len(names) == 1 else "chosen per image"


def to_script(values: Mapping[str, Any]) -> Markup:
    """Return JSON values for a `<script>` of data: no text in it can end the element.

    Example:
        >>> "<" in to_script({"name": "</script>"})
        False
    """
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
