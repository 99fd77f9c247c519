"""The result of `explain`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.heatmap import FLAGS
from breastcls.explanation.image_input import ImageInput
from breastcls.explanation.input_region import place_heatmap
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.explanation.overlay import draw_overlay
from breastcls.explanation.save_heatmaps import save_heatmaps
from breastcls.html_parts import html_paragraph, html_pictures, html_text
from breastcls.predictions.hidden_files import HiddenFiles
from breastcls.predictions.pseudonyms import Pseudonyms
from breastcls.result import Result
from breastcls.text_tables import format_count

SCHEMA = "breastcls.explanation/1"
# A notebook keeps what it shows in its file.
NOTEBOOK_IMAGES = 6


@dataclass(frozen=True, eq=False)
class Explanation(Result):
    """Heat-maps of the evidence for the target class in each image.

    Attributes:
        method: The name of the method: `"grad-cam"`.
        heatmaps: float32 (n, h, w) at the model's input size, 0..1. Each heat-map is scaled separately, so values of
            two images cannot be compared.
        images: uint8 (n, h, w, 3), RGB: the input of the model.
        probabilities: float32 (n, classes), equal to those of `predict`.
        predicted: int64 (n,), the index of the predicted class.
        targets: int64 (n,), the index of the explained class.
        classes: Class names.
        positive_share: float32 (n,): evidence for the target class, divided by all evidence for and against it.
        flags: Per image `""`, or why the heat-map must not be interpreted as it is: `"negative"`, `"empty"` or
            `"incomplete"`.
        sizes: int64 (n, 2), height and width of each original image in pixels.
        resize: How images were resized to the model's input size: `"stretch"`, `"crop"` or `"pad"`.
        score: What was explained: `"logit"` or `"log-probability"`.
        layer: Path of the layer whose feature map was used, or None for methods that use no feature map.
        options: The options passed to the method.
        source: The original images. Files are read again when they are needed.
        engine: What ran the model on perturbed images: `name`, `version`, `precision`.
    """

    method: str
    heatmaps: np.ndarray
    images: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]
    positive_share: np.ndarray
    flags: tuple[str, ...]
    sizes: np.ndarray
    resize: str
    score: str
    layer: str | None
    options: Mapping[str, Any]
    source: ImageInput
    engine: Mapping[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.heatmaps)

    @property
    def paths(self) -> tuple[str, ...] | None:
        """The files of the images, or None for images passed as arrays."""
        return self.source.paths

    @property
    def relative_paths(self) -> tuple[str, ...] | None:
        """The files as `index.csv` and the JSON have them: relative to the folder of the data, or None."""
        return self.source.relative_paths

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the true classes, or None where they are unknown."""
        return self.source.labels

    def with_pseudonyms(self, pseudonyms: Pseudonyms | None = None) -> Explanation:
        """Return the same explanation with pseudonyms for the files; see `Predictions.with_pseudonyms`.

        Args:
            pseudonyms: The pseudonyms, to use the same for several results. Without them, new ones are drawn.

        Raises:
            EvaluationError: If a file has no pseudonym.
        """
        if self.paths is None:
            return self
        new = tuple((pseudonyms or Pseudonyms.of(self)).replace("image", self.paths))
        hidden = HiddenFiles({name: self.source.file_of(number) for number, name in enumerate(new)})
        return replace(self, source=replace(self.source, paths=new, root=None, hidden_files=hidden))

    def image(self, number: int) -> np.ndarray:
        """Return one image at its original size, uint8 (height, width, 3), RGB.

        Raises:
            ImageError: If its file can no longer be read.
            ExplanationError: If its file now has another size.
        """
        image = self.source.read(number)
        expected = tuple(int(side) for side in self.sizes[number])
        if image.shape[:2] != expected:
            name = self.paths[number] if self.paths else f"image {number}"
            raise ExplanationError(
                f"{name} has the size {image.shape[:2]}; it had {expected} when it was explained. Explain it again."
            )
        return image

    def heatmap(self, number: int) -> np.ndarray:
        """Return one heat-map at the size of its image, float32 (height, width); NaN outside of the model's input."""
        height, width = (int(side) for side in self.sizes[number])
        return place_heatmap(self.heatmaps[number], (height, width), self.resize)

    def overlay(self, number: int, *, alpha: float = 0.6, colour_map: str = "viridis") -> np.ndarray:
        """Return one image at its original size with its heat-map blended over it, uint8 (height, width, 3), RGB."""
        return draw_overlay(self.image(number), self.heatmap(number), alpha=alpha, colour_map=colour_map)

    def caption(self, number: int) -> str:
        """Return the predicted, the true and the explained class of one image in a line: `"malignant 0.98"`."""
        predicted, target = int(self.predicted[number]), int(self.targets[number])
        text = f"{self.classes[predicted]} {self.probabilities[number, predicted]:.2f}"
        if self.labels is not None:
            text += f" (true: {self.labels[number]})"
        if target != predicted:
            text += f", explained: {self.classes[target]} {self.probabilities[number, target]:.2f}"
        return text

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        alpha: float = 0.6,
        colour_map: str = "viridis",
    ) -> Path:
        """Write one overlay per image at its original size, `heatmaps.npz` and `index.csv`, and return the folder.

        Each file is written completely or not at all. `index.csv` is written last and lists the other files.

        Args:
            folder: Created if it does not exist.
            overwrite: Whether to replace files of the same names. If False and such files exist, nothing is written.
            alpha: Opacity where the heat-map is 1, between 0 and 1.
            colour_map: A Matplotlib colour map.

        Raises:
            OutputError: If files of the same names exist and `overwrite` is False, or the folder cannot be
                written to.
        """
        files = self.relative_paths
        rows = [
            {
                "path": files[number] if files else "",
                "label": self.labels[number] if self.labels else "",
                "method": self.method,
                "predicted": self.classes[int(self.predicted[number])],
                "target": self.classes[int(self.targets[number])],
                "target_probability": f"{self.probabilities[number, int(self.targets[number])]:.6f}",
                "positive_share": f"{self.positive_share[number]:.6f}",
                "flag": self.flags[number],
                "height": int(self.sizes[number, 0]),
                "width": int(self.sizes[number, 1]),
            }
            for number in range(len(self))
        ]
        arrays = {
            "heatmaps": self.heatmaps,
            "targets": self.targets,
            "probabilities": self.probabilities,
            "classes": np.array(self.classes, dtype=np.str_),
        }
        overlay = partial(self.overlay, alpha=alpha, colour_map=colour_map)
        return save_heatmaps(Path(folder), rows, overlay, arrays, overwrite=overwrite)

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        limit: int = 8,
        alpha: float = 0.6,
        colour_map: str = "viridis",
    ) -> Any:
        """Draw image, heat-map and overlay on one `matplotlib.figure.Figure`; given a path, save it.

        Args:
            path: Where to save; the suffix `.svg`, `.png` or `.pdf` chooses the format.
            limit: Draw at most so many images, the first ones; the figure says how many were left out.
            alpha: Opacity where the heat-map is 1, between 0 and 1.
            colour_map: A Matplotlib colour map.
        """
        # Not at the top of the file: `explain` needs no Matplotlib.
        from breastcls.drawing.figures import save_figure
        from breastcls.explanation.explanation_panel import PanelRow, draw_panel

        if limit < 1:
            raise ExplanationError(f"limit is {limit}; expected 1 or more.")
        rows = [
            PanelRow(
                image=self.image(number),
                heatmap=self.heatmap(number),
                overlay=self.overlay(number, alpha=alpha, colour_map=colour_map),
                caption=self.caption(number),
                target=self.classes[int(self.targets[number])],
                flag=self.flags[number],
                name=Path(self.paths[number]).stem if self.paths else "",
            )
            for number in range(min(limit, len(self)))
        ]
        method = METHODS[self.method]
        figure = draw_panel(rows, f"{method.title}: {method.shows}", total=len(self), colour_map=colour_map)
        if path is not None:
            save_figure(figure, path, dpi=150)
        return figure

    def to_dict(self) -> dict[str, Any]:
        """Return everything except pixels and heat-maps as JSON values."""
        files = self.relative_paths
        rows = [
            {
                "path": files[number] if files else None,
                "label": self.labels[number] if self.labels else None,
                "predicted": self.classes[int(self.predicted[number])],
                "target": self.classes[int(self.targets[number])],
                "probabilities": [float(value) for value in self.probabilities[number]],
                "positive_share": float(self.positive_share[number]),
                "flag": self.flags[number],
                "height": int(self.sizes[number, 0]),
                "width": int(self.sizes[number, 1]),
            }
            for number in range(len(self))
        ]
        return {
            "schema": SCHEMA,
            "method": self.method,
            "options": dict(self.options),
            "score": self.score,
            "layer": self.layer,
            "engine": None if self.engine is None else dict(self.engine),
            "classes": list(self.classes),
            "image_size": [int(side) for side in self.heatmaps.shape[1:]],
            "resize": self.resize,
            "images": rows,
        }

    def __str__(self) -> str:
        method = METHODS[self.method]
        height, width = self.heatmaps.shape[1:]
        lines = [
            f"Explanation of {len(self)} image{'s' * (len(self) != 1)} by {method.title} ({method.reference})",
            f"  heat-maps {height}x{width} of the {self.score}" + (f", at layer {self.layer}" if self.layer else ""),
        ]
        for index, name in enumerate(self.classes):
            explained = self.targets == index
            if explained.any():
                share = float(np.median(self.positive_share[explained]))
                # Some methods find only evidence for a class: their share is always 1 and carries no information.
                positive = f", median share of positive evidence {share:.2f}" if share < 1.0 else ""
                lines.append(f"  {name}: {int(explained.sum())} explained{positive}")
        lines += [
            f"  {self.flags.count(flag)} {flag}: {meaning}" for flag, meaning in FLAGS.items() if flag in self.flags
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the text, and the first images with their heat-maps at the model's size."""
        pictures = []
        for number in range(min(len(self), NOTEBOOK_IMAGES)):
            image = self.images[number]
            both = np.hstack([image, draw_overlay(image, self.heatmaps[number])])
            encoded = cv2.imencode(".webp", both[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 80])[1]
            flag = f", flag: {self.flags[number]}" if self.flags[number] else ""
            pictures.append((encoded.tobytes(), f"{self.caption(number)}{flag}"))
        left_out = len(self) - len(pictures)
        more = f"{format_count(left_out, 'further image')}: plot() and save() show all." if left_out else ""
        return html_text(str(self)) + html_pictures(pictures) + html_paragraph(more)

    def __repr__(self) -> str:
        flagged = sum(map(bool, self.flags))
        return f"Explanation({format_count(len(self), 'image')}, method={self.method!r}, flagged={flagged})"
