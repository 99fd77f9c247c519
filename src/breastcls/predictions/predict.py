"""`predict`: from a Keras model and images to `Predictions`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.models.engines.choose_engine import open_runner
from breastcls.models.engines.engine_record import record_engine
from breastcls.models.model_card import get_card
from breastcls.models.persistence import load_model
from breastcls.predictions.array_arguments import to_array
from breastcls.predictions.classified_images import (
    PredictionOptions,
    classify_images,
    complete_predictions,
    predict_dataset,
)
from breastcls.predictions.given_paths import is_folder
from breastcls.predictions.image_stream import ImageStream
from breastcls.predictions.pixel_batches import find_classes, take_classes
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.unlike_training import warn_if_unlike
from breastcls.text_tables import choose_form, format_count


def predict(
    model: keras.Model | str | os.PathLike[str],
    x: Any,
    *,
    batch_size: int = 32,
    tta: str | None = None,
    labels: Any = None,
    cases: Any = None,
    classes: Sequence[str] | None = None,
    on_error: str = "raise",
    progress: bool | None = None,
    engine: str | None = None,
) -> Predictions:
    """Predict the class probabilities of images.

    The model runs in one compiled step per batch. Its card determines the stain normalizer, the input size, the resize
    mode, the calibration and the decision threshold. The same images give the same probabilities, bit for bit, in
    whatever form they are given. Images that are not in a `Dataset` are not written to the image cache.

    Args:
        model: A `keras.Model`, built here or elsewhere, or the path of a `.keras` file. Its input is (n, height, width,
            3), RGB 0..255; its output (n, classes), or (n, 1) for the positive class of two.
        x: For a model of vectors a `Dataset` with vectors, or an array float (n, d). Else the images, of any size, in
            one of these forms: the path of an image file, or of a folder, of which all images are taken, in subfolders
            too, without labels; the bytes of one encoded image, or a binary file that is open; an image of Pillow; an
            array, or a tensor that converts to one, uint8 (height, width, 3) or (n, height, width, 3), RGB; a list of
            any of these; an iterator of any of these, which is consumed batch by batch; or a `Dataset`, with or without
            labels.
        batch_size: Images at a time.
        tta: Test-time augmentation. `"dihedral"`: the probabilities are the mean over the eight dihedral transforms
            (rotations by 0, 90, 180 and 270 degrees, each with and without a flip), or for images that are not square
            over the four that keep the shape. A calibration is applied to the mean. None: the image alone.
        labels: For a list, an array or an iterator: (n,) class indices or names, where known.
        cases: For a list, an array or an iterator: (n,) case names, where known.
        classes: For a model without a card, unless `x` is a Dataset: the class names, positive class last.
        on_error: "raise": an image that cannot be read is an error, which names up to ten of them. "skip": they are
            left out, with a warning, and `skipped` of the predictions lists them.
        progress: Whether to show a progress bar with the time left on standard error; by default if it is a terminal.
        engine: What runs a Keras model: `"keras"`, also if None, `"openvino"`, `"onnxruntime"` or `"auto"`; see
            `breastcls.models.open_session`. Probabilities of different engines differ by 1e-4 at most, usually by 1e-6.

    Returns:
        Predictions in the order of the images, with a record of the calibration if the card stores one.

    Raises:
        EvaluationError: If the classes of model and dataset differ, there are no images, they are given in another
            form, an array is not RGB of the type uint8, or `tta` is not known.
        ModelError: If a model file cannot be loaded, or the stain normalizer of its card is not known, or the process
            was forked after TensorFlow had started, or the engine cannot run the model.
        RegistryError: If there is no such engine.
        ImageError: If an image cannot be read.

    Warns:
        ModelWarning: If `engine="auto"` runs Keras because the model cannot be converted.
        DatasetWarning: If images are left out, or files of a folder are not images.
        EvaluationWarning: If images differ from the training images that the card records: in the size or the aspect
            ratio, in the magnification (a column of the dataset, or in the file name of BreakHis), or in the physical
            size of a pixel (a column `um_per_pixel` or `mpp` of the dataset). Arrays of the model's own size are not
            compared.

    Example:
        >>> import keras, numpy as np
        >>> pixels = keras.Input((4, 4, 3))
        >>> pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
        >>> model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")(pooled))
        >>> some = predict(model, np.zeros((3, 6, 5, 3), np.uint8), classes=("benign", "malignant"))
        >>> some.probabilities.tolist()
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """
    if isinstance(model, (str, os.PathLike)):
        model = load_model(Path(model))
    card = get_card(model)
    model = open_runner(model, engine)
    options = PredictionOptions(batch_size, tta, on_error, progress)
    if isinstance(x, Dataset):
        if labels is not None or cases is not None or classes is not None:
            raise EvaluationError("`labels`, `cases` and `classes` come with a Dataset; leave them out.")
        made = predict_dataset(model, card, take_classes(x, card), options)
        warn_if_unlike(card, x)
        return made
    names = find_classes(model, card, classes)
    if (labels is not None or cases is not None) and isinstance(x, str | os.PathLike) and is_folder(x):
        raise EvaluationError(
            "`labels` and `cases` need images in a known order, and a folder is given. Give a list of files, or read "
            "the folder as a Dataset, for example with `breastcls.load_folder`."
        )
    found = classify_images(model, card, x, options)
    stream = found.pixels.stream
    if stream is not None:
        warn_if_unlike(card, stream)
    made = Predictions.from_arrays(
        probabilities=found.outputs.probabilities,
        labels=_of_kept("labels", labels, stream),
        cases=_of_kept("cases", cases, stream),
        classes=names,
        paths=None if stream is None else stream.paths,
        threshold=found.outputs.threshold,
    )
    made = dataclasses.replace(made, root=found.pixels.root)
    return complete_predictions(made, card, stream, found.ood, record_engine(model))


def _of_kept(name: str, values: Any, stream: ImageStream | None) -> Any:
    """Return the values of the images that were read, where others were skipped."""
    if values is None or stream is None or not stream.skipped:
        return values
    array, count = to_array(values, name), len(stream.positions) + len(stream.skipped)
    if len(array) != count:
        raise EvaluationError(
            f"`{name}` has {format_count(len(array), 'value')}; {format_count(count, 'image')} "
            f"{choose_form(count, 'is', 'are')} given."
        )
    return array[np.array(stream.positions)]
