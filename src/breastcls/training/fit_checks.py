"""Checks before training, and the description of what is going to be trained."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_labelled
from breastcls.errors import TrainingError, TrainingWarning
from breastcls.models.model_card import get_card
from breastcls.models.output_layer import ends_in_softmax, find_last_activation
from breastcls.models.runtime_model import RuntimeModel, describe_runtime_model
from breastcls.models.vector_input import check_vector_data, vector_size
from breastcls.models.weight_hash import hash_shapes, hash_weights
from breastcls.text_tables import choose_form, format_count
from breastcls.training.callback_checks import name_callbacks
from breastcls.training.fit_settings import FitSettings, deciding_settings
from breastcls.training.phases import Phase


def check_fit(model: keras.Model, train: Dataset, val: Dataset | None, settings: FitSettings) -> tuple[int, int] | None:
    """Check model, data and settings before anything is changed; return the (height, width) of the model.

    For a model of vectors, None is returned.

    Raises:
        TrainingError: If model, data and settings do not fit together.
        DatasetError: If training or validation set is no `Dataset`.
    """
    if isinstance(model, RuntimeModel):
        raise TrainingError(f"fit needs a Keras model; {describe_runtime_model(model)}")
    if not isinstance(model, keras.Model):
        raise TrainingError(f"model must be a keras.Model, such as from build_model; found {type(model).__name__}.")
    require_labelled("train", train, "Training")
    if settings.sampling == "case-balanced":
        train.require_cases("sampling='case-balanced'")
    if val is not None:
        require_labelled("val", val, "Validation")
    if settings.selection.patience is not None and val is None:
        raise TrainingError("ModelSelection.patience needs a validation set: pass val=, or leave patience out.")
    if settings.logging.tensorboard is not None and importlib.util.find_spec("tensorboard") is None:
        raise TrainingError(
            "Logging.tensorboard needs the package tensorboard: pip install 'breastcls[tensorboard]'; or use "
            "Logging.csv for one row per epoch."
        )
    if val is not None and val.classes != train.classes:
        raise TrainingError(f"Training classes {train.classes} and validation classes {val.classes} differ.")
    _check_classes(train, val, every_one=settings.frozen_head.solver == "lbfgs")
    card = get_card(model)
    if card is not None and tuple(card.classes) != train.classes:
        raise TrainingError(
            f"The model was built for the classes {tuple(card.classes)}, the data has {train.classes}. Build it with "
            "classes=data.classes."
        )
    size = _check_shapes(model, train)
    for data in (train, val):
        if data is not None:
            check_vector_data(model, data, TrainingError)
    _check_probabilities(model, size)
    return size


def _check_classes(train: Dataset, val: Dataset | None, *, every_one: bool) -> None:
    """Check that there are at least two classes, and warn of missing ones."""
    for what, data in (("training", train), ("validation", val)):
        if data is None:
            continue
        counts = np.bincount(data.labels, minlength=len(data.classes))
        counted = dict(zip(data.classes, counts.tolist(), strict=True))
        missing = [name for name, count in counted.items() if not count]
        if (counts > 0).sum() < 2:
            held = "images of one class only" if len(data) else "no images"
            hint = (
                " By it, a model that always predicts the same class would be the best." if what == "validation" else ""
            )
            raise TrainingError(
                f"The {what} set holds {held}: {counted}.{hint} Check the labels, the selection, or the split."
            )
        if missing and what == "training" and every_one:
            raise TrainingError(
                f"FrozenHead(solver='lbfgs') needs training images of every class; found {counted}. Use a dataset with "
                "fewer classes, or solver='optimizer'."
            )
        if missing:
            meaning = "cannot be trained" if what == "training" else "have no part in the validation scores"
            warnings.warn(
                f"The {what} set has no images of {', '.join(missing)}: they {meaning}. Found {counted}.",
                TrainingWarning,
                stacklevel=4,
            )


def _check_shapes(model: keras.Model, train: Dataset) -> tuple[int, int] | None:
    try:
        outputs, shape = model.output_shape, model.input_shape
    except (AttributeError, ValueError) as error:
        raise TrainingError(
            f"The shapes of the model {model.name!r} are not known: it is a subclass of keras.Model, or not built. "
            "Wrap it: inputs = keras.Input((height, width, 3)); model = keras.Model(inputs, yours(inputs))."
        ) from error
    fitting = (2, 1) if len(train.classes) == 2 else (len(train.classes),)
    if not isinstance(outputs, tuple) or len(outputs) != 2 or outputs[1] not in fitting:
        raise TrainingError(
            f"The outputs of the model have the shape {outputs}, but "
            f"{format_count(len(train.classes), 'class', 'classes')} "
            f"{choose_form(len(train.classes), 'needs', 'need')} "
            f"{' or '.join(f'(None, {count})' for count in fitting)}: one probability per class"
            f"{', or that of the positive class of two' if len(fitting) == 2 else ''}."
        )
    if vector_size(model) is not None:
        return None
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3 or None in shape[1:3]:
        raise TrainingError(
            f"The model takes inputs of shape {shape}; expected (None, height, width, 3) with a fixed size, or (None, "
            "d) for vectors."
        )
    return (shape[1], shape[2])


def _check_probabilities(model: keras.Model, size: tuple[int, int] | None) -> None:
    """Check that the outputs of a model are probabilities: by its last layer, or else on images or vectors of noise."""
    single = model.output_shape[-1] == 1
    if ends_in_softmax(model) and not single:
        return
    if single:
        _check_single_output(model)
    count = model.input_shape[0] or 4
    # Darker and darker images: saturated sigmoids may have a sum of 1 by chance.
    generator = np.random.default_rng(0)
    if size is None:
        noise = generator.normal(size=(count, model.input_shape[1])).astype(np.float32)
    else:
        light = np.linspace(255, 25, count).reshape(-1, 1, 1, 1)
        noise = (light * generator.random((count, *size, 3))).astype(np.float32)
    outputs = np.asarray(keras.ops.convert_to_numpy(model(noise, training=False)), np.float64)
    # In half precision sums may differ from 1 by a hundredth.
    if single and (outputs >= 0).all() and (outputs <= 1).all():
        return
    if not (outputs >= 0).all() or single or not np.allclose(outputs.sum(axis=1), 1, atol=0.02):
        found = ", ".join(f"{value:.3g}" for value in outputs[0])
        raise TrainingError(
            f"The outputs of the model {model.name!r} for an image are {found}; expected one probability for each "
            "class, none below 0 and with the sum 1, or one probability for the positive class of two. Add a softmax, "
            "keras.layers.Dense(classes, activation='softmax'), or for one output activation='sigmoid'."
        )


def _check_single_output(model: keras.Model) -> None:
    problem = {
        "softmax": "ends with a softmax: a softmax over one output is always 1",
        "linear": "ends without an activation: its output is a logit",
    }.get(find_last_activation(model) or "")
    if problem is not None:
        raise TrainingError(
            f"The model {model.name!r} has one output and {problem}. Use keras.layers.Dense(1, activation='sigmoid') "
            "for the probability of the positive class."
        )


def describe_task(
    settings: FitSettings, phases: Sequence[Phase], precision: str, train: Dataset, val: Dataset | None
) -> dict[str, Any]:
    """Return what all workers of a training must have in common; names of folders may differ between machines."""
    parts = [
        (data.labels.tolist(), data.cases.tolist(), [os.path.basename(path) for path in data.paths])
        for data in (train, val)
        if data is not None
    ]
    # With run_dir or resume on one worker only, the others would wait for it.
    files = (settings.run_dir is None, settings.resume, settings.logging.checkpoint_steps)
    return {
        "settings": (deciding_settings(settings.to_dict()), files, [phase.to_dict() for phase in phases]),
        "precision": precision,
        "images": (train.classes, parts),
    }


def describe_config(
    settings: FitSettings,
    model: keras.Model,
    classes: Sequence[str],
    phases: Sequence[Phase],
    image_size: tuple[int, int] | None,
    resize: str,
    precision: str,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, Any]:
    """Return the content of `config.json`: enough to build the model and to train it again."""
    card = get_card(model)
    return {
        "fit": settings.to_dict(),
        "phases": [phase.to_dict() for phase in phases],
        "precision": precision,
        "backend": keras.backend.backend(),
        "model": {
            "name": model.name,
            "backbone": None if card is None else card.backbone,
            "backbone_options": {} if card is None else dict(card.backbone_options),
            "weights": None if card is None else card.weights,
            "head": None if card is None else card.head,
            "dropout": None if card is None else card.dropout,
            "seed": None if card is None else card.seed,
            "image_size": None if image_size is None else list(image_size),
            "resize": resize,
            "weights_sha256": hash_weights(model),
            "shapes_sha256": hash_shapes(model),
        },
        "classes": list(classes),
        "callbacks": name_callbacks(callbacks),
    }
