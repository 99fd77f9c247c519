"""Before the first step: what would go wrong, and what is going to be done."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.errors import TrainingError
from breastcls.models.card import get_card
from breastcls.training.features.linear_probe import find_linear_head
from breastcls.training.hashing import hash_shapes, hash_weights
from breastcls.training.phases import Phase
from breastcls.training.settings import Settings


def check_fit(model: keras.Model, train: Dataset, val: Dataset | None, settings: Settings) -> tuple[int, int]:
    """Find what would go wrong before anything is changed; return the (height, width) of the model.

    Raises:
        TrainingError: If model, data and settings do not fit together.
    """
    if settings.patience is not None and val is None:
        raise TrainingError("patience needs a validation set: pass val=, or leave patience out.")
    if settings.tensorboard is not None and importlib.util.find_spec("tensorboard") is None:
        raise TrainingError(
            "tensorboard= needs the package tensorboard: pip install 'breastcls[tensorboard]'; or pass csv= for one "
            "row an epoch."
        )
    counts = np.bincount(train.labels, minlength=len(train.classes))
    counted = dict(zip(train.classes, counts.tolist(), strict=True))
    if (counts > 0).sum() < 2:
        raise TrainingError(
            f"The training set holds images of one class only: {counted}. Check the labels, or the selection."
        )
    if val is not None and val.classes != train.classes:
        raise TrainingError(f"Training classes {train.classes} and validation classes {val.classes} differ.")
    if settings.head_solver == "lbfgs":
        find_linear_head(model)
    card = get_card(model)
    if card is not None and tuple(card.classes) != train.classes:
        raise TrainingError(
            f"The model was built for the classes {tuple(card.classes)}, the data has {train.classes}. Build it with "
            "classes=data.classes."
        )
    outputs = model.output_shape
    if not isinstance(outputs, tuple) or len(outputs) != 2 or outputs[1] != len(train.classes):
        raise TrainingError(
            f"The model gives outputs of shape {outputs}, but {len(train.classes)} classes need "
            f"(None, {len(train.classes)}): one probability a class, also for two."
        )
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3 or None in shape[1:3]:
        raise TrainingError(
            f"The model takes inputs of shape {shape}; needed is (None, height, width, 3) with a fixed size."
        )
    return (shape[1], shape[2])


def describe_task(
    settings: Settings, phases: Sequence[Phase], precision: str, train: Dataset, val: Dataset | None
) -> dict[str, Any]:
    """Return what all workers of a training must have in common; folders may have other names on each machine."""
    parts = [
        (data.labels.tolist(), data.cases.tolist(), [os.path.basename(path) for path in data.paths])
        for data in (train, val)
        if data is not None
    ]
    # A run_dir or its continuation on one worker only would leave the others waiting.
    ways = (settings.run_dir is None, settings.resume, settings.checkpoint_steps)
    return {
        "settings": (settings.differences({}), ways, list(phases)),
        "precision": precision,
        "images": (train.classes, parts),
    }


def describe_config(
    settings: Settings,
    model: keras.Model,
    classes: Sequence[str],
    phases: Sequence[Phase],
    image_size: tuple[int, int],
    resize: str,
    precision: str,
) -> dict[str, Any]:
    """Return what `config.json` says: enough to build the model again and train it again."""
    card = get_card(model)
    return {
        "fit": settings.to_dict(),
        "phases": [dataclasses.asdict(phase) for phase in phases],
        "precision": precision,
        "model": {
            "name": model.name,
            "backbone": None if card is None else card.backbone,
            "backbone_options": {} if card is None else dict(card.backbone_options),
            "weights": None if card is None else card.weights,
            "head": None if card is None else card.head,
            "dropout": None if card is None else card.dropout,
            "seed": None if card is None else card.seed,
            "image_size": list(image_size),
            "resize": resize,
            "weights_sha256": hash_weights(model),
            "shapes_sha256": hash_shapes(model),
        },
        "classes": list(classes),
    }
