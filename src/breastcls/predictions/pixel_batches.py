"""Batches of images in the size, resize mode and stain that a model requires."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from breastcls.argument_checks import check_choice, check_count
from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, ModelError
from breastcls.images.image_source import ReadSettings
from breastcls.models.card_normalizer import find_normalizer
from breastcls.models.engines.session import BatchRunner
from breastcls.models.model_card import ModelCard
from breastcls.models.vector_input import check_vector_data, vector_size
from breastcls.predictions.array_arguments import check_classes
from breastcls.predictions.given_images import GivenImage, GivenImages, open_given
from breastcls.predictions.given_vectors import check_encoder, check_given_vectors
from breastcls.predictions.image_stream import ON_ERROR, ImageStream
from breastcls.text_tables import format_count

DEFAULT_RESIZE = "stretch"
_LEAST_VECTORS = 1024


@dataclass(frozen=True)
class PixelBatches:
    """Batches of images, opened during iteration.

    Attributes:
        batches: Arrays or tensors uint8 (b, height, width, 3), or vectors float32 (b, d).
        image_size: (height, width) of all of them; None for vectors.
        stream: The record of what was read; None for a dataset that is read as a whole, and for an array that needs no
            conversion.
        root: The folder that was given, if any.
    """

    batches: Iterable[Any]
    image_size: tuple[int, int] | None
    stream: ImageStream | None = None
    root: str | None = None


def open_batches(
    model: keras.Model | BatchRunner,
    card: ModelCard | None,
    data: Any,
    batch_size: int,
    *,
    on_error: str = "raise",
    progress: bool | Callable[[], None] | None = None,
    prepared: bool = True,
) -> PixelBatches:
    """Open images for a model.

    The stain normalizer of the card is applied to the images at their own size, as in training; then they are resized.

    Args:
        model: The model.
        card: Its card, if it has one.
        data: A dataset, or images in any form that `open_given` takes.
        batch_size: Images per batch.
        on_error: "raise", or "skip" to leave out images that cannot be read.
        progress: Whether to show a progress bar, by default if standard error is a terminal; or a function that is
            called after each image.
        prepared: Whether the images of a dataset are read from the image cache, and written to it.

    Raises:
        EvaluationError: If the model cannot take these images.
        ModelError: If the model does not take images, or the stain normalizer of its card is not known.
    """
    check_options(batch_size, on_error)
    if vector_size(model) is not None:
        return _of_vectors(model, card, data, batch_size)
    if isinstance(data, Dataset):
        data = check_dataset(model, card, data)
        check_vector_data(model, data, EvaluationError)
        if on_error == "raise" and prepared:
            return _of_dataset(model, card, data, batch_size)
        files = GivenImages([GivenImage(path, path, path) for path in data.paths], len(data), data.root)
        return _of_images(model, card, files, batch_size, on_error, progress)
    return _of_images(model, card, open_given(data), batch_size, on_error, progress)


def check_options(batch_size: int, on_error: str) -> None:
    """Check how images are to be read.

    Raises:
        EvaluationError: If `batch_size` is less than 1, or `on_error` is neither "raise" nor "skip".
    """
    check_count("batch_size", batch_size, error=EvaluationError)
    check_choice("on_error", on_error, ON_ERROR, error=EvaluationError)


def input_size(model: keras.Model | BatchRunner, card: ModelCard | None) -> tuple[int, int] | None:
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


def check_outputs(model: keras.Model | BatchRunner, classes: Sequence[str], owner: str) -> None:
    """Check that a model has one output for each class, or one for the positive class of two.

    Raises:
        EvaluationError: If it does not.
    """
    outputs = getattr(model, "output_shape", None)
    width = outputs[-1] if isinstance(outputs, tuple) and len(outputs) == 2 else None
    if width is not None and width != len(classes) and not (width == 1 and len(classes) == 2):
        raise EvaluationError(
            f"The model has {width} outputs; {owner} {format_count(len(classes), 'class', 'classes')}: "
            f"{tuple(classes)}."
        )


def find_classes(
    model: keras.Model | BatchRunner, card: ModelCard | None, classes: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the class names that the caller gave, or else those of the card, one for each output of the model.

    Raises:
        EvaluationError: If there are none, they differ from those of the card, or the model has other outputs.
    """
    if classes is None:
        if card is None:
            raise EvaluationError("The model has no card that names its classes: give `classes=`, positive class last.")
        names, owner = card.classes, "its card names"
    else:
        names, owner = check_classes(classes), "`classes` names"
        if card is not None and names != card.classes:
            raise EvaluationError(f"The model's classes are {card.classes}; `classes` names {names}.")
    check_outputs(model, names, owner)
    return names


def check_dataset(model: keras.Model | BatchRunner, card: ModelCard | None, data: Dataset) -> Dataset:
    """Return a dataset that can be predicted, with the classes of the card if it has none of its own.

    Raises:
        EvaluationError: If it is empty, or its classes are not those of the model.
    """
    if len(data) == 0:
        raise EvaluationError("The dataset holds no images, so there is nothing to predict.")
    data = take_classes(data, card)
    if card is not None and card.classes != data.classes:
        raise EvaluationError(
            f"The model's classes are {card.classes}, the dataset's {data.classes}. They must be the same in the same "
            "order; load the data with the target that the model was trained for."
        )
    if not data.classes:
        raise EvaluationError(
            "Neither the model, which has no card, nor the dataset, which has no labels, names the classes. Give the "
            "names with dataclasses.replace(data, classes=(...)), positive class last."
        )
    check_outputs(model, data.classes, "the dataset has")
    return data


def _require_size(model: keras.Model | BatchRunner, card: ModelCard | None) -> tuple[int, int]:
    size = input_size(model, card)
    if size is None:
        raise EvaluationError(
            f"The model takes images of any size (input shape {getattr(model, 'input_shape', None)}). Say which with a "
            "card: `set_card(model, ModelCard(classes=..., image_size=(height, width)))`."
        )
    return size


def _resize_of(card: ModelCard | None) -> str:
    return DEFAULT_RESIZE if card is None or card.resize is None else card.resize


def _of_dataset(
    model: keras.Model | BatchRunner, card: ModelCard | None, data: Dataset, batch_size: int
) -> PixelBatches:
    size = _require_size(model, card)
    # Other engines take arrays, and read the next batch while earlier ones are computed.
    open_pipeline = data.to_tf if isinstance(model, keras.Model) else data.to_keras
    pipeline = open_pipeline(
        image_size=size, batch_size=batch_size, resize=_resize_of(card), normalizer=find_normalizer(card)
    )
    batches = pipeline if isinstance(model, keras.Model) else (pipeline[number] for number in range(len(pipeline)))
    return PixelBatches((batch[0] for batch in batches), size, root=data.root)


def _of_vectors(model: keras.Model | BatchRunner, card: ModelCard | None, data: Any, batch_size: int) -> PixelBatches:
    if isinstance(data, Dataset):
        data = check_dataset(model, card, data)
        check_vector_data(model, data, EvaluationError)
        check_encoder(card, data.encoder)
        vectors, root = data.vectors, data.root
    else:
        vectors, root = check_given_vectors(data, vector_size(model)), None
    assert vectors is not None, "checked above"
    # A row is small, so that batches may be larger than those of images.
    size = max(batch_size, _LEAST_VECTORS)
    return PixelBatches((vectors[start : start + size] for start in range(0, len(vectors), size)), None, root=root)


def _of_images(
    model: keras.Model | BatchRunner,
    card: ModelCard | None,
    images: GivenImages,
    batch_size: int,
    on_error: str,
    progress: bool | Callable[[], None] | None,
) -> PixelBatches:
    normalizer = find_normalizer(card)
    array = images.array
    size = input_size(model, card)
    if array is not None and size is None:
        size = (array.shape[1], array.shape[2])
    if array is not None and array.shape[1:3] == size and normalizer is None:
        # Nothing is to be converted, so that parts of the array itself are given to the model.
        parts = (array[start : start + batch_size] for start in range(0, len(array), batch_size))
        return PixelBatches(parts, size)
    settings = ReadSettings(_require_size(model, card) if size is None else size, _resize_of(card), normalizer)
    stream = ImageStream(images, settings, batch_size, on_error, progress)
    return PixelBatches(stream, settings.image_size, stream, images.root)
