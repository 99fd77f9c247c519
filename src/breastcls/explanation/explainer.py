"""A model, a method and images opened for `explain`, batch by batch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.ensemble_heatmaps import ScoredMember, explain_members, open_members
from breastcls.explanation.explain_arguments import (
    Target,
    check_options,
    find_classes,
    find_resize,
    find_size,
    find_target,
)
from breastcls.explanation.feature_map import FeatureMap
from breastcls.explanation.forward_model import open_scores
from breastcls.explanation.heatmap import Heatmaps, make_heatmaps
from breastcls.explanation.image_input import ImageInput, open_images
from breastcls.explanation.methods.method import Method
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.explanation.target_score import TargetedModel, TargetScore, check_target
from breastcls.images.resize import Resize, resize_image
from breastcls.models import probability_rule
from breastcls.models.card_normalizer import find_normalizer
from breastcls.models.engines.choose_engine import KERAS
from breastcls.models.forked_process import check_process
from breastcls.models.model_card import ModelCard, get_card


@dataclass(frozen=True, eq=False)
class InputBatch:
    """One batch as the input of the model.

    Attributes:
        images: uint8 (n, h, w, 3).
        pixels: The same as float32. The array is read-only: the results of one forward pass on it are reused.
        sizes: int64 (n, 2), height and width of each original image in pixels.
    """

    images: np.ndarray
    pixels: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True, eq=False)
class ExplainedBatch:
    """The heat-maps of one batch.

    Attributes:
        heatmaps: The heat-maps.
        images: uint8 (n, h, w, 3): the input of the model.
        sizes: int64 (n, 2), height and width of each original image in pixels.
        probabilities: float32 (n, classes), as `predict` computes them.
        predicted: int64 (n,), the index of the predicted class.
        targets: int64 (n,), the index of the explained class.
    """

    heatmaps: Heatmaps
    images: np.ndarray
    sizes: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True, eq=False)
class Explainer:
    """Everything that `explain` needs for a batch.

    Attributes:
        method: The method.
        options: Its options.
        scored: The model; a `ForwardModel` where it only runs forward.
        members: The members of an ensemble, where the method explains each of them.
        maps: The feature maps that the method uses.
        layer: The paths of their layers, or None.
        source: The images.
        first: The first batch of them.
        image_size: (height, width) of the model's input.
        resize: How images are resized.
        classes: Class names.
        targets: int64 (images,), the index of the explained class of each image; None for the predicted one.
        target: What is explained where it is not the score of one class.
        batch_size: Number of images in one forward pass.
        card: The card of the model, or None.
        normalizer: The stain normalizer of the card, or None.
    """

    method: Method
    options: Mapping[str, Any]
    scored: Any
    members: tuple[ScoredMember, ...]
    maps: tuple[FeatureMap, ...]
    layer: str | None
    source: ImageInput
    first: InputBatch
    image_size: tuple[int, int]
    resize: Resize
    classes: tuple[str, ...]
    targets: np.ndarray | None
    target: TargetScore | None
    batch_size: int
    card: ModelCard | None
    normalizer: Any

    def batches(self) -> Iterator[ExplainedBatch]:
        """Yield the heat-maps of batch after batch; only one batch of images is in memory at a time."""
        try:
            yield self._explain(self.first, 0)
            for start in range(self.batch_size, len(self.source), self.batch_size):
                numbers = range(start, min(start + self.batch_size, len(self.source)))
                batch = read_batch(self.source, numbers, self.image_size, self.resize, self.normalizer)
                yield self._explain(batch, start)
        finally:
            for scored in (self.scored, *(member.scored for member in self.members)):
                scored.forget_pass()

    def _explain(self, batch: InputBatch, start: int) -> ExplainedBatch:
        pixels = batch.pixels
        outputs = self.scored.outputs(pixels, self.maps)
        classified = probability_rule.classify_outputs([outputs], self.card)
        fixed = None if self.targets is None else self.targets[start : start + len(pixels)]
        targets = classified.predicted if fixed is None else fixed
        # For the methods, a target that is not one class is the only class of the model.
        columns = targets if self.target is None else np.zeros(len(pixels), dtype=np.int64)
        if self.members:
            made = explain_members(self.members, self.method, pixels, columns, self.options)
        else:
            attribution = self.method.compute(self.targeted, pixels, columns, **self.options)
            made = make_heatmaps(attribution, self.image_size, self.method.upper_percentile, self.method.smoothing)
        return ExplainedBatch(
            heatmaps=made,
            images=batch.images,
            sizes=batch.sizes,
            probabilities=classified.probabilities,
            predicted=classified.predicted,
            targets=targets,
        )

    @cached_property
    def targeted(self) -> Any:
        """The model that methods explain: with a target that is not one class, the target is its only class."""
        return self.scored if self.target is None else TargetedModel(self.scored, self.target)

    def warn_of_fallbacks(self) -> None:
        """Warn if images could not be normalised."""
        if self.normalizer is not None and self.normalizer.fallbacks.total:
            text = f"Stain normalizer {self.normalizer.name}: {self.normalizer.fallbacks}."
            warnings.warn(text, ExplanationWarning, stacklevel=3)


def open_explainer(
    model: Any,
    images: Any,
    method: str,
    *,
    target_class: Target | None,
    batch_size: int,
    classes: Sequence[str] | None,
    image_size: int | Sequence[int] | None,
    resize: str | None,
    engine: str | None,
    options: dict[str, Any],
) -> Explainer:
    """Check the arguments of `explain` and open model and images; the arguments and errors are those of `explain`."""
    check_process()
    entry = METHODS[method]
    check_options(entry, options)
    if engine not in (None, KERAS) and not entry.perturbs:
        raise ExplanationError(
            f"engine={engine!r}: the method {method!r} needs the gradients or feature maps of Keras. Omit `engine`, or "
            "use a method that runs the model on perturbed images, such as 'occlusion'."
        )
    source = open_images(images)
    card = get_card(model)
    size = find_size(model, card, image_size)
    resize_mode = find_resize(resize, card)
    normalizer = find_normalizer(card)
    check_count("batch_size", batch_size, error=ExplanationError)
    first = read_batch(source, range(min(batch_size, len(source))), size, resize_mode, normalizer)
    layer = options.get("layer") if entry.needs_feature_map else None
    scored = open_scores(
        model, first.pixels, batch_size, method, needs_more=entry.needs_feature_map, engine=engine, layer=layer
    )
    names = find_classes(scored.class_count, classes, card, source.classes)
    targets, target = find_target(target_class, names, len(source))
    if target is not None:
        check_target(target, len(names))
    members: tuple[ScoredMember, ...] = ()
    maps: tuple[FeatureMap, ...] = ()
    paths = None
    if entry.needs_feature_map:
        members = open_members(scored, first.pixels, layer)
        if target is not None:
            members = tuple(replace(one, scored=TargetedModel(one.scored, target)) for one in members)
        if members:
            paths = ", ".join(member.layer for member in members)
            for member in members:
                warn_of_bypass(member.scored, member.maps)
        else:
            maps = scored.feature_maps(layer)
            paths = ", ".join(item.path for item in maps)
            warn_of_bypass(scored, maps)
    return Explainer(
        method=entry,
        options=options,
        scored=scored,
        members=members,
        maps=maps,
        layer=paths,
        source=source,
        first=first,
        image_size=size,
        resize=resize_mode,
        classes=names,
        targets=targets,
        target=target,
        batch_size=batch_size,
        card=card,
        normalizer=normalizer,
    )


def read_batch(
    source: ImageInput, numbers: range, size: tuple[int, int], resize: Resize, normalizer: Any
) -> InputBatch:
    """Read some images as a batch of the model's input.

    Raises:
        ImageError: If a file cannot be read.
    """
    images, sizes = [], []
    for number in numbers:
        image = source.read(number)
        normalised = image if normalizer is None else normalizer.transform(np.ascontiguousarray(image))
        images.append(np.asarray(resize_image(normalised, size, resize=resize)))
        sizes.append(image.shape[:2])
    batch = np.stack(images)
    pixels = batch.astype(np.float32)
    pixels.flags.writeable = False
    return InputBatch(batch, pixels, np.array(sizes, dtype=np.int64))


def warn_of_bypass(scored: Any, maps: Sequence[FeatureMap]) -> None:
    """Warn if the score depends on the image by paths around the feature maps, or if their positions are not known."""
    around = scored.bypass(maps)
    if around:
        warnings.warn(
            f"Heat-maps of {', '.join(item.path for item in maps)} show a part of the evidence only: the score also "
            f"depends on the image through {', '.join(around)}. Use a layer behind which these paths have joined, or a "
            "method without feature maps, such as 'integrated-gradients' or 'occlusion'.",
            ExplanationWarning,
            # The caller of `explain` or `explain_to_folder`, above this function and `open_explainer`.
            stacklevel=4,
        )
    for item in maps:
        if item.placement.joined:
            warnings.warn(
                f"The positions of {item.path} are not those of the image: {item.placement.joined} joins different "
                "parts of it. Use a layer in front of that one, or a method without feature maps, such as "
                "'integrated-gradients' or 'occlusion'.",
                ExplanationWarning,
                stacklevel=4,
            )
