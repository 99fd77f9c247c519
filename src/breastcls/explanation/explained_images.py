"""The images of an explanation, each with its heat-map, overlay and caption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.evidence_scale import evidence_opacity, share_on_glass
from breastcls.explanation.image_input import ImageInput
from breastcls.explanation.input_region import place_heatmap
from breastcls.explanation.model_reference import ModelReference
from breastcls.explanation.overlay import OverlayStyle, draw_overlay
from breastcls.predictions.hidden_files import HiddenFiles
from breastcls.predictions.pseudonyms import Pseudonyms
from breastcls.result import Result
from breastcls.stain.glass_pixels import find_glass


@dataclass(frozen=True, eq=False, repr=False)
class ExplainedImages(Result):
    """The explained images with their heat-maps and predictions; see `Explanation`."""

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
    reference: ModelReference = field(default_factory=ModelReference, repr=False)
    target_score: str = ""

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

    @property
    def cases(self) -> tuple[str, ...] | None:
        """The names of the cases, or None where they are unknown."""
        return self.source.cases

    def with_pseudonyms(self, pseudonyms: Pseudonyms | None = None) -> Self:
        """Return the same explanation with pseudonyms for files and cases; see `Predictions.with_pseudonyms`.

        Args:
            pseudonyms: The pseudonyms, to use the same for several results. Without them, new ones are drawn.

        Raises:
            EvaluationError: If a file or case has no pseudonym.
        """
        if self.paths is None:
            return self
        pseudonyms = pseudonyms or Pseudonyms.of(self)
        new = tuple(pseudonyms.replace("image", self.paths))
        cases = None if self.cases is None else tuple(pseudonyms.replace("case", self.cases))
        hidden = HiddenFiles({name: self.source.file_of(number) for number, name in enumerate(new)})
        return replace(self, source=replace(self.source, paths=new, root=None, hidden_files=hidden, cases=cases))

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

    def opacity(self, number: int) -> float:
        """Return the factor of the opacity of the heat-map of one image, 0..1; see `evidence_opacity`."""
        return evidence_opacity(float(self.positive_share[number]))

    @cached_property
    def glass_share(self) -> np.ndarray:
        """The share of the evidence of each heat-map that is on glass, float32 (n,), at the model's input size."""
        shares = [
            share_on_glass(heat, find_glass(image)) for heat, image in zip(self.heatmaps, self.images, strict=True)
        ]
        return np.array(shares, dtype=np.float32)

    def overlay(
        self,
        number: int,
        *,
        alpha: float = 0.6,
        colour_map: str = "viridis",
        contours: bool = False,
        tissue_only: bool = True,
        by_share: bool = True,
    ) -> np.ndarray:
        """Return one image at its original size with its heat-map over it, uint8 (height, width, 3), RGB.

        The opacity of a pixel is `alpha` times the heat-map times `opacity(number)`: a heat-map with a positive share
        of 0.02 is drawn at 4% of the strength of one with a share of 0.5 or more.

        Args:
            number: Which image.
            alpha: Opacity where the heat-map is 1, between 0 and 1.
            colour_map: A perceptually uniform colour map of Matplotlib: `"viridis"`, `"cividis"`, `"magma"` ...
            contours: Whether to draw contour lines at 0.25, 0.5 and 0.75 instead of colours.
            tissue_only: Whether to draw nothing on glass.
            by_share: Whether to draw heat-maps with little positive evidence with less opacity.

        Raises:
            ExplanationError: If an argument is wrong, or the file of the image has changed.
            ImageError: If the file can no longer be read.
        """
        style = OverlayStyle(alpha, colour_map, contours, tissue_only, by_share)
        return self.draw(number, self.image(number), style)

    def draw(self, number: int, image: np.ndarray, style: OverlayStyle) -> np.ndarray:
        """Return `image`, one that `image(number)` returned, with its heat-map over it, in a style."""
        return draw_overlay(
            image,
            self.heatmap(number),
            style=style,
            opacity=self.opacity(number) if style.by_share else 1.0,
            glass=find_glass(image) if style.tissue_only else None,
        )

    def target_name(self, number: int) -> str:
        """Return the name of the class that was explained in one image, or of another target."""
        return self.target_score or self.classes[int(self.targets[number])]

    def caption(self, number: int) -> str:
        """Return the classes of one image and the evidence for the explained one, in one line.

        For example `"malignant 0.98 (true: benign), positive share 0.41, on glass 0.07"`.
        """
        text = self._prediction(number)
        target = int(self.targets[number])
        if self.target_score:
            text += f", explained: {self.target_score}"
        elif target != int(self.predicted[number]):
            text += f", explained: {self.target_name(number)} {self.probabilities[number, target]:.2f}"
        return f"{text}, {self.evidence(number)}"

    def _prediction(self, number: int) -> str:
        """Return the predicted class of one image, its probability and the true class, as text."""
        predicted = int(self.predicted[number])
        text = f"{self.classes[predicted]} {self.probabilities[number, predicted]:.2f}"
        return text if self.labels is None else f"{text} (true: {self.labels[number]})"

    def evidence(self, number: int) -> str:
        """Return the positive share and the share on glass of one heat-map, as text."""
        return f"positive share {self.positive_share[number]:.2f}, on glass {self.glass_share[number]:.2f}"
