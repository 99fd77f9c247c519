"""The input modes of a training phase: features computed once where the backbone is frozen, else the images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.augmentation.policy_registry import find_policy
from breastcls.datasets.dataset import Dataset
from breastcls.errors import TrainingWarning
from breastcls.features.feature_batches import FeatureBatches
from breastcls.features.feature_memory import count_feature_bytes, max_feature_bytes
from breastcls.features.feature_store import read_features
from breastcls.images.epoch_order import EpochOrder, sampling_groups
from breastcls.images.notebook_display import print_progress
from breastcls.models.inference import run_batches
from breastcls.models.model_parts import split_model, with_inference_backbone
from breastcls.models.single_output import expand_single_output
from breastcls.training.batch_sources import BatchSource, ImageBatches
from breastcls.training.distribution.placement import Place
from breastcls.training.fit_settings import FitSettings
from breastcls.training.phases import Phase
from breastcls.training.validation import score_validation

Score = Callable[[], dict[str, float]]


@dataclass(frozen=True)
class TrainingData:
    """The inputs of a training.

    Args:
        place: The devices that the model is trained on.
        train: Training images.
        val: Validation images, or None.
        image_size: (height, width) of the model; None for a model of vectors.
        resize: How images are brought to that size.
        normalizer: A stain normalizer, or None.
        settings: All settings.
        max_feature_bytes: How much memory the features of a phase may take.
    """

    place: Place
    train: Dataset
    val: Dataset | None
    image_size: tuple[int, int] | None
    resize: str
    normalizer: Any
    settings: FitSettings
    max_feature_bytes: int = field(default_factory=max_feature_bytes)

    @property
    def model(self) -> keras.Model:
        """The whole model."""
        return self.place.model


@dataclass(frozen=True)
class InputMode:
    """What a phase is trained on.

    Args:
        name: "features", "images" or "vectors".
        learner: The model that is trained: the whole, or its head alone, which shares its weights.
        source: Its batches.
        score: Returns the validation scores, or None without a validation set.
    """

    name: str
    learner: keras.Model
    source: BatchSource
    score: Score | None


def choose_input_mode(phase: Phase, data: TrainingData) -> str:
    """Return "features" if the phase can be trained on features and these fit into memory, else "images".

    An exact fit of the head always uses features. A model of vectors is trained on "vectors".
    """
    if data.image_size is None:
        return "vectors"
    if phase.solver == "lbfgs":
        return "features"
    return "features" if can_use_features(phase, data.settings) and _fits(phase, data) else "images"


def can_use_features(phase: Phase, settings: FitSettings) -> bool:
    """Return whether a phase can be trained on features, memory aside.

    The backbone has to be frozen; with augmentation, features of several versions of each image have to be asked for,
    and the policy must not mix images.
    """
    if phase.solver == "lbfgs":
        return True
    if phase.trainable != "head":
        return False
    policy = find_policy(settings.augment)
    if policy.name == "none":
        return True
    return settings.frozen_head.feature_versions is not None and not policy.mixes


def _fits(phase: Phase, data: TrainingData) -> bool:
    return _needed_bytes(phase, data) <= data.max_feature_bytes


def _needed_bytes(phase: Phase, data: TrainingData) -> int:
    held = 0 if data.val is None else len(data.val)
    return count_feature_bytes(data.model, count_versions(phase, data.settings) * len(data.train) + held)


def print_phase(phase: Phase, data: TrainingData) -> None:
    """Print the input mode and the precision of a phase that is about to begin."""
    settings = data.settings
    if not settings.logging.progress:
        return
    inputs = "images"
    if data.image_size is None:
        inputs = "vectors"
    elif choose_input_mode(phase, data) == "features":
        versions = count_versions(phase, settings)
        inputs = "features computed once" + (f", {versions} versions of each image" if versions > 1 else "")
    how = "an exact fit" if phase.solver == "lbfgs" else f"{phase.epochs} epoch{'s' * (phase.epochs > 1)}"
    text = f"{phase.name}: {how} on {inputs}, in {data.model.dtype_policy.compute_dtype}"
    print_progress(text)


def prepare_input_mode(phase: Phase, data: TrainingData, known: str | None = None) -> InputMode:
    """Prepare model, batches and scores of a phase.

    Args:
        phase: The phase.
        data: The inputs of the training.
        known: The input mode of a phase that is resumed, or None at its beginning. It is kept also if another amount of
            memory is installed now.
    """
    if data.image_size is None:
        return _vector_mode(phase, data)
    if (known or choose_input_mode(phase, data)) == "features":
        return _feature_mode(phase, data)
    if can_use_features(phase, data.settings) and not _fits(phase, data):
        warnings.warn(
            f"The features of the phase {phase.name!r} take {_needed_bytes(phase, data) / 1e9:.3g} GB of memory, "
            f"more than the limit of {data.max_feature_bytes / 1e9:.3g} GB, a quarter of the memory. The phase is "
            "trained on images, which is slower. A head that pools (head='linear' or 'mlp') or a smaller "
            "FrozenHead.feature_versions makes the features smaller.",
            TrainingWarning,
            stacklevel=2,
        )
    return _image_mode(phase, data)


def count_versions(phase: Phase, settings: FitSettings) -> int:
    """Return how many augmented versions of each image are computed: at most one for each epoch."""
    versions = settings.frozen_head.feature_versions
    if versions is None or find_policy(settings.augment).name == "none":
        return 1
    return versions if phase.solver == "lbfgs" else min(versions, phase.epochs)


def read_training_features(
    phase: Phase, data: TrainingData, frozen: keras.Model
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
    """Return features of the training images, (versions, n, ...), and of the validation images, (n, ...) or None."""
    settings, precision = data.settings, data.settings.devices.precision
    options: dict[str, Any] = {
        "image_size": data.image_size,
        "resize": data.resize,
        "normalizer": data.normalizer,
        "progress": settings.logging.progress,
        # Features are computed once, so that float16 would save little, and they could exceed its range.
        "precision": "auto" if precision == "float16" else precision,
        "engine": settings.devices.engine,
    }
    train = read_features(
        frozen,
        data.train,
        # Without versions an exact fit uses the unaugmented images, rather than one distortion of each.
        augment="none" if settings.frozen_head.feature_versions is None else settings.augment,
        versions=count_versions(phase, settings),
        seed=settings.seed,
        **options,
    )
    return train, None if data.val is None else read_features(frozen, data.val, **options)[0]


def _feature_mode(phase: Phase, data: TrainingData) -> InputMode:
    settings, train, place = data.settings, data.train, data.place
    frozen, scorer = split_model(place.scorer)
    place.update_scorer()
    features, held = read_training_features(phase, data, frozen)
    with place.scope():
        head = scorer if place.original is None else split_model(data.model)[1]
    groups = sampling_groups(settings.sampling, train.labels, train.cases.tolist(), len(train))
    order = EpochOrder(len(train), settings.batch_size, shuffle=True, seed=settings.seed, groups=groups)
    source = place.shard(FeatureBatches(features, train.labels, order), len(train), settings.batch_size)
    batches = None if held is None else _cut(held, max(settings.batch_size, 256))
    return InputMode("features", head, source, _on_chief(place, _scorer(scorer, batches, data.val)))


def _image_mode(phase: Phase, data: TrainingData) -> InputMode:
    settings, place = data.settings, data.place
    # Dropout and stochastic depth inside a frozen backbone would make its features noisy: it runs as in inference.
    with place.scope():
        learner = with_inference_backbone(data.model) if phase.trainable == "head" else data.model
    common: dict[str, Any] = {
        "image_size": data.image_size,
        "batch_size": settings.batch_size,
        "resize": data.resize,
        "normalizer": data.normalizer,
    }
    # Where images of a batch are mixed with one another, every worker needs all of them.
    whole = place.workers.size == 1 or find_policy(settings.augment).mixes
    source = ImageBatches(
        data.train,
        shuffle=True,
        augment=settings.augment,
        seed=settings.seed,
        sampling=settings.sampling,
        part=None if whole else place.part,
        **common,
    )
    sharded = place.shard(source, len(data.train), settings.batch_size, whole=whole)
    batches = None if data.val is None else data.val.to_tf(**common)
    return InputMode("images", learner, sharded, _on_chief(place, _scorer(place.scorer, batches, data.val)))


def _vector_mode(phase: Phase, data: TrainingData) -> InputMode:
    settings, train, place = data.settings, data.train, data.place
    vectors = train.vectors
    assert vectors is not None, "checked before training"
    with place.scope():
        learner = with_inference_backbone(data.model) if phase.trainable == "head" else data.model
    groups = sampling_groups(settings.sampling, train.labels, train.cases.tolist(), len(train))
    order = EpochOrder(len(train), settings.batch_size, shuffle=True, seed=settings.seed, groups=groups)
    source = place.shard(FeatureBatches(vectors[None], train.labels, order), len(train), settings.batch_size)
    held = None if data.val is None else data.val.vectors
    batches = None if held is None else _cut(held, max(settings.batch_size, 256))
    return InputMode("vectors", learner, source, _on_chief(place, _scorer(place.scorer, batches, data.val)))


def score_exact_head(
    head: keras.Model, features: npt.NDArray[np.float32], held: npt.NDArray[np.float32] | None, data: TrainingData
) -> dict[str, float]:
    """Return the scores of an epoch with a fitted head, on features (versions, n, ...) and (n, ...)."""
    labels = np.tile(data.train.labels, len(features))
    parts = run_batches(head, [part[0] for part in _cut(np.concatenate(features), 1024)])
    outputs = expand_single_output(np.concatenate(list(parts)))
    chosen = np.clip(outputs[np.arange(len(labels)), labels].astype(np.float64), 1e-7, 1.0)
    row = {"loss": float(-np.log(chosen).mean()), "accuracy": float((outputs.argmax(axis=1) == labels).mean())}
    score = _scorer(head, None if held is None else _cut(held, 1024), data.val)
    return row if score is None else {**row, **score()}


def _scorer(model: keras.Model, batches: Iterable[Any] | None, val: Dataset | None) -> Score | None:
    if val is None or batches is None:
        return None
    return lambda: score_validation(model, batches, val)


def _on_chief(place: Place, score: Score | None) -> Score | None:
    return None if score is None else lambda: place.score_on_chief(score)


def _cut(features: npt.NDArray[np.float32], size: int) -> list[tuple[npt.NDArray[np.float32]]]:
    return [(features[start : start + size],) for start in range(0, len(features), size)]
