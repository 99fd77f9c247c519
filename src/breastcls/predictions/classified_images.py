"""From a model and images to classified outputs, with a record of what was read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.models import probability_rule
from breastcls.models.card_calibration import find_calibration
from breastcls.models.forked_process import check_process
from breastcls.models.inference import run_passes
from breastcls.models.model_card import ModelCard
from breastcls.models.prediction_sets import find_sets
from breastcls.models.probability_rule import ClassifiedOutputs
from breastcls.models.scaling_check import ScalingCheck
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.image_stream import ImageStream
from breastcls.predictions.pixel_batches import PixelBatches, open_batches
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.test_time_augmentation import list_transforms, transform_batches


@dataclass(frozen=True)
class PredictionOptions:
    """How images are predicted; see `predict`.

    Attributes:
        batch_size: Images at a time.
        tta: Test-time augmentation, or None.
        on_error: "raise" or "skip".
        progress: Whether to show a progress bar, or a function that is called after each image.
        prepared: Whether the images of a dataset are read from the image cache, and written to it.
    """

    batch_size: int = 32
    tta: str | None = None
    on_error: str = "raise"
    progress: bool | Callable[[], None] | None = None
    prepared: bool = True


def classify_images(
    model: keras.Model, card: ModelCard | None, data: Any, options: PredictionOptions
) -> tuple[ClassifiedOutputs, PixelBatches]:
    """Run a model over images, and return its classified outputs and what was read."""
    check_process()
    pixels = open_batches(
        model,
        card,
        data,
        options.batch_size,
        on_error=options.on_error,
        progress=options.progress,
        prepared=options.prepared,
    )
    transforms = list_transforms(options.tta, pixels.image_size)
    check = ScalingCheck(model, card)
    passes = run_passes(model, transform_batches(check.watch(pixels.batches), transforms), len(transforms))
    check.warn(passes[0])
    return probability_rule.classify_outputs(passes, card), pixels


def predict_dataset(
    model: keras.Model, card: ModelCard | None, data: Dataset, options: PredictionOptions
) -> Predictions:
    """Predict the images of a dataset whose classes are those of the model."""
    found, pixels = classify_images(model, card, data, options)
    kept = data if pixels.stream is None else data[np.array(pixels.stream.positions)]
    made = predictions_of(kept, found.probabilities, threshold=found.threshold)
    return complete_predictions(made, card, pixels.stream)


def complete_predictions(made: Predictions, card: ModelCard | None, stream: ImageStream | None = None) -> Predictions:
    """Add to predictions what the card of the model stores, and what was left out."""
    calibration = find_calibration(card)
    return dataclasses.replace(
        made,
        calibration=None if calibration is None else calibration.record(),
        skipped=None if stream is None else stream.skipped_table(),
        prediction_sets=find_sets(card, made.probabilities),
    )
