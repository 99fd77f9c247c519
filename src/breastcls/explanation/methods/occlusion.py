"""Occlusion: the decrease of the score when a part of the image is covered, for any model, without gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.baseline_image import make_baseline
from breastcls.explanation.methods.batches_ahead import prepare_ahead
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def occlusion(
    scored: ScoredModel,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    window: int | None = None,
    stride: int | None = None,
    baseline: str = "mean",
) -> Attribution:
    """Slide a square over the image; the value of a pixel is the mean decrease of the score under squares on it.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        window: Side of the square in pixels of the model's input; by default an eighth of the shorter side.
        stride: Distance between neighbouring squares in pixels; by default half of the window.
        baseline: The image inside of the square, see `make_baseline`.

    Raises:
        ExplanationError: If the window does not fit into the image, or the stride leaves gaps between squares.

    References:
        Zeiler and Fergus 2014, DOI 10.1007/978-3-319-10590-1_53.
    """
    height, width = images.shape[1:3]
    window = max(2, min(height, width) // 8) if window is None else window
    stride = max(1, window // 2) if stride is None else stride
    if not 1 <= window <= min(height, width) or not 1 <= stride <= window:
        raise ExplanationError(
            f"window is {window} and stride {stride}; expected a window of 1 to {min(height, width)} pixels "
            "and a stride of 1 to the window."
        )
    corners = [(top, left) for top in _starts(height, window, stride) for left in _starts(width, window, stride)]
    cover = make_baseline(images, baseline)
    whole = scored.scores(images)
    values = np.zeros(images.shape[:3], dtype=np.float64)
    counts = np.zeros((height, width), dtype=np.float64)
    for top, left in corners:
        counts[top : top + window, left : left + window] += 1.0
    for number, part, covered in prepare_ahead(_covered_batches(images, cover, corners, window, scored.batch_size)):
        decreases = whole[number, targets[number]] - scored.scores(covered)[:, targets[number]]
        for (top, left), decrease in zip(part, decreases, strict=True):
            values[number, top : top + window, left : left + window] += decrease
    return Attribution((values / counts).astype(np.float32))


OCCLUSION = Method(
    name="occlusion",
    compute=occlusion,
    title="Occlusion",
    reference="Zeiler and Fergus 2014, DOI 10.1007/978-3-319-10590-1_53",
    perturbs=True,
    passes="227 forward (`window`, `stride`)",
)


def _covered_batches(
    images: np.ndarray, cover: np.ndarray, corners: list[tuple[int, int]], window: int, batch_size: int
) -> Iterator[tuple[int, list[tuple[int, int]], np.ndarray]]:
    """Yield the number of an image, positions of the square, and the image covered at each, float32 (k, h, w, 3)."""
    for number, image in enumerate(images):
        for start in range(0, len(corners), batch_size):
            part = corners[start : start + batch_size]
            covered = np.repeat(image[np.newaxis], len(part), axis=0)
            for row, (top, left) in enumerate(part):
                square = np.s_[top : top + window, left : left + window]
                covered[row][square] = cover[number][square]
            yield number, part, covered


def _starts(length: int, window: int, stride: int) -> list[int]:
    """Return the positions of the squares along one side; the last square ends at the border."""
    starts = list(range(0, length - window + 1, stride))
    if starts[-1] != length - window:
        starts.append(length - window)
    return starts
