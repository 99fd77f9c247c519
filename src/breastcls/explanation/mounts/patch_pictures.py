"""Pictures of a slide from its patches: tissue, labels, probabilities, heat-maps and overlay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from breastcls.errors import ImageError
from breastcls.explanation.colour_maps import colour_table
from breastcls.explanation.mounts.patch_layout import PatchLayout
from breastcls.images.decode import read_image

LAYERS = ("tissue", "labels", "probabilities", "heatmaps", "overlay")
COLOURED = ("tissue", "overlay")
"""The pictures that are colours; the others are values 0..1."""

# Where there is no patch.
EMPTY = 245
# The tissue stays visible where the probability is one.
_OVERLAY_ALPHA = 0.45
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PatchPictures:
    """The patches of one slide, from which regions of its pictures are made; see `WholeMount`."""

    layout: PatchLayout
    files: tuple[str, ...]
    labels: Floats
    probabilities: Floats
    heatmap: Callable[[int], np.ndarray | None] | None

    @property
    def layers(self) -> tuple[str, ...]:
        """The pictures that can be made, of `LAYERS`."""
        known = {
            "tissue": any(self.files),
            "labels": bool(np.isfinite(self.labels).any()),
            "probabilities": bool(np.isfinite(self.probabilities).any()),
            "heatmaps": self.heatmap is not None,
        }
        known["overlay"] = known["tissue"] and known["probabilities"]
        return tuple(layer for layer in LAYERS if known[layer])

    def render(self, layer: str, numbers: Iterable[int], region: tuple[int, int, int, int], scale: float) -> np.ndarray:
        """Return the mean of some patches in a region of a picture.

        Args:
            layer: One of `layers`.
            numbers: The patches.
            region: Top, left, height and width at the scale.
            scale: 1 is the full resolution.

        Returns:
            uint8 (height, width, 3) for the pictures of `COLOURED`, else float32 (height, width), NaN where there is
            no patch.

        Raises:
            ImageError: If a patch cannot be read.
        """
        top, left, height, width = region
        colour = layer in COLOURED
        total = np.zeros((height, width, 3) if colour else (height, width), np.float32)
        count = np.zeros((height, width), np.uint16)
        for number in numbers:
            # Edges are rounded, so that neighbours neither overlap nor leave a gap.
            y = _scale(self.layout.top[number], self.layout.height[number], scale)
            x = _scale(self.layout.left[number], self.layout.width[number], scale)
            content = self._content(layer, number, (y[1] - y[0], x[1] - x[0]))
            if content is None:
                continue
            rows = slice(max(y[0] - top, 0), min(y[1] - top, height))
            columns = slice(max(x[0] - left, 0), min(x[1] - left, width))
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue
            if isinstance(content, np.ndarray):
                content = content[rows.start + top - y[0] : rows.stop + top - y[0]]
                content = content[:, columns.start + left - x[0] : columns.stop + left - x[0]]
            total[rows, columns] += content
            count[rows, columns] += 1
        known = count > 0
        if colour:
            mean = total / np.maximum(count, 1)[..., np.newaxis]
            return np.where(known[..., np.newaxis], np.rint(mean), EMPTY).astype(np.uint8)
        return np.where(known, total / np.maximum(count, 1), np.nan).astype(np.float32)

    def _content(self, layer: str, number: int, size: tuple[int, int]) -> np.ndarray | float | None:
        """Return what one patch adds to a picture, at a size; None if nothing is known of it."""
        if layer in ("labels", "probabilities"):
            value = float(self.labels[number] if layer == "labels" else self.probabilities[number])
            return None if np.isnan(value) else value
        if layer == "heatmaps":
            assert self.heatmap is not None, "checked by the caller"
            heatmap = self.heatmap(number)
            return None if heatmap is None else _resize(heatmap, size)
        if not self.files[number]:
            return None
        image = read_image(self.files[number])
        expected = (int(self.layout.height[number]), int(self.layout.width[number]))
        if image.shape[:2] != expected:
            raise ImageError(
                f"{self.files[number]} has the size {image.shape[:2]}; expected {expected}. Stitch again with the "
                "present files, without patch_size."
            )
        pixels = _resize(np.asarray(image, dtype=np.float32), size)
        if layer == "overlay" and np.isfinite(self.probabilities[number]):
            probability = float(self.probabilities[number])
            weight = _OVERLAY_ALPHA * probability
            pixels = (1.0 - weight) * pixels + weight * colour_table("viridis")[round(255 * probability)]
        return pixels


def colour_values(values: np.ndarray) -> np.ndarray:
    """Return a picture as uint8 RGB: values 0..1 by the colours of viridis, pale grey where there is no patch."""
    if values.dtype == np.uint8:
        return values
    known = np.isfinite(values)
    steps = np.rint(np.clip(np.where(known, values, 0.0), 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.asarray(np.where(known[..., np.newaxis], colour_table("viridis")[steps], np.uint8(EMPTY)))


def _scale(start: int, length: int, scale: float) -> tuple[int, int]:
    first = round(float(start) * scale)
    return first, max(first + 1, round(float(start + length) * scale))


def _resize(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if values.shape[:2] == size:
        return values
    smaller = size[0] <= values.shape[0] and size[1] <= values.shape[1]
    return np.asarray(cv2.resize(values, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))
