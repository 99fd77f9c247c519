"""Predictions of perturbed versions of the same images: each file is decoded once, one batch is in memory."""

from __future__ import annotations

import dataclasses
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.images.decode import read_image
from breastcls.images.resize import Pixels, resize_image
from breastcls.images.threads import run_in_threads
from breastcls.models import probability_rule
from breastcls.models.card_normalizer import find_normalizer
from breastcls.models.engines.choose_engine import open_runner
from breastcls.models.engines.engine_record import record_engine
from breastcls.models.inference import run_passes
from breastcls.models.model_card import ModelCard, get_card
from breastcls.models.persistence import load_model
from breastcls.models.vector_input import require_pixels
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.independence import check_independence
from breastcls.predictions.pixel_batches import DEFAULT_RESIZE, input_size
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import format_count

ImageChange = Callable[[Pixels, int], Pixels]
"""From an image as its file holds it, uint8 (height, width, 3), and its row in the dataset to the perturbed image."""


def keep_image(image: Pixels, row: int) -> Pixels:
    """Return the image."""
    return image


def seeded_generator(name: str, seed: int) -> np.random.Generator:
    """Return a random generator that depends only on a name and a seed, not on order, batches or threads."""
    return np.random.default_rng((seed, zlib.crc32(name.encode())))


def file_names(data: Dataset) -> list[str]:
    """Return the file name of each image, which seeds its random draws independently of the folder."""
    return [Path(path).name for path in data.paths]


def predict_perturbed(
    model: keras.Model | str | os.PathLike[str],
    data: Dataset,
    changes: Sequence[ImageChange],
    *,
    batch_size: int = 32,
    allow_leakage: bool = False,
    engine: str | None = None,
) -> list[Predictions]:
    """Predict a dataset once for each perturbation.

    The pixels of the file are perturbed first; then follow the steps of `predict`: stain normalisation by the card of
    the model, resizing, calibration and threshold.

    Args:
        model: A `keras.Model`, or the path of a `.keras` file.
        data: The images.
        changes: The perturbations; `keep_image` gives the same as `predict`.
        batch_size: Images per batch.
        allow_leakage: Continue although the card lists some of these cases among the training cases.
        engine: What runs a Keras model; see `predict`.

    Returns:
        Predictions in the order of the images, one for each perturbation.

    Raises:
        EvaluationError: If the model does not fit the data.
        LeakageError: If the card lists some of these cases among the training cases, unless `allow_leakage`.
        ImageError: If an image cannot be read or perturbed.
    """
    if isinstance(model, (str, os.PathLike)):
        model = load_model(Path(model))
    card = get_card(model)
    require_pixels(model, data, "A perturbation of images", EvaluationError)
    size = input_size(model, card)
    check_count("batch_size", batch_size, error=EvaluationError)
    if len(data) == 0 or size is None:
        raise EvaluationError(
            f"Nothing can be predicted: {format_count(len(data), 'image')}, and the model takes "
            f"{'images of any size; give it a card' if size is None else f'{size[0]}x{size[1]} pixels'}."
        )
    if card is not None and card.classes != data.classes:
        raise EvaluationError(f"The model's classes are {card.classes}, the dataset's {data.classes}.")
    refuse_leak(card, data, allowed=allow_leakage)
    resize = DEFAULT_RESIZE if card is None or card.resize is None else card.resize
    normalizer = find_normalizer(card)
    paths = data.paths  # a new list at each call

    def prepare(image: Pixels) -> Pixels:
        return resize_image(image if normalizer is None else normalizer.transform(image), size, resize)

    def batches() -> Iterator[Pixels]:
        for start in range(0, len(paths), batch_size):
            originals = _read(paths[start : start + batch_size])
            for change in changes:
                yield _perturb(originals, start, change, prepare)

    runner = open_runner(model, engine)
    results = [
        probability_rule.classify_outputs([outputs], card) for outputs in run_passes(runner, batches(), len(changes))
    ]
    made = [predictions_of(data, found.probabilities, threshold=found.threshold) for found in results]
    return [dataclasses.replace(one, engine=record_engine(runner)) for one in made]


def refuse_leak(card: ModelCard | None, data: Dataset, *, allowed: bool) -> None:
    """Raise `LeakageError` if a card lists cases of `data` among the training cases, unless it is allowed."""
    origins = predictions_of(data, np.full((len(data), len(data.classes)), 1 / len(data.classes)))
    leakage = check_independence(origins, None, None, {} if card is None else card.provenance)
    if leakage is not None:
        leakage.raise_if_leaking(allowed=allowed)


def _perturb(
    originals: Sequence[Pixels], first: int, change: ImageChange, prepare: Callable[[Pixels], Pixels]
) -> Pixels:
    """Return one batch: each image perturbed and resized for the model."""
    perturbed: list[Any] = [None] * len(originals)

    def work(place: int) -> None:
        perturbed[place] = prepare(change(originals[place], first + place))

    run_in_threads(work, len(originals))
    return np.stack(perturbed)


def _read(paths: Sequence[str]) -> list[Pixels]:
    images: list[Any] = [None] * len(paths)

    def work(place: int) -> None:
        images[place] = read_image(paths[place])

    run_in_threads(work, len(paths))
    return images
