"""Misclassified and correctly classified images as small pictures inside the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from breastcls.argument_checks import check_count
from breastcls.errors import EvaluationError
from breastcls.evaluation.report.provenance import file_name
from breastcls.html_parts import picture_address
from breastcls.images.decode import read_image
from breastcls.images.encode import encode_image
from breastcls.images.resize import shrink_image

if TYPE_CHECKING:
    from breastcls.evaluation.report.image_heatmaps import Overlay
    from breastcls.features.similar_images import SimilarImages
    from breastcls.predictions.predictions import Predictions

MOST_THUMBNAILS = 100
# The pictures share this many bytes, which leaves the report well under 3 MB however many there are.
_BUDGET = 1_500_000
_EDGES = (360, 256, 180, 128, 96, 64)
_QUALITY = 82


@dataclass(frozen=True)
class Picture:
    """A small picture that travels inside a page: its `data:` address and its size in pixels."""

    address: str
    height: int
    width: int


@dataclass(frozen=True)
class ShownImage:
    """One image of the report.

    Attributes:
        true: The class it is labelled as.
        predicted: The predicted class.
        probability: Of the predicted class.
        true_probability: Of the true class.
        origin: Case and slide in words.
        file_name: Name of the file without its folders, or "".
        picture: The picture, or None.
        problem: Why there is no picture, or "".
        heatmap: The picture with its heat-map over it, or None.
        remark: A remark on the heat-map, or "".
        evidence: The share of positive evidence, and of evidence on glass, or "".
        key: The id of the picture in the page.
        similar: The most similar training images: `src`, `label`, `case`, `name` and `distance` of each.
    """

    true: str
    predicted: str
    probability: float
    true_probability: float
    origin: str
    file_name: str
    picture: Picture | None
    problem: str
    heatmap: Picture | None = None
    remark: str = ""
    evidence: str = ""
    key: str = ""
    similar: Sequence[Mapping[str, Any]] = ()

    @property
    def correct(self) -> bool:
        """Whether the predicted class is the true one."""
        return self.true == self.predicted


def check_thumbnails(count: int) -> None:
    """Raise `EvaluationError` unless so many images of a kind can be shown."""
    # More would make the report large.
    check_count("thumbnails", count, 0, most=MOST_THUMBNAILS, error=EvaluationError)


def find_mistakes(predictions: Predictions) -> npt.NDArray[np.int64]:
    """Return the misclassified rows, spread over the cases; rows without a label are left out.

    First the most confident mistake of each case, the most confident case first, then the second of each, and so on.
    """
    wrong = np.flatnonzero((predictions.labels >= 0) & (predictions.decisions != predictions.labels))
    return _spread(predictions, wrong)


def find_correct(predictions: Predictions) -> npt.NDArray[np.int64]:
    """Return the correctly classified rows, spread over classes and cases, the most confident ones first."""
    of_class = [
        _spread(predictions, np.flatnonzero((predictions.labels == label) & (predictions.decisions == label))).tolist()
        for label in range(len(predictions.classes))
    ]
    longest = max(map(len, of_class), default=0)
    rows = [rows[place] for place in range(longest) for rows in of_class if place < len(rows)]
    return np.array(rows, dtype=np.int64)


def _spread(predictions: Predictions, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return rows by their rank within their case, then by the probability of the predicted class, descending."""
    certainty = predictions.probabilities[rows, predictions.decisions[rows]]
    order = np.argsort(-certainty, kind="stable")
    if predictions.cases is None:
        return rows[order]
    seen: dict[str, int] = {}
    rank = np.empty(len(rows), dtype=np.int64)
    for place, case in enumerate(predictions.cases[rows[order]]):
        rank[place] = seen[case] = seen.get(case, -1) + 1
    return rows[order[np.argsort(rank, kind="stable")]]


def find_neighbours(
    predictions: Predictions, rows: Sequence[int], similar: SimilarImages | None
) -> dict[int, list[dict[str, Any]]]:
    """Return the most similar training images of rows; without names where the images have pseudonyms.

    Raises:
        EvaluationError: If similar images are given, but of none of the images that were scored.
    """
    if similar is None or predictions.paths is None:
        return {}
    named = all(str(predictions.paths[row]) == predictions.file_of(row) for row in rows)
    shown = {row: similar.shown(predictions.file_of(row), longest=96, named=named) for row in rows}
    found = {row: near for row, near in shown.items() if near is not None}
    if rows and not found:
        raise EvaluationError(
            "The similar images are of none of the images that the report shows. Pass those of the test images: "
            "find_similar(model, test, train)."
        )
    return found


def show_images(
    predictions: Predictions,
    rows: Sequence[int],
    overlays: Mapping[int, Overlay],
    total: int,
    similar: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
) -> list[ShownImage]:
    """Return rows with small pictures; a file that is gone or broken is named instead.

    Args:
        predictions: What was scored.
        rows: Which of them.
        overlays: Heat-maps by row, where there are any.
        total: How many pictures the whole report has, which share the bytes that it may take.
        similar: What `find_neighbours` returned, or None.
    """
    decisions = predictions.decisions
    budget = _BUDGET // max(total, 1)
    shown = []
    for row in rows:
        name = "" if predictions.paths is None else str(predictions.paths[row])
        picture, problem = _picture(predictions.file_of(row), budget)
        overlay = overlays.get(row)
        shown.append(
            ShownImage(
                true=predictions.classes[predictions.labels[row]],
                predicted=predictions.classes[decisions[row]],
                probability=float(predictions.probabilities[row, decisions[row]]),
                true_probability=float(predictions.probabilities[row, predictions.labels[row]]),
                origin=_origin(predictions, row),
                file_name=file_name(name),
                picture=picture,
                problem=problem,
                heatmap=None if overlay is None else encode_picture(overlay.pixels, budget),
                remark="" if overlay is None else overlay.remark,
                evidence="" if overlay is None else overlay.evidence,
                key=picture_key(row),
                similar=(similar or {}).get(row, ()),
            )
        )
    return shown


def picture_key(row: int) -> str:
    """Return the id of the picture of a row in the page."""
    return f"picture-{row}"


def _origin(predictions: Predictions, row: int) -> str:
    parts = []
    if predictions.cases is not None:
        parts.append(f"case {predictions.cases[row]}")
    if predictions.slides is not None and predictions.slides[row]:
        slide = str(predictions.slides[row])
        if predictions.cases is None or slide != predictions.cases[row]:
            parts.append(f"slide {slide}")
    return ", ".join(parts)


def _picture(path: str, budget: int) -> tuple[Picture | None, str]:
    """Return a picture, or the reason why there is none."""
    if not path:
        return None, "No picture: the file is not known."
    # The message names no folder: a report is passed on, and the folders of its author are private.
    if not Path(path).is_file():
        return None, "No picture: the file no longer exists."
    try:
        image = read_image(path)
    except OSError:
        return None, "No picture: the file cannot be read as an image."
    return encode_picture(image, budget), ""


def encode_picture(image: npt.NDArray[np.uint8], budget: int) -> Picture:
    """Return an RGB picture (height, width, 3) as a JPEG whose address takes at most about `budget` bytes."""
    for edge in _EDGES:
        small = shrink_image(image, edge)
        address = picture_address(encode_image(small, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]))
        picture = Picture(address, *small.shape[:2])
        if len(address) <= budget:
            break
    return picture
