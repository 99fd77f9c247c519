"""From a model and images to classified outputs, with a record of what was read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.models import probability_rule
from breastcls.models.card_calibration import find_calibration
from breastcls.models.card_ood import collect_colours, find_colour_limit
from breastcls.models.engines.engine_record import record_engine
from breastcls.models.engines.session import BatchRunner
from breastcls.models.forked_process import check_process
from breastcls.models.inference import run_passes
from breastcls.models.model_card import ModelCard
from breastcls.models.prediction_sets import find_sets
from breastcls.models.probability_rule import ClassifiedOutputs
from breastcls.models.scaling_check import ScalingCheck
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.image_stream import ImageStream
from breastcls.predictions.pixel_batches import PixelBatches, check_options, open_batches
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.test_time_augmentation import check_tta, list_transforms, transform_batches


@dataclass(frozen=True)
class PredictionOptions:
    """How images are predicted; see `predict`.

    Attributes:
        batch_size: Images at a time.
        tta: Test-time augmentation, or None.
        on_error: "raise" or "skip".
        progress: Whether to show a progress bar, or a function that is called after each image.
        prepared: Whether the images of a dataset are read from the image cache, and written to it.
        engine: What runs a Keras model, for those who open it themselves.

    Raises:
        EvaluationError: If `batch_size`, `tta` or `on_error` has another value.
    """

    batch_size: int = 32
    tta: str | None = None
    on_error: str = "raise"
    progress: bool | Callable[[], None] | None = None
    prepared: bool = True
    engine: str | None = None

    def __post_init__(self) -> None:
        # Checked before images are listed and files are written.
        check_options(self.batch_size, self.on_error)
        check_tta(self.tta)


@dataclass(frozen=True, eq=False)
class ClassifiedImages:
    """What a model gives for images, and what was read.

    Attributes:
        outputs: The probabilities and predicted classes.
        ood: bool (n,), whether each image is flagged as out-of-distribution, or None where the card stores no limit.
        pixels: The batches, with the record of what was read.
    """

    outputs: ClassifiedOutputs
    ood: npt.NDArray[np.bool_] | None
    pixels: PixelBatches


def classify_images(
    model: keras.Model | BatchRunner, card: ModelCard | None, data: Any, options: PredictionOptions
) -> ClassifiedImages:
    """Run a model, or a session, over images, and return its classified outputs and what was read."""
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
    limit = find_colour_limit(card)
    colours: list[npt.NDArray[np.float64]] = []
    check = ScalingCheck(model, card)
    batches = check.watch(pixels.batches if limit is None else collect_colours(pixels.batches, colours))
    passes = run_passes(model, transform_batches(batches, transforms), len(transforms))
    check.warn(passes[0])
    flags = None if limit is None else limit.flags(np.concatenate(colours))
    return ClassifiedImages(probability_rule.classify_outputs(passes, card), flags, pixels)


def predict_dataset(
    model: keras.Model | BatchRunner, card: ModelCard | None, data: Dataset, options: PredictionOptions
) -> Predictions:
    """Predict the images of a dataset whose classes are those of the model."""
    found = classify_images(model, card, data, options)
    stream = found.pixels.stream
    kept = data if stream is None else data[np.array(stream.positions)]
    made = predictions_of(kept, found.outputs.probabilities, threshold=found.outputs.threshold)
    return complete_predictions(made, card, stream, found.ood, record_engine(model))


def complete_predictions(
    made: Predictions,
    card: ModelCard | None,
    stream: ImageStream | None = None,
    ood: Any = None,
    engine: Mapping[str, Any] | None = None,
) -> Predictions:
    """Add to predictions what the card of the model stores, what ran the model, and what was left out."""
    calibration = find_calibration(card)
    return dataclasses.replace(
        made,
        calibration=None if calibration is None else calibration.record(),
        skipped=None if stream is None else stream.skipped_table(),
        engine=engine,
        prediction_sets=find_sets(card, made.probabilities),
        ood=ood,
    )
