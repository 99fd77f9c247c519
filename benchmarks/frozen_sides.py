"""Both sides of the benchmarks of frozen training: `bc.fit`, and the way of the Keras tutorials."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras_clock import EpochClock
from sklearn.metrics import roc_auc_score

import breastcls as bc
from breastcls.augmentation.policy_registry import find_policy

BATCH, RATE = 32, 1e-3
MOBILENET = "mobilenet_2_5_224_tf_no_top.h5"


@dataclass(frozen=True)
class Task:
    """What both sides do.

    Args:
        backbone: "mobilenet" (0.25, ImageNet weights) or another one, with random weights.
        weights: Folder of the weight files.
        augment: "none" or "classic".
        views: Augmented views an image that breastcls computes.
        epochs: Number of epochs.
        size: Height and width of the images.
    """

    backbone: str
    weights: Path
    augment: str
    views: int | None
    epochs: int
    size: int = 224

    def build(self, classes: Any, seed: int) -> Any:
        """Return a model; the same weights each time for the same seed."""
        options: dict[str, Any] = {"weights": None}
        if self.backbone == "mobilenet":
            options = {"weights": self.weights / MOBILENET, "alpha": 0.25}
        return bc.build_model(self.backbone, classes=classes, image_size=self.size, seed=seed, **options)


def train_ours(model: Any, data: Any, task: Task, seed: int) -> Any:
    """Train the head through `bc.fit`."""
    return bc.fit(
        model,
        data,
        epochs=task.epochs,
        batch_size=BATCH,
        learning_rate=RATE,
        fine_tune=False,
        augment=task.augment,
        frozen_head=bc.training.FrozenHead(feature_versions=task.views),
        class_weight=None,
        seed=seed,
        logging=bc.training.Logging(progress=False),
    )


def train_peer(model: Any, tree: Path, task: Task, epochs: int) -> EpochClock:
    """Train the head as the tutorials of Keras do, and return what its epochs took."""
    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    backbone.trainable = False
    batches = keras.utils.image_dataset_from_directory(
        tree, image_size=(task.size, task.size), batch_size=BATCH, verbose=False
    )
    if task.augment != "none":
        batches = batches.map(keras_layers(task.augment), num_parallel_calls=tf.data.AUTOTUNE)
    inference = keras.Model(model.inputs, _called_as_inference(model, backbone))
    inference.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    clock = EpochClock()
    inference.fit(batches.prefetch(tf.data.AUTOTUNE), epochs=epochs, verbose=0, callbacks=[clock])
    return clock


def _called_as_inference(model: Any, backbone: Any) -> Any:
    """Return the output of the same layers with the backbone called with `training=False`, as tutorials have it."""
    x = model.inputs[0]
    for layer in model.layers[1:]:
        x = layer(x, training=False) if layer is backbone else layer(x)
    return x


def keras_layers(name: str) -> Any:
    """Return what the policy does, as the preprocessing layers of Keras."""
    policy = find_policy(name)
    layers = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal_and_vertical"),
            keras.layers.RandomRotation(policy.rotation / 360),
            keras.layers.RandomZoom(policy.zoom),
            keras.layers.RandomTranslation(policy.shift, policy.shift),
        ]
    )
    return lambda images, labels: (layers(images, training=True), labels)


def prepare_folder(data: Any, folder: Path) -> Path:
    """Make a folder of links, one sub-folder a class, which `image_dataset_from_directory` reads."""
    for number, (path, label) in enumerate(zip(data.paths, data.labels, strict=True)):
        # By number, so that the classes come in the order of the data.
        place = folder / f"{label}" / f"{number:06d}{Path(path).suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(os.path.abspath(path), place)
    return folder


def image_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the AUC over images."""
    return float(roc_auc_score(labels, scores))


def case_auc(labels: np.ndarray, scores: np.ndarray, cases: np.ndarray) -> float:
    """Return the AUC over cases, each class of a case judged once by the mean of its images."""
    _, first, member = np.unique(
        [f"{c}|{y}" for c, y in zip(cases, labels, strict=True)], return_index=True, return_inverse=True
    )
    return float(roc_auc_score(labels[first], np.bincount(member, scores) / np.bincount(member)))


def mean_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean cross-entropy over images."""
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1)).mean())
