"""Predict: from a Keras model and images to `Predictions`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, ModelError
from breastcls.evaluation.kept_decisions import read_calibration
from breastcls.evaluation.predictions import Predictions
from breastcls.models.card import ModelCard, get_card
from breastcls.models.inference import run_batches
from breastcls.models.persistence import load_model

RESIZE = "squash"


def predict(
    model: keras.Model | str | os.PathLike[str],
    data: Dataset | npt.NDArray[np.uint8],
    *,
    batch_size: int = 32,
    labels: Any = None,
    cases: Any = None,
    classes: Sequence[str] | None = None,
) -> Predictions:
    """Predict the class probabilities of images.

    The model runs through one compiled step, batch after batch. What its card says is followed: the input size, how
    images are resized to it, its calibration and its decision threshold.

    Args:
        model: A `keras.Model`, built here or elsewhere, or the path of a `.keras` file. Its input is (n, height, width,
            3), RGB 0..255; its output (n, classes), or (n, 1) for the positive class of two.
        data: A `Dataset`, or images as uint8 (n, height, width, 3) of the model's own size.
        batch_size: Images at a time.
        labels: For images as an array: (n,) class indices or names, where known.
        cases: For images as an array: (n,) case names, where known.
        classes: For images as an array and a model without a card: the class names, positive class last.

    Returns:
        Predictions in the order of the images.

    Raises:
        EvaluationError: If the model's classes are not the dataset's, there are no images, or their size is not the
            model's.
        ModelError: If a model file cannot be loaded.
        ImageError: If an image cannot be read.

    Example:
        >>> import keras, numpy as np
        >>> pixels = keras.Input((4, 4, 3))
        >>> pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
        >>> model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")(pooled))
        >>> some = predict(model, np.zeros((3, 4, 4, 3), np.uint8), classes=("benign", "malignant"))
        >>> some.probabilities.tolist()
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """
    if isinstance(model, (str, os.PathLike)):
        model = load_model(Path(model))
    if batch_size < 1:
        raise EvaluationError(f"`batch_size` is {batch_size}; expected 1 or more.")
    card = get_card(model)
    if isinstance(data, Dataset):
        if labels is not None or cases is not None or classes is not None:
            raise EvaluationError("`labels`, `cases` and `classes` come with a Dataset; leave them out.")
        return _predict_dataset(model, card, data, batch_size)
    names = classes if classes is not None else None if card is None else card.classes
    if names is None:
        raise EvaluationError("The model has no card that names its classes: give `classes=`, positive class last.")
    if card is not None and tuple(names) != card.classes:
        raise EvaluationError(f"The model's classes are {card.classes}; `classes` says {tuple(names)}.")
    images = np.asarray(data)
    size = input_size(model, card)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or len(images) == 0:
        raise EvaluationError(
            f"Images as an array must be uint8 (n, height, width, 3), RGB 0..255; found {images.dtype} of shape "
            f"{images.shape}."
        )
    if size is not None and images.shape[1:3] != size:
        raise EvaluationError(
            f"The model takes images of {size[0]}x{size[1]} (height x width); these are "
            f"{images.shape[1]}x{images.shape[2]}. Resize them, or give a Dataset, which is resized as in training."
        )
    batches = (images[start : start + batch_size] for start in range(0, len(images), batch_size))
    return Predictions.from_arrays(
        probabilities=_run(model, batches, card),
        labels=labels,
        cases=cases,
        classes=names,
        threshold=None if card is None else card.threshold,
    )


def _predict_dataset(model: keras.Model, card: ModelCard | None, data: Dataset, batch_size: int) -> Predictions:
    if len(data) == 0:
        raise EvaluationError("The dataset holds no images, so there is nothing to predict.")
    if card is not None and card.classes != data.classes:
        raise EvaluationError(
            f"The model's classes are {card.classes}, the dataset's {data.classes}. They must be the same in the same "
            "order; load the data with the target that the model was trained for."
        )
    outputs = getattr(model, "output_shape", None)
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
    resize = RESIZE if card is None or card.resize is None else card.resize
    batches = (batch[0] for batch in data.to_tf(image_size=size, batch_size=batch_size, resize=resize))
    table = data.table
    return Predictions.from_arrays(
        probabilities=_run(model, batches, card),
        labels=data.labels,
        classes=data.classes,
        cases=data.cases,
        slides=data.slides,
        paths=data.paths,
        magnifications=table["magnification"].to_numpy(dtype=object),
        subtypes=table["subtype"].to_numpy(dtype=object),
        threshold=None if card is None else card.threshold,
    )


def input_size(model: keras.Model, card: ModelCard | None) -> tuple[int, int] | None:
    """Return (height, width) of the images that a model takes, or None if it takes any."""
    if card is not None:
        return card.image_size
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3:
        raise ModelError(
            f"The model must take one input of shape (n, height, width, 3), RGB; its input shape is {shape}."
        )
    return None if None in shape[1:3] else (int(shape[1]), int(shape[2]))


def _run(model: keras.Model, batches: Iterable[Any], card: ModelCard | None) -> npt.NDArray[Any]:
    parts = list(_outputs(model, batches))
    probabilities = np.concatenate(parts)
    if probabilities.dtype != np.float32:
        # Half precision rounds a softmax off its sum of one by up to half a percent; that is not an error of the model.
        wide = probabilities.astype(np.float64)
        probabilities = wide / wide.sum(axis=1, keepdims=True) if wide.shape[1] > 1 else wide
    calibrator = None if card is None else read_calibration(card)
    if calibrator is None:
        return probabilities
    if probabilities.shape[1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    return calibrator(probabilities)


def _outputs(model: keras.Model, batches: Iterable[Any]) -> Iterator[npt.NDArray[Any]]:
    for output in run_batches(model, batches):
        if not hasattr(output, "shape") or len(output.shape) != 2:
            found = getattr(output, "shape", type(output).__name__)
            raise EvaluationError(f"The model must give one output of shape (n, classes); it gave {found}.")
        yield output
