"""`predict`: from a Keras model and images to `Predictions`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.models import probability_rule
from breastcls.models.forked_process import check_process
from breastcls.models.inference import run_passes
from breastcls.models.model_card import ModelCard, get_card
from breastcls.models.persistence import load_model
from breastcls.models.probability_rule import ClassifiedOutputs
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.pixel_batches import open_batches, take_classes
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.test_time_augmentation import list_transforms, transform_batches


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

    The model runs in one compiled step per batch. Its card determines the stain normalizer, the input size, the resize
    mode, the calibration and the decision threshold.

    Args:
        model: A `keras.Model`, built here or elsewhere, or the path of a `.keras` file. Its input is (n, height, width,
            3), RGB 0..255; its output (n, classes), or (n, 1) for the positive class of two.
        data: A `Dataset`, or images as uint8 (n, height, width, 3) of the model's own size.
        batch_size: Images at a time.
        tta: Test-time augmentation. `"dihedral"`: the probabilities are the mean over the eight dihedral transforms
            (rotations by 0, 90, 180 and 270 degrees, each with and without a flip), or for images that are not square
            over the four that keep the shape. A calibration is applied to the mean. None: the image alone.
        labels: For images as an array: (n,) class indices or names, where known.
        cases: For images as an array: (n,) case names, where known.
        classes: For images as an array and a model without a card: the class names, positive class last.

    Returns:
        Predictions in the order of the images, with a record of the calibration if the card stores one.

    Raises:
        EvaluationError: If the classes of model and dataset differ, there are no images, their size is not that of the
            model, or `tta` is not known.
        ModelError: If a model file cannot be loaded, or the stain normalizer of its card is not known, or the process
            was forked after TensorFlow had started.
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
    if isinstance(data, Dataset):
        if labels is not None or cases is not None or classes is not None:
            raise EvaluationError("`labels`, `cases` and `classes` come with a Dataset; leave them out.")
        data = take_classes(data, card)
        found = _classify(model, card, data, batch_size, tta)
        made = predictions_of(data, found.probabilities, threshold=found.threshold)
        return dataclasses.replace(made, calibration=found.calibration)
    names = classes if classes is not None else None if card is None else card.classes
    if names is None:
        raise EvaluationError("The model has no card that names its classes: give `classes=`, positive class last.")
    if card is not None and tuple(names) != card.classes:
        raise EvaluationError(f"The model's classes are {card.classes}; `classes` says {tuple(names)}.")
    found = _classify(model, card, data, batch_size, tta)
    made = Predictions.from_arrays(
        probabilities=found.probabilities, labels=labels, cases=cases, classes=names, threshold=found.threshold
    )
    return dataclasses.replace(made, calibration=found.calibration)


def _classify(
    model: keras.Model, card: ModelCard | None, data: Any, batch_size: int, tta: str | None
) -> ClassifiedOutputs:
    check_process()
    pixels = open_batches(model, card, data, batch_size)
    transforms = list_transforms(tta, pixels.image_size)
    passes = run_passes(model, transform_batches(pixels.batches, transforms), len(transforms))
    return probability_rule.classify_outputs(passes, card)
