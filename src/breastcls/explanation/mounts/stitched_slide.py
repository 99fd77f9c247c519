"""The result of `stitch` for one slide: its pictures, files, figure and counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.errors import ExplanationError, OutputError
from breastcls.explanation.mounts.patch_layout import PatchLayout
from breastcls.explanation.mounts.patch_pictures import COLOURED, Floats, PatchPictures, colour_values
from breastcls.explanation.mounts.pyramid_tiff import write_pyramid
from breastcls.images.encode import write_image
from breastcls.result import Result
from breastcls.text_tables import format_count

_MOST_PIXELS = 2**26
# Scanners write at most some 300,000 pixels per side.
_MOST_SIDE = 10**6


@dataclass(frozen=True, eq=False, repr=False)
class WholeMount(Result):
    """A slide that was reassembled from its patches.

    Attributes:
        slide: The name of the slide.
        layout: Where the patches are.
        files: The file of each patch, "" where there is none.
        labels: float32 (n,): 1 for patches that are labelled as the class, 0 for others, NaN where it is not known.
        probabilities: float32 (n,): the predicted probability of the class; NaN where there is none.
        target: The name of the class.
        micrometres_per_pixel: The physical size, or None where it is not known.
        heatmap: Returns the heat-map of a patch, float32 (h, w), or None; None if there are no heat-maps.
    """

    slide: str
    layout: PatchLayout
    files: tuple[str, ...]
    labels: Floats
    probabilities: Floats
    target: str
    micrometres_per_pixel: float | None = None
    heatmap: Callable[[int], np.ndarray | None] | None = None

    def __len__(self) -> int:
        return len(self.layout)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the slide in pixels, from the first to the last patch."""
        return self.layout.size

    @property
    def layers(self) -> tuple[str, ...]:
        """The available pictures, of `"tissue"`, `"labels"`, `"probabilities"`, `"heatmaps"` and `"overlay"`."""
        return self._pictures.layers

    def values(self, layer: str, *, longest: int = 2048) -> np.ndarray:
        """Return a picture of the whole slide, reduced if its longer side has more than `longest` pixels.

        Where patches overlap, it is their mean. Memory depends on `longest`, not on the number of patches.

        Args:
            layer: `"tissue"` and `"overlay"` are uint8 (height, width, 3), RGB, pale grey where there is no patch;
                `"labels"`, `"probabilities"` and `"heatmaps"` are float32 (height, width), NaN where there is none.
            longest: Pixels of the longer side.

        Raises:
            ExplanationError: If there is no such picture.
            ImageError: If a patch cannot be read.
        """
        scale = min(1.0, longest / max(self.size))
        height, width = (max(1, round(side * scale)) for side in self.size)
        if height * width > _MOST_PIXELS:
            raise ExplanationError(
                f"A picture of {height}x{width} pixels is too large for the memory; reduce longest, or write a pyramid "
                "with to_tiff."
            )
        self._check(layer)
        return self._pictures.render(layer, range(len(self)), (0, 0, height, width), scale)

    def region(self, layer: str, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return a region of a picture at full resolution, in pixels of the slide; see `values`.

        Args:
            layer: One of `layers`.
            top: First row of the region.
            left: First column of the region.
            height: Number of rows.
            width: Number of columns.

        Raises:
            ExplanationError: If there is no such picture.
            ImageError: If a patch cannot be read.
        """
        self._check(layer)
        numbers = self.layout.overlapping(top, left, height, width)
        return self._pictures.render(layer, numbers, (top, left, height, width), 1.0)

    @staticmethod
    def coloured(values: np.ndarray) -> np.ndarray:
        """Return a picture as uint8 RGB: values 0..1 by the colours of viridis, pale grey where there is no patch."""
        return colour_values(values)

    def to_png(self, path: str | os.PathLike[str], layer: str = "overlay", *, longest: int = 4096) -> Path:
        """Write one picture as PNG, reduced to `longest` pixels of the longer side.

        Args:
            path: The file to write; its name ends in `.png`.
            layer: One of `layers`.
            longest: The largest number of pixels of the longer side.

        Raises:
            OutputError: If the file cannot be written.
            ExplanationError: If there is no such picture.
            ImageError: If a patch cannot be read.
        """
        target = Path(path)
        if target.suffix.lower() != ".png":
            raise OutputError(f"Cannot write {target.name!r} as PNG; the name has to end in .png.")
        pixels = self.coloured(self.values(layer, longest=longest))
        return write_image(target, pixels)

    def to_tiff(self, path: str | os.PathLike[str], layer: str = "overlay", *, raw: bool = False) -> Path:
        """Write one picture as a tiled pyramidal TIFF at full resolution, with the physical size if it is known.

        It is written tile by tile: memory does not depend on the size of the slide. Needs `pip install
        'breastcls[tiff]'`.

        Args:
            path: The file, `.tif` or `.tiff`.
            layer: See `values`.
            raw: Whether to write `"labels"`, `"probabilities"` or `"heatmaps"` as float32 values, not as colours.

        Raises:
            OutputError: If the file cannot be written, or tifffile is not installed.
            ExplanationError: If there is no such picture, or patches are so far apart that `x` or `y` must be wrong.
            ImageError: If a patch cannot be read.
        """
        self._check(layer)
        if max(self.size) > _MOST_SIDE:
            height, width = self.size
            raise ExplanationError(
                f"Slide {self.slide} has {height}x{width} pixels from its first to its last patch, more than any "
                "scanned slide. Correct the columns x and y, or leave out patches that are far from all others."
            )
        colour = not raw or layer in COLOURED

        def read(top: int, left: int, height: int, width: int) -> np.ndarray:
            values = self.region(layer, top, left, height, width)
            return self.coloured(values) if colour else values

        return write_pyramid(path, self.size, read, colour=colour, micrometres_per_pixel=self.micrometres_per_pixel)

    def plot(self, path: str | os.PathLike[str] | None = None, *, longest: int = 1200) -> Any:
        """Draw the true labels, probabilities and heat-maps beside the tissue; given a path, save the figure.

        Args:
            path: Where to save; the suffix `.svg`, `.png` or `.pdf` chooses the format.
            longest: Pixels of the longer side of each picture.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.explanation.mounts.mount_figure import draw_mount

        titles = {
            "tissue": "tissue",
            "labels": f"labelled {self.target}",
            "probabilities": f"predicted probability of {self.target}",
            "heatmaps": "heat-maps times probability",
        }
        if self.heatmap is None:
            titles["overlay"] = "probability over tissue"
        pictures = [
            (title, self.values(layer, longest=longest)) for layer, title in titles.items() if layer in self.layers
        ]
        figure = draw_mount(str(self), pictures, self.size, self.micrometres_per_pixel)
        return export_figure(figure, path, dpi=200)

    def to_dict(self) -> dict[str, Any]:
        """Return size, class and counts as JSON values."""
        height, width = self.size
        return {
            "schema": "breastcls.whole-mount/1",
            "slide": self.slide,
            "patches": len(self),
            "height": height,
            "width": width,
            "origin": list(self.layout.origin),
            "micrometres_per_pixel": self.micrometres_per_pixel,
            "covered": self.layout.covered,
            "target": self.target,
            "labelled": int(np.isfinite(self.labels).sum()),
            "labelled_as_target": int(np.nansum(self.labels)),
            "mean_probability": float(np.nanmean(self.probabilities)) if "probabilities" in self.layers else None,
            "layers": list(self.layers),
        }

    def __str__(self) -> str:
        height, width = self.size
        text = f"{self.slide}: {format_count(len(self), 'patch', 'patches')} in {height}x{width} pixels"
        if self.micrometres_per_pixel is not None:
            sides = [side * self.micrometres_per_pixel for side in self.size]
            text += f" ({_physical_size(*sides)})"
        text += f", {self.layout.covered:.0%} covered"
        if "labels" in self.layers:
            text += f"; {int(np.nansum(self.labels))} labelled {self.target}"
        if "probabilities" in self.layers:
            text += f", mean probability {float(np.nanmean(self.probabilities)):.2f}"
            missing = int(np.isnan(self.probabilities).sum())
            text += f", {missing} without a prediction" if missing else ""
        return text

    @cached_property
    def _pictures(self) -> PatchPictures:
        return PatchPictures(self.layout, self.files, self.labels, self.probabilities, self.heatmap)

    def _check(self, layer: str) -> None:
        if layer not in self.layers:
            raise ExplanationError(f"Slide {self.slide} has no picture {layer!r}; it has {', '.join(self.layers)}.")


def _physical_size(height: float, width: float) -> str:
    """Return the size of a slide from micrometres, as text."""
    if max(height, width) < 1e3:
        return f"{height:.0f}x{width:.0f} µm"
    return f"{height / 1e3:.1f}x{width / 1e3:.1f} mm"
