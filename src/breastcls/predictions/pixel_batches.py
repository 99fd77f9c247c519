"""Batches of images in the size, resize mode and stain that a model requires."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning, ModelError
from breastcls.models.card_normalizer import find_normalizer
from breastcls.models.model_card import ModelCard

if TYPE_CHECKING:
    from breastcls.stain.normalizer import StainNormalizer

DEFAULT_RESIZE = "stretch"


@dataclass(frozen=True)
class PixelBatches:
    """Batches of images, opened during iteration.

    Attributes:
        batches: Arrays or tensors uint8 (b, height, width, 3).
        image_size: (height, width) of all of them.
    """

    batches: Iterable[Any]
    image_size: tuple[int, int]


def open_batches(
    model: keras.Model, card: ModelCard | None, data: Dataset | npt.NDArray[np.uint8], batch_size: int
) -> PixelBatches:
    """Open images for a model.

    The stain normalizer of the card is applied to the images of a dataset at their own size, as in training; to images
    of an array as they are.

    Args:
        model: The model.
        card: Its card, if it has one.
        data: A dataset, or images uint8 (n, height, width, 3).
        batch_size: Images per batch.

    Raises:
        EvaluationError: If the model cannot take these images.
        ModelError: If the model does not take images, or the stain normalizer of its card is not known.
    """
    if batch_size < 1:
        raise EvaluationError(f"`batch_size` is {batch_size}; expected 1 or more.")
    if isinstance(data, Dataset):
        return _of_dataset(model, card, data, batch_size)
    return _of_array(model, card, np.asarray(data), batch_size)


def input_size(model: keras.Model, card: ModelCard | None) -> tuple[int, int] | None:
    """Return the image size (height, width) of a model, or None if it accepts any."""
    if card is not None:
        return card.image_size
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3:
        raise ModelError(
            f"The model must take one input of shape (n, height, width, 3), RGB; its input shape is {shape}."
        )
    return None if None in shape[1:3] else (int(shape[1]), int(shape[2]))


def take_classes(data: Dataset, card: ModelCard | None) -> Dataset:
    """Return a dataset, with the classes of the card if it has neither labels nor classes of its own."""
    if data.classes or data.has_labels or card is None:
        return data
    return dataclasses.replace(data, classes=card.classes)


def _of_dataset(model: keras.Model, card: ModelCard | None, data: Dataset, batch_size: int) -> PixelBatches:
    if len(data) == 0:
        raise EvaluationError("The dataset holds no images, so there is nothing to predict.")
    data = take_classes(data, card)
    if card is not None and card.classes != data.classes:
        raise EvaluationError(
            f"The model's classes are {card.classes}, the dataset's {data.classes}. They must be the same in the same "
            "order; load the data with the target that the model was trained for."
        )
    outputs = getattr(model, "output_shape", None)
    if not data.classes:
        raise EvaluationError(
            "Neither the model, which has no card, nor the dataset, which has no labels, names the classes. Give the "
            "names with dataclasses.replace(data, classes=(...)), positive class last."
        )
    width = outputs[-1] if isinstance(outputs, tuple) and len(outputs) == 2 else None
    if width is not None and width != len(data.classes) and not (width == 1 and len(data.classes) == 2):
        raise EvaluationError(
            f"The model has {width} outputs; the dataset has {len(data.classes)} classes: {data.classes}."
        )
    size = input_size(model, card)
    if size is None:
        raise EvaluationError(
            f"The model takes images of any size (input shape {getattr(model, 'input_shape', None)}). Say which with a "
            "card: `set_card(model, ModelCard(classes=..., image_size=(height, width)))`."
        )
    resize = DEFAULT_RESIZE if card is None or card.resize is None else card.resize
    pipeline = data.to_tf(image_size=size, batch_size=batch_size, resize=resize, normalizer=find_normalizer(card))
    return PixelBatches((batch[0] for batch in pipeline), size)


def _of_array(
    model: keras.Model, card: ModelCard | None, images: npt.NDArray[np.uint8], batch_size: int
) -> PixelBatches:
    size = input_size(model, card)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or len(images) == 0:
        raise EvaluationError(
            f"Images as an array must be uint8 (n, height, width, 3), RGB 0..255; found {images.dtype} of shape "
            f"{images.shape}."
        )
    height, width = images.shape[1:3]
    if size is not None and (height, width) != size:
        raise EvaluationError(
            f"The model takes images of {size[0]}x{size[1]} (height x width); these are {height}x{width}. Resize them, "
            "or give a Dataset, which is resized as in training."
        )
    batches = (images[start : start + batch_size] for start in range(0, len(images), batch_size))
    normalizer = find_normalizer(card)
    return PixelBatches(batches if normalizer is None else _normalised(batches, normalizer), (height, width))


def _normalised(batches: Iterator[npt.NDArray[np.uint8]], normalizer: StainNormalizer) -> Iterator[Any]:
    for batch in batches:
        yield np.stack([normalizer.transform(np.ascontiguousarray(image)) for image in batch])
    if normalizer.fallbacks.total:
        warnings.warn(f"Stain normalizer {normalizer.name}: {normalizer.fallbacks}.", EvaluationWarning, stacklevel=2)
