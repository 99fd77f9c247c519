"""Predict: from a Keras model and images to `Predictions`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.decisions.stored_decisions import read_calibration
from breastcls.errors import EvaluationError
from breastcls.models.inference import run_batches
from breastcls.models.model_card import ModelCard, get_card
from breastcls.models.persistence import load_model
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.pixel_batches import open_batches
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.test_time_augmentation import list_views, see_all


def predict(
    model: keras.Model | str | os.PathLike[str],
    data: Dataset | npt.NDArray[np.uint8],
    *,
    batch_size: int = 32,
    tta: str | None = None,
    labels: Any = None,
    cases: Any = None,
    classes: Sequence[str] | None = None,
) -> Predictions:
    """Predict the class probabilities of images.

    The model runs through one compiled step, batch after batch. What its card says is followed: the stain normalizer,
    the input size, how images are resized to it, its calibration and its decision threshold.

    Args:
        model: A `keras.Model`, built here or elsewhere, or the path of a `.keras` file. Its input is (n, height, width,
            3), RGB 0..255; its output (n, classes), or (n, 1) for the positive class of two.
        data: A `Dataset`, or images as uint8 (n, height, width, 3) of the model's own size.
        batch_size: Images at a time.
        tta: Test-time augmentation. `"dihedral"`: the probabilities are the mean over the image as the model takes it,
            turned by 90, 180 and 270 degrees, and the flips of these: eight views, and for a model of images that are
            not square the four that keep the shape. A calibration is applied to the mean. None: the image alone.
        labels: For images as an array: (n,) class indices or names, where known.
        cases: For images as an array: (n,) case names, where known.
        classes: For images as an array and a model without a card: the class names, positive class last.

    Returns:
        Predictions in the order of the images, with a record of the calibration, if the card keeps one.

    Raises:
        EvaluationError: If the model's classes are not the dataset's, there are no images, their size is not the
            model's, or `tta` is not known.
        ModelError: If a model file cannot be loaded, or the stain normalizer of its card is not known.
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
    card = get_card(model)
    threshold = None if card is None else card.threshold
    calibrator = None if card is None else read_calibration(card)
    calibration = None if calibrator is None else calibrator.record()
    if isinstance(data, Dataset):
        if labels is not None or cases is not None or classes is not None:
            raise EvaluationError("`labels`, `cases` and `classes` come with a Dataset; leave them out.")
        made = predictions_of(data, _run(model, card, data, batch_size, tta), threshold=threshold)
        return dataclasses.replace(made, calibration=calibration)
    names = classes if classes is not None else None if card is None else card.classes
    if names is None:
        raise EvaluationError("The model has no card that names its classes: give `classes=`, positive class last.")
    if card is not None and tuple(names) != card.classes:
        raise EvaluationError(f"The model's classes are {card.classes}; `classes` says {tuple(names)}.")
    made = Predictions.from_arrays(
        probabilities=_run(model, card, data, batch_size, tta),
        labels=labels,
        cases=cases,
        classes=names,
        threshold=threshold,
    )
    return dataclasses.replace(made, calibration=calibration)


def _run(model: keras.Model, card: ModelCard | None, data: Any, batch_size: int, tta: str | None) -> npt.NDArray[Any]:
    """Return probabilities (n, classes), or (n, 1) of the positive class of two: the calibrated mean over the views."""
    pixels = open_batches(model, card, data, batch_size)
    views = list_views(tta, pixels.image_size)
    outputs = run_model(model, see_all(pixels.batches, views))
    if len(views) == 1:
        return finish_outputs(np.concatenate(list(outputs)), card)
    # The views of a batch follow one another: zip over one iterator takes them together.
    of_batches = zip(*[outputs] * len(views), strict=True)
    return finish_outputs(np.concatenate([_mean(of_batch) for of_batch in of_batches]), card)


def run_model(model: keras.Model, batches: Iterable[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield the output (b, classes) of a model for each batch, as the model gives it.

    Raises:
        EvaluationError: If it gives something else.
    """
    for output in run_batches(model, batches):
        if not hasattr(output, "shape") or len(output.shape) != 2:
            found = getattr(output, "shape", type(output).__name__)
            raise EvaluationError(f"The model must give one output of shape (n, classes); it gave {found}.")
        yield output


def finish_outputs(outputs: npt.NDArray[Any], card: ModelCard | None) -> npt.NDArray[Any]:
    """Turn what a model gave into probabilities: at full precision, and calibrated if its card keeps a calibration."""
    probabilities = widen(outputs)
    calibrator = None if card is None else read_calibration(card)
    if calibrator is None:
        return probabilities
    if probabilities.shape[1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    return calibrator(probabilities)


def widen(outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return probabilities of half precision at full precision, rows summing to one again.

    Half precision rounds a softmax off its sum of one by up to half a percent; that is not an error of the model.
    """
    if outputs.dtype == np.float32:
        return outputs
    wide = outputs.astype(np.float64)
    return wide / wide.sum(axis=-1, keepdims=True) if wide.shape[-1] > 1 else wide


def _mean(views: Iterable[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    return np.asarray(np.mean([widen(output) for output in views], axis=0, dtype=np.float64), np.float32)
