"""The result of `explain`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError
from breastcls.explanation.explained_images import ExplainedImages
from breastcls.explanation.heatmap import FLAGS
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.explanation.overlay import OverlayStyle, draw_overlay
from breastcls.explanation.save_heatmaps import save_heatmaps
from breastcls.html_parts import html_paragraph, html_pictures, html_text
from breastcls.images.encode import encode_image
from breastcls.stain.glass_pixels import find_glass
from breastcls.text_tables import format_count

if TYPE_CHECKING:
    from breastcls.explanation.checks.faithfulness import Faithfulness
    from breastcls.features.similar_images import SimilarImages

SCHEMA = "breastcls.explanation/1"
# A notebook keeps what it shows in its file.
NOTEBOOK_IMAGES = 6


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(ExplainedImages):
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
        positive_share: float32 (n,): evidence for the target class, divided by all evidence for and against it. The
            opacity of overlays depends on it; see `overlay`.
        flags: Per image `""`, or why the heat-map must not be interpreted as it is: `"negative"`, `"empty"` or
            `"incomplete"`.
        sizes: int64 (n, 2), height and width of each original image in pixels.
        resize: How images were resized to the model's input size: `"stretch"`, `"crop"` or `"pad"`.
        score: What was explained: `"logit"` or `"log-probability"`.
        layer: Path of the layer whose feature map was used, or None for methods that use no feature map.
        options: The options passed to the method.
        source: The original images. Files are read again when they are needed.
        engine: What ran the model on perturbed images: `name`, `version`, `precision`.
        reference: A weak reference to the model, and the function of its scores that was explained, if there is one.
        target_score: What was explained where it is not the score of one class, such as `"ductal - lobular"`; else "".
            `targets` has the first class of a difference, and the predicted class for a function of the scores.
    """

    def faithfulness(self, model: Any = None, **options: Any) -> Faithfulness:
        """Measure deletion, insertion and ROAD, compared with random maps and with a map of the centre of the image.

        Args:
            model: The model that was explained. None uses the model that was passed to `explain`, if it still exists.
            **options: Arguments of `breastcls.explanation.measure_faithfulness`, such as `steps=20`.

        Raises:
            ExplanationError: If the model does not exist any more, or an argument is wrong.
        """
        from breastcls.explanation.checks.faithfulness import measure_faithfulness

        model = self.reference.model if model is None else model
        if model is None:
            raise ExplanationError(
                "The explained model does not exist any more; pass it: explanation.faithfulness(model)."
            )
        return measure_faithfulness(model, self, **options)

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        alpha: float = 0.6,
        colour_map: str = "viridis",
        contours: bool = False,
        tissue_only: bool = True,
        by_share: bool = True,
        raw: str | Sequence[str] = (),
    ) -> Path:
        """Write one overlay per image at its original size, `heatmaps.npz` and `index.csv`, and return the folder.

        Each file is written atomically. `index.csv` is written last and lists the other files, with the
        positive share, the share on glass and the opacity of each overlay.

        Args:
            folder: Created if it does not exist.
            overwrite: Whether to replace files of the same names. If False and such files exist, nothing is written.
            alpha: Opacity where the heat-map is 1, between 0 and 1.
            colour_map: See `overlay`.
            contours: See `overlay`.
            tissue_only: See `overlay`.
            by_share: See `overlay`.
            raw: `"tiff"`, `"npy"` or both: each heat-map also as a file of its own at the size of its image, float32,
                0..1, NaN outside of the model's input. The TIFF has one channel and no compression that needs a
                further library; ImageJ, QuPath, OpenCV, Pillow and tifffile read it.

        Raises:
            OutputError: If files of the same names exist and `overwrite` is False, or the folder cannot be
                written to.
            ExplanationError: If an argument is wrong.
        """
        style = OverlayStyle(alpha, colour_map, contours, tissue_only, by_share)
        files = self.relative_paths or ("",) * len(self)
        return save_heatmaps(Path(folder), [self], files, style, raw=raw, overwrite=overwrite)

    def index_row(self, number: int, *, by_share: bool = True) -> dict[str, Any]:
        """Return the row of `index.csv` for one image.

        Args:
            number: Which image.
            by_share: Whether its overlay is drawn with less opacity if there is little positive evidence.
        """
        files = self.relative_paths
        return {
            "path": files[number] if files else "",
            "label": self.labels[number] if self.labels else "",
            "method": self.method,
            "predicted": self.classes[int(self.predicted[number])],
            "target": self.target_name(number),
            "target_probability": f"{self.probabilities[number, int(self.targets[number])]:.6f}",
            "positive_share": f"{self.positive_share[number]:.6f}",
            "glass_share": f"{self.glass_share[number]:.6f}",
            "opacity": f"{self.opacity(number) if by_share else 1.0:.6f}",
            "flag": self.flags[number],
            "height": int(self.sizes[number, 0]),
            "width": int(self.sizes[number, 1]),
        }

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        limit: int = 8,
        alpha: float = 0.6,
        colour_map: str = "viridis",
        contours: bool = False,
        tissue_only: bool = True,
        by_share: bool = True,
    ) -> Any:
        """Draw image, heat-map and overlay on one `matplotlib.figure.Figure`; given a path, save it.

        Args:
            path: Where to save; the suffix `.svg`, `.png` or `.pdf` chooses the format.
            limit: The largest number of images to draw, the first ones; the figure states how many there are.
            alpha: Opacity where the heat-map is 1, between 0 and 1.
            colour_map: See `overlay`.
            contours: See `overlay`.
            tissue_only: See `overlay`.
            by_share: See `overlay`.

        Returns:
            The figure.

        Raises:
            ExplanationError: If `limit` is less than one, or `colour_map` is unknown or not perceptually uniform.
            OutputError: If the file cannot be written.
        """
        # Not at the top of the file: `explain` needs no Matplotlib.
        from breastcls.drawing.figures import export_figure
        from breastcls.explanation.explanation_panel import PanelRow, draw_panel

        check_count("limit", limit, error=ExplanationError)
        style = OverlayStyle(alpha, colour_map, contours, tissue_only, by_share)
        rows = []
        for number in range(min(limit, len(self))):
            image = self.image(number)
            row = PanelRow(
                image=image,
                heatmap=self.heatmap(number),
                overlay=self.draw(number, image, style),
                opacity=self.opacity(number) if by_share else 1.0,
                glass=find_glass(image) if tissue_only else np.zeros(image.shape[:2], bool),
                # The next column names the explained class.
                caption=self._prediction(number),
                target=self.target_name(number),
                evidence=self.evidence(number),
                flag=self.flags[number],
                name=Path(self.paths[number]).stem if self.paths else "",
            )
            rows.append(row)
        method = METHODS[self.method]
        figure = draw_panel(rows, f"{method.title}: {method.shows}", total=len(self), colour_map=colour_map)
        return export_figure(figure, path, dpi=150)

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        similar: SimilarImages | None = None,
        limit: int = 200,
        longest: int = 1024,
    ) -> Path:
        """Write an HTML page that shows the heat-maps; arguments and errors: `breastcls.explanation.write_viewer`."""
        from breastcls.explanation.viewer.write_viewer import write_viewer

        return write_viewer(self, path, title=title, similar=similar, limit=limit, longest=longest)

    def to_dict(self) -> dict[str, Any]:
        """Return everything except pixels and heat-maps as JSON values."""
        files = self.relative_paths
        rows = [
            {
                "path": files[number] if files else None,
                "label": self.labels[number] if self.labels else None,
                "predicted": self.classes[int(self.predicted[number])],
                "target": self.target_name(number),
                "probabilities": [float(value) for value in self.probabilities[number]],
                "positive_share": float(self.positive_share[number]),
                "glass_share": float(self.glass_share[number]),
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
            f"Explanation of {format_count(len(self), 'image')} by {method.title} ({method.reference})",
            f"  heat-maps {height}x{width} of the {self.score}" + (f", at layer {self.layer}" if self.layer else ""),
        ]
        names = (self.target_score,) if self.target_score else self.classes
        for index, name in enumerate(names):
            explained = np.full(len(self), True) if self.target_score else self.targets == index
            if explained.any():
                share = float(np.median(self.positive_share[explained]))
                # Some methods find only evidence for a class: their share is always 1 and carries no information.
                positive = f", median share of positive evidence {share:.2f}" if share < 1.0 else ""
                lines.append(f"  {name}: {int(explained.sum())} explained{positive}")
        glass = float(np.median(self.glass_share))
        if glass >= 0.01:
            lines.append(f"  median share of the evidence on glass {glass:.2f}; overlays are drawn on tissue only")
        lines += [
            f"  {self.flags.count(flag)} {flag}: {meaning}" for flag, meaning in FLAGS.items() if flag in self.flags
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the text, and the first images with heat-maps at the model's input size."""
        pictures = []
        for number in range(min(len(self), NOTEBOOK_IMAGES)):
            image = self.images[number]
            overlay = draw_overlay(image, self.heatmaps[number], opacity=self.opacity(number), glass=find_glass(image))
            both = np.hstack([image, overlay])
            encoded = encode_image(both, ".webp", [cv2.IMWRITE_WEBP_QUALITY, 80])
            flag = f", flag: {self.flags[number]}" if self.flags[number] else ""
            pictures.append((encoded, f"{self.caption(number)}{flag}"))
        left_out = len(self) - len(pictures)
        more = f"{format_count(left_out, 'further image')}: save() writes all heat-maps." if left_out else ""
        return html_text(str(self)) + html_pictures(pictures) + html_paragraph(more)

    def __repr__(self) -> str:
        flagged = sum(map(bool, self.flags))
        return f"Explanation({format_count(len(self), 'image')}, method={self.method!r}, flagged={flagged})"
