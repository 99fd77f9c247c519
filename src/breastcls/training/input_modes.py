"""The shortest road to the same result: features computed once where the backbone is frozen, else the images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from rich.console import Console

from breastcls.augmentation.policy_registry import find_policy
from breastcls.datasets.dataset import Dataset
from breastcls.errors import TrainingWarning
from breastcls.features.feature_batches import FeatureBatches
from breastcls.features.feature_memory import feature_bytes, most_feature_bytes
from breastcls.features.feature_store import read_features
from breastcls.images.epoch_order import EpochOrder, sampling_groups
from breastcls.models.inference import run_batches
from breastcls.models.model_parts import split_model, with_inference_backbone
from breastcls.training.batch_sources import ImageSource, Source
from breastcls.training.distribution.placement import Place
from breastcls.training.fit_settings import FitSettings
from breastcls.training.phases import Phase
from breastcls.training.validation import score_validation

Score = Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Material:
    """What a training is fed with.

    Args:
        place: Where the model learns.
        train: Images to learn from.
        val: Images to score by, or None.
        image_size: (height, width) of the model.
        resize: How images are brought to that size.
        normalizer: A stain normalizer, or None.
        settings: All settings.
        most_feature_bytes: How much memory the features of a phase may take.
    """

    place: Place
    train: Dataset
    val: Dataset | None
    image_size: tuple[int, int]
    resize: str
    normalizer: Any
    settings: FitSettings
    most_feature_bytes: int = field(default_factory=most_feature_bytes)

    @property
    def model(self) -> keras.Model:
        """The whole model."""
        return self.place.model


@dataclass(frozen=True)
class Road:
    """How a phase gets where it goes.

    Args:
        name: "features" or "images".
        learner: The model that learns: the whole, or its head alone, which shares its weights.
        source: Its batches.
        score: Gives the validation scores, or None without a validation set.
    """

    name: str
    learner: keras.Model
    source: Source
    score: Score | None


def choose_road(phase: Phase, material: Material) -> str:
    """Return "features" where the backbone does not learn and its features can stand for the images, else "images".

    They can without augmentation, or if views of each image were asked for and the policy does not mix images; and if
    they take no more memory than they may. An exact fit of the head goes by them always.
    """
    if phase.solver == "lbfgs":
        return "features"
    return "features" if can_use_features(phase, material.settings) and _fits(phase, material) else "images"


def can_use_features(phase: Phase, settings: FitSettings) -> bool:
    """Return whether a phase can be trained on features: the backbone is frozen, and no image is mixed with others."""
    if phase.solver == "lbfgs":
        return True
    if phase.trainable != "head":
        return False
    policy = find_policy(settings.augment)
    if policy.name == "none":
        return True
    return settings.frozen_head.feature_versions is not None and not policy.mixes


def _fits(phase: Phase, material: Material) -> bool:
    return _needed_bytes(phase, material) <= material.most_feature_bytes


def _needed_bytes(phase: Phase, material: Material) -> int:
    held = 0 if material.val is None else len(material.val)
    return feature_bytes(material.model, count_views(phase, material.settings) * len(material.train) + held)


def announce(phase: Phase, material: Material) -> None:
    """Print which way a phase is about to go, and in which numbers."""
    settings = material.settings
    if not settings.progress:
        return
    way = "images"
    if choose_road(phase, material) == "features":
        views = count_views(phase, settings)
        way = "features computed once" + (f", {views} views of each image" if views > 1 else "")
    how = "an exact fit" if phase.solver == "lbfgs" else f"{phase.epochs} epoch{'s' * (phase.epochs > 1)}"
    text = f"{phase.name}: {how} on {way}, in {material.model.dtype_policy.compute_dtype}"
    Console(stderr=True).print(text, highlight=False, soft_wrap=True)


def take_road(phase: Phase, material: Material, known: str | None = None) -> Road:
    """Prepare learner, batches and scores of a phase.

    Args:
        phase: The phase.
        material: What it is fed with.
        known: The road that the phase was on when it was left, or None at its beginning. It stays on it also if there
            is another amount of memory now.
    """
    if (known or choose_road(phase, material)) == "features":
        return _features_road(phase, material)
    if can_use_features(phase, material.settings) and not _fits(phase, material):
        warnings.warn(
            f"The features of the phase {phase.name!r} take {_needed_bytes(phase, material) / 1e9:.3g} GB of memory, "
            f"more than the {material.most_feature_bytes / 1e9:.3g} GB they may, a quarter of what there is. It is "
            "trained on images, which is slower. A head that pools (head='linear' or 'mlp') or a smaller "
            "FrozenHead.feature_versions makes them smaller.",
            TrainingWarning,
            stacklevel=2,
        )
    return _images_road(phase, material)


def count_views(phase: Phase, settings: FitSettings) -> int:
    """Return how many augmented views of each image are computed: no more than there are epochs to show them in."""
    versions = settings.frozen_head.feature_versions
    if versions is None or find_policy(settings.augment).name == "none":
        return 1
    return versions if phase.solver == "lbfgs" else min(versions, phase.epochs)


def read_training_features(
    phase: Phase, material: Material, frozen: keras.Model
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
    """Return the features of the training images, (views, n, ...), and of the validation images, (n, ...) or None."""
    settings = material.settings
    options: dict[str, Any] = {
        "image_size": material.image_size,
        "resize": material.resize,
        "normalizer": material.normalizer,
        "progress": settings.progress,
        # Computed once, features gain nothing from float16, and could leave its range.
        "precision": "auto" if settings.precision == "float16" else settings.precision,
    }
    train = read_features(
        frozen,
        material.train,
        # Without views an exact fit sees the images as they are, rather than one distortion of each.
        augment="none" if settings.frozen_head.feature_versions is None else settings.augment,
        views=count_views(phase, settings),
        seed=settings.seed,
        **options,
    )
    return train, None if material.val is None else read_features(frozen, material.val, **options)[0]


def _features_road(phase: Phase, material: Material) -> Road:
    settings, data = material.settings, material.train
    frozen, judge = split_model(material.place.judge)
    material.place.tell_judge()
    features, held = read_training_features(phase, material, frozen)
    with material.place.scope():
        head = judge if material.place.original is None else split_model(material.model)[1]
    groups = sampling_groups(settings.sampling, data.labels, data.cases.tolist(), len(data))
    order = EpochOrder(len(data), settings.batch_size, shuffle=True, seed=settings.seed, groups=groups)
    source = material.place.deal(FeatureBatches(features, data.labels, order), len(data), settings.batch_size)
    batches = None if held is None else _cut(held, max(settings.batch_size, 256))
    return Road("features", head, source, _judged(material.place, _scorer(judge, batches, material.val)))


def _images_road(phase: Phase, material: Material) -> Road:
    settings = material.settings
    # Dropout and stochastic depth inside a frozen backbone would make its features noisy: it runs as in inference.
    with material.place.scope():
        learner = with_inference_backbone(material.model) if phase.trainable == "head" else material.model
    common: dict[str, Any] = {
        "image_size": material.image_size,
        "batch_size": settings.batch_size,
        "resize": material.resize,
        "normalizer": material.normalizer,
    }
    # Where images of a batch are mixed with one another, every worker needs them all.
    whole = material.place.team.size == 1 or find_policy(settings.augment).mixes
    source = ImageSource(
        material.train,
        shuffle=True,
        augment=settings.augment,
        seed=settings.seed,
        sampling=settings.sampling,
        part=None if whole else material.place.part,
        **common,
    )
    dealt = material.place.deal(source, len(material.train), settings.batch_size, whole=whole)
    batches = None if material.val is None else material.val.to_tf(**common)
    score = _scorer(material.place.judge, batches, material.val)
    return Road("images", learner, dealt, _judged(material.place, score))


def score_probe(
    head: keras.Model, features: npt.NDArray[np.float32], held: npt.NDArray[np.float32] | None, material: Material
) -> dict[str, float]:
    """Return what an epoch would have given with the head as it is, on features (views, n, ...) and (n, ...)."""
    labels = np.tile(material.train.labels, len(features))
    outputs = np.concatenate(list(run_batches(head, [part[0] for part in _cut(np.concatenate(features), 1024)])))
    chosen = np.clip(outputs[np.arange(len(labels)), labels].astype(np.float64), 1e-7, 1.0)
    row = {"loss": float(-np.log(chosen).mean()), "accuracy": float((outputs.argmax(axis=1) == labels).mean())}
    score = _scorer(head, None if held is None else _cut(held, 1024), material.val)
    return row if score is None else {**row, **score()}


def _scorer(judge: keras.Model, batches: Iterable[Any] | None, val: Dataset | None) -> Score | None:
    if val is None or batches is None:
        return None
    return lambda: score_validation(judge, batches, val)


def _judged(place: Place, score: Score | None) -> Score | None:
    return None if score is None else lambda: place.judged(score)


def _cut(features: npt.NDArray[np.float32], size: int) -> list[tuple[npt.NDArray[np.float32]]]:
    return [(features[start : start + size],) for start in range(0, len(features), size)]
