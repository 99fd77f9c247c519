"""The comparison of an exported model with the Keras model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.export.parity_images import generate_check_images, mix_to_threshold
from breastcls.metrics.number_format import format_count
from breastcls.models.inference import run_passes
from breastcls.models.model_card import ModelCard
from breastcls.models.probability_rule import DEFAULT_THRESHOLD, ClassifiedOutputs, classify_outputs
from breastcls.predictions.pixel_batches import open_batches
from breastcls.result import Result

NEAR = 1e-3
"""Probabilities within this distance of the threshold are near it."""

_BATCH = _MIXED = 8
# Images whose pixels are kept.
_KEPT = 256


@dataclass(frozen=True, repr=False)
class Parity(Result):
    """How the probabilities and predicted classes of two models of the same images differ.

    Attributes:
        source: "synthetic images" or "given images".
        images: Number of images.
        largest_difference: Largest absolute difference of a probability.
        mean_difference: Mean absolute difference of the probabilities.
        decisions_changed: Number of images with another predicted class.
        near_images: Number of images whose probability is within 1e-3 of the threshold: some of the given ones, and
            blends of two given images. 0 for more than two classes, and where all images are on one side.
        near_largest_difference: Largest absolute difference of a probability of these.
        near_decisions_changed: Number of these with another predicted class.
    """

    source: str
    images: int
    largest_difference: float
    mean_difference: float
    decisions_changed: int
    near_images: int = 0
    near_largest_difference: float = 0.0
    near_decisions_changed: int = 0

    @override
    def __str__(self) -> str:
        lines = [
            f"On {self.images} {self.source}: largest difference of a probability {self.largest_difference:.1e}, mean "
            f"{self.mean_difference:.1e}; {format_count(self.decisions_changed, 'decision')} changed."
        ]
        if self.near_images:
            lines.append(
                f"On {format_count(self.near_images, 'image')} within {NEAR:g} of the threshold: largest difference "
                f"{self.near_largest_difference:.1e}; {format_count(self.near_decisions_changed, 'decision')} changed."
            )
        return "\n".join(lines)

    @override
    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        return dataclasses.asdict(self)


def measure_parity(model: Any, card: ModelCard, other: Any, other_card: ModelCard, check: Any = None) -> Parity:
    """Compare a model with another form of itself.

    Args:
        model: The Keras model.
        card: Its card.
        other: The exported model, as `run_batches` of `breastcls.models.inference` takes it.
        other_card: Its card.
        check: A `Dataset`, or images in any form that `predict` takes; None for synthetic images.
    """
    expected: list[ClassifiedOutputs] = []
    found: list[ClassifiedOutputs] = []
    pixels: list[npt.NDArray[Any]] = []
    near: list[npt.NDArray[Any]] = []
    threshold = DEFAULT_THRESHOLD if card.threshold is None else card.threshold
    for batch in _open(model, card, check):
        expected.append(_classify(model, card, np.asarray(batch)))
        found.append(_classify(other, other_card, np.asarray(batch)))
        # Not all pixels of a large dataset are kept.
        if len(pixels) * _BATCH < _KEPT:
            pixels.append(np.asarray(batch))
        close = np.abs(expected[-1].probabilities[:, -1] - threshold) <= NEAR
        if close.any() and len(near) < _KEPT:
            near.extend(np.asarray(batch)[close].astype(np.float32))
    source = "synthetic images" if check is None else "given images"
    images = sum(len(part.predicted) for part in expected)
    parity = Parity(source, images, *_differences(expected, found))
    if len(card.classes) != 2:
        return parity
    own = np.concatenate(pixels)
    near.extend(_mix(model, card, own, np.concatenate([part.probabilities[:, 1] for part in expected])[: len(own)]))
    if not near:
        return parity
    blended = np.stack(near)
    largest, _, changed = _differences([_classify(model, card, blended)], [_classify(other, other_card, blended)])
    return dataclasses.replace(
        parity, near_images=len(near), near_largest_difference=largest, near_decisions_changed=changed
    )


def _open(model: Any, card: ModelCard, check: Any) -> Iterable[Any]:
    if check is None:
        return _split(generate_check_images(card))
    return open_batches(model, card, check, _BATCH, progress=False).batches


def _split(pixels: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    return (pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH))


def _classify(model: Any, card: ModelCard, images: npt.NDArray[Any]) -> ClassifiedOutputs:
    # Every batch has one size, because TensorFlow traces a model again for another.
    padded = np.concatenate([images, np.repeat(images[-1:], -len(images) % _BATCH, axis=0)])
    [outputs] = run_passes(model, _split(padded))
    return classify_outputs([outputs[: len(images)]], card)


def _mix(model: Any, card: ModelCard, pixels: npt.NDArray[Any], positive: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    threshold = DEFAULT_THRESHOLD if card.threshold is None else card.threshold

    def classify(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return _classify(model, card, images).probabilities[:, 1]

    return mix_to_threshold(classify, pixels, positive, threshold, within=NEAR, most=_MIXED)


def _differences(expected: Sequence[ClassifiedOutputs], found: Sequence[ClassifiedOutputs]) -> tuple[float, float, int]:
    first, second = (np.concatenate([part.probabilities for part in parts]) for parts in (expected, found))
    difference = np.abs(first.astype(np.float64) - second)
    # A model that computes NaN differs by more than any tolerance.
    difference = np.where(np.isfinite(difference), difference, np.inf)
    changed = sum(int((one.predicted != other.predicted).sum()) for one, other in zip(expected, found, strict=True))
    return float(difference.max()), float(difference.mean()), changed
