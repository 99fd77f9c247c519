"""`fit`: from a model and a training set to a trained model and its record."""

from __future__ import annotations

import dataclasses
import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.leakage import audit_leakage
from breastcls.environment import describe_environment
from breastcls.errors import LeakageWarning, TrainingError, TrainingWarning
from breastcls.models.card import get_card, set_card
from breastcls.training.balance import ClassWeight, class_weights
from breastcls.training.phases import FineTune, Phase, plan_phases
from breastcls.training.record import open_run_dir, write_end, write_start
from breastcls.training.run import Run
from breastcls.training.seeding import seeded
from breastcls.training.trainer import Trainer
from breastcls.training.watching import BestWeights


def fit(
    model: keras.Model,
    train: Dataset,
    val: Dataset | None = None,
    *,
    epochs: int = 20,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    fine_tune: FineTune = True,
    head_epochs: int | None = None,
    fine_tune_rate: float | None = None,
    augment: str = "standard",
    resize: str | None = None,
    class_weight: ClassWeight = "balanced",
    monitor: str = "val_case_balanced_accuracy",
    patience: int | None = None,
    seed: int = 0,
    run_dir: str | os.PathLike[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    allow_leakage: bool = False,
    progress: bool = True,
) -> Run:
    """Train a model: the new head first, then the backbone at a lower rate with its batch normalisation frozen.

    The model is changed in place. With a validation set it ends with the weights of the epoch that scored best
    there, whether or not training stopped early. The same seed gives the same weights bit for bit on one machine.

    Args:
        model: From `build_model`, or any Keras model with images in and class probabilities out.
        train: Images to learn from.
        val: Images to choose the best epoch by. Without them the last weights are kept.
        epochs: Epochs in all.
        batch_size: Images a step.
        learning_rate: Rate of Adam in the first phase.
        fine_tune: True for the whole backbone, "last-stage" for its last stage, False for the head alone. A backbone
            with random weights is trained whole from the start.
        head_epochs: How many of the epochs the head is trained alone; a third by default.
        fine_tune_rate: Rate while fine-tuning; a tenth of `learning_rate` by default.
        augment: Name of an augmentation policy; "none" for no augmentation. Never applied to validation images.
        resize: How images are brought to the size of the model: "squash", "crop" or "pad". By default as it was trained
            before, else "squash". It is noted in the model, so that `predict` and `explain` do the same.
        class_weight: "balanced", a mapping from class name to weight, or None. Weights count in the training loss
            only, never in a score.
        monitor: The validation score that decides; by default balanced accuracy over cases, ties going to the
            smaller loss.
        patience: Stop a phase after so many epochs without a better one; None never does.
        seed: A whole number from which everything random follows.
        run_dir: New folder for config.json, split.csv, history.csv, model.keras, environment.json and run.json.
        callbacks: Further Keras callbacks.
        allow_leakage: Go on although train and validation share cases or pictures. It is written into the record.
        progress: Whether to show progress on standard error.

    Returns:
        The record of the run.

    Raises:
        LeakageError: If train and validation share a case, a slide or a picture, and it was not allowed.
        TrainingError: If an argument is not valid, the training set lacks a class, the model has other classes, or
            the loss is not a number; the message says at which step.
        OutputError: If `run_dir` cannot be written to or holds a run already.
        ImageError: If an image cannot be read.

    Example:
        >>> run = fit(model, train, val, epochs=30, patience=8)  # doctest: +SKIP
        >>> print(run)  # doctest: +SKIP
    """
    settings = {name: value for name, value in locals().items() if name not in ("model", "train", "val", "callbacks")}
    began = time.perf_counter()
    image_size = _check(model, train, val, batch_size, patience, seed)
    resize = resize or _known_resize(model)
    phases = plan_phases(model, epochs, learning_rate, fine_tune, head_epochs, fine_tune_rate)
    weights = class_weights(class_weight, train.labels, train.classes)
    leakage = None
    if val is not None:
        report = audit_leakage(train, val)
        report.raise_if_leaking(allowed=allow_leakage)
        leakage = report.to_dict()
        if not report.clean:
            warnings.warn(f"allow_leakage=True: {report}", LeakageWarning, stacklevel=2)
    config = _config(settings, model, train, phases, image_size, resize)
    folder = None if run_dir is None else open_run_dir(run_dir)
    if folder is not None:
        write_start(folder, config, train, val)

    best = None if val is None else BestWeights(monitor, patience)
    trainer = Trainer(
        model, train, val, image_size, batch_size, resize, augment, seed, weights, best, tuple(callbacks), progress
    )
    stopped = "all epochs done"
    with seeded(model, seed):
        try:
            for phase in phases:
                stopped = trainer.train(phase)
        except KeyboardInterrupt:
            stopped = "interrupted"
            warnings.warn("Interrupted: the model has its best weights so far.", TrainingWarning, stacklevel=2)
        finally:
            if best is not None:
                best.restore(model)
    rows = trainer.rows
    if not rows:
        raise TrainingError(
            "Training was interrupted before the first epoch ended; the model is as it was given or nearly so."
        )
    run = _finish(model, train, val, config, rows, best, stopped, leakage, time.perf_counter() - began, folder)
    if folder is not None:
        write_end(folder, run, model)
    return run


def _check(
    model: keras.Model, train: Dataset, val: Dataset | None, batch_size: int, patience: int | None, seed: int
) -> tuple[int, int]:
    """Find what would go wrong before anything is changed; return the image size."""
    for name, value, least in (("batch_size", batch_size, 1), ("patience", patience, 1), ("seed", seed, 0)):
        if value is not None and (not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least):
            raise TrainingError(f"{name} must be a whole number of at least {least}; found {value!r}.")
    if patience is not None and val is None:
        raise TrainingError("patience needs a validation set: pass val=, or leave patience out.")
    counts = np.bincount(train.labels, minlength=len(train.classes))
    counted = dict(zip(train.classes, counts.tolist(), strict=True))
    if (counts > 0).sum() < 2:
        raise TrainingError(
            f"The training set holds images of one class only: {counted}. Check the labels, or the selection."
        )
    if val is not None and val.classes != train.classes:
        raise TrainingError(f"Training classes {train.classes} and validation classes {val.classes} differ.")
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


def _known_resize(model: keras.Model) -> str:
    card = get_card(model)
    return (card.resize if card is not None else None) or "squash"


def _config(
    settings: dict[str, Any],
    model: keras.Model,
    train: Dataset,
    phases: Sequence[Phase],
    image_size: tuple[int, int],
    resize: str,
) -> dict[str, Any]:
    card = get_card(model)
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    if settings["class_weight"] is not None and not isinstance(settings["class_weight"], str):
        settings["class_weight"] = dict(settings["class_weight"])
    settings["run_dir"] = None if settings["run_dir"] is None else str(settings["run_dir"])
    return {
        "fit": settings,
        "phases": [dataclasses.asdict(phase) for phase in phases],
        "model": {
            "name": model.name,
            "backbone": None if card is None else card.backbone,
            "backbone_options": {} if card is None else dict(card.backbone_options),
            "weights": None if card is None else card.weights,
            "head": None if card is None else card.head,
            "image_size": list(image_size),
            "resize": resize,
        },
        "classes": list(train.classes),
    }


def _finish(
    model: keras.Model,
    train: Dataset,
    val: Dataset | None,
    config: dict[str, Any],
    rows: list[dict[str, Any]],
    best: BestWeights | None,
    stopped: str,
    leakage: dict[str, Any] | None,
    seconds: float,
    folder: Path | None,
) -> Run:
    skipped = ("epoch", "phase", "learning_rate", "seconds")
    scores = {k: v for k, v in rows[-1].items() if k not in skipped} if best is None else best.scores
    data = {"train": _describe(train)} | ({} if val is None else {"val": _describe(val)})
    environment = describe_environment()
    run = Run(
        pd.DataFrame(rows),
        config,
        None if best is None else best.epoch,
        scores,
        stopped,
        data,
        leakage,
        environment,
        seconds,
        folder,
    )
    card = get_card(model)
    if card is not None:
        seen = train if val is None else train + val
        training = {
            "cases": sorted(set(seen.cases.tolist())),
            "slides": sorted(set(seen.slides.tolist())),
            "data": data,
            "epochs": len(rows),
            "best_epoch": run.best_epoch,
            "scores": scores,
            "fit": config["fit"],
            "leakage": leakage,
            "environment": environment,
        }
        provenance = {**card.provenance, "training": training}
        set_card(model, card.replace(provenance=provenance, resize=config["model"]["resize"]))
    return run


def _describe(data: Dataset) -> dict[str, Any]:
    summary = data.summary()
    return {**summary.total, "by_class": summary.by_class.to_dict("index")}
