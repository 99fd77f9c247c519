"""`fit`: train a model on a dataset and return the record of the run."""

from __future__ import annotations

import dataclasses
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import keras

from breastcls.augmentation.policy import Policy
from breastcls.datasets.dataset import Dataset
from breastcls.errors import LeakageWarning, TrainingWarning
from breastcls.features.feature_memory import max_feature_bytes
from breastcls.files import remove_temporaries
from breastcls.images.epoch_order import sampling_groups
from breastcls.models.forked_process import check_process
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.model_card import get_card
from breastcls.models.precision import choose_precision, use_precision
from breastcls.predictions.independence import audit_validation
from breastcls.stain.fitting import fit_normalizer
from breastcls.stain.normalizer_registry import normalizer_from_dict
from breastcls.training.callback_checks import check_callbacks
from breastcls.training.callbacks import BestWeights
from breastcls.training.checkpointing.checkpoints import Checkpoints
from breastcls.training.checkpointing.resume import open_run
from breastcls.training.checkpointing.run_folder import hold_run, write_end
from breastcls.training.class_weights import ClassWeight, class_weights
from breastcls.training.distribution.placement import find_workers, placed
from breastcls.training.fit_checks import check_fit, describe_config, describe_task
from breastcls.training.fit_options import FineTune, FrozenHead, Rate
from breastcls.training.fit_settings import FitSettings
from breastcls.training.input_modes import TrainingData
from breastcls.training.phases import plan_phases
from breastcls.training.run import Run
from breastcls.training.run_options import Devices, Logging, ModelSelection, Preprocessing
from breastcls.training.run_summary import describe_run, note_in_card
from breastcls.training.seeding import seeded
from breastcls.training.termination import EXIT_STATUS, Termination
from breastcls.training.trainer import Trainer
from breastcls.training.vector_training import hash_vectors, settle_settings


def fit(
    model: keras.Model,
    train: Dataset,
    val: Dataset | None = None,
    *,
    epochs: int = 20,
    batch_size: int = 32,
    learning_rate: Rate | None = None,
    optimizer: str | keras.optimizers.Optimizer = "adam",
    loss: str | keras.losses.Loss = "cross-entropy",
    fine_tune: FineTune | bool | Literal["all", "last-stage"] | int = True,
    frozen_head: FrozenHead | Literal["optimizer", "lbfgs"] = "optimizer",
    augment: str | Policy | None = "standard",
    sampling: str | None = None,
    class_weight: ClassWeight = "balanced",
    preprocessing: Preprocessing | None = None,
    selection: ModelSelection | str | None = None,
    seed: int = 0,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    devices: Devices | Any = None,
    logging: Logging | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    allow_leakage: bool = False,
) -> Run:
    """Train a model: the new head first, then the backbone at a lower rate with its batch normalisation frozen.

    The model is changed in place. With a validation set it ends with the weights of the epoch that scored best
    there, whether or not training stopped early. The same seed gives the same weights bit for bit on one machine, also
    when the run was interrupted and resumed; on a GPU only after `tf.config.experimental.enable_op_determinism()`.

    While the backbone is frozen, its output for an image does not change: it is computed once, kept beside the
    prepared images, and the head is trained on it. `run.config["input_modes"]` and `print(run)` report which phases
    were trained on "features" and which on "images". A model of vectors, such as of `build_model("embeddings", ...)`,
    is trained on the vectors of the datasets, without augmentation.

    Args:
        model: From `build_model`, or any Keras model with images in and probabilities out: (n, classes), or (n, 1) with
            the probability of the positive class of two, such as a sigmoid. One that breastcls did not build is trained
            as it is, that is its layers that are set to trainable; with `fine_tune=False` or "all", or
            `frozen_head="lbfgs"`, like one with a pretrained backbone, which has to be nested in it as one layer.
        train: Training images.
        val: Validation images, by which the best epoch is chosen. Without them the last weights are kept.
        epochs: Total number of epochs.
        batch_size: Images per step, over all devices.
        learning_rate: The learning rate of the first phase: a number, an `EpochSchedule` (decay and warm-up that follow
            from the epochs of each phase), or a Keras schedule, which is used as it is from its step 0 in each phase,
            fine-tuning included. By default 0.001, or the rate of the optimizer where that is an object;
            given beside an optimizer object, it replaces the rate of that.
        optimizer: "adam", "adamw", "sgd" (with momentum 0.9), "rmsprop", "adagrad", "nadam" or "lion"; or an optimizer
            of Keras, whose configuration is used in every phase, with the learning rate of the phase. The object itself
            is not changed. Biases and the parameters of normalisation are left out of weight decay.
        loss: "cross-entropy", "focal" (gamma 2), which gives well classified images less weight, or a loss of Keras
            over one-hot labels, such as `keras.losses.CategoricalCrossentropy(label_smoothing=0.1)`.
        fine_tune: A `FineTune`, or a short form of it: True for the whole backbone, after its head if it is pretrained
            and together with it if its weights are random; "all" for the whole backbone after its head; "last-stage"
            for its last stage; a number for so many last stages; False for the head alone.
        frozen_head: A `FrozenHead`, or its solver. "lbfgs" fits the head exactly, as a logistic regression, in one
            epoch. That is all with `fine_tune=False`; otherwise `epochs` of fine-tuning follow. `optimizer`, `loss`,
            `learning_rate` and `sampling` have an effect in these alone, and are refused without them. The penalty
            that was chosen is in `run.config["exact_head"]`.
        augment: Name of an augmentation policy, or a `breastcls.augmentation.Policy`; "none" or None for no
            augmentation. Never applied to validation images.
        sampling: "class-balanced" or "case-balanced" draws every class or case equally often; None takes each image
            once per epoch.
        class_weight: "balanced", a mapping from class name to weight, or None. Weights are part of the training loss
            only, never of a score. "balanced" depends on how often each class is drawn: with
            `sampling="class-balanced"` all weights are the same.
        preprocessing: A `Preprocessing`: how images are resized, and a stain normalizer. It is noted in the model, so
            that `predict` and `explain` do the same.
        selection: A `ModelSelection`: the validation score by which the best epoch is chosen, and the patience of early
            stopping; or the name of the score, such as "val_loss". By default balanced accuracy over cases, without
            early stopping.
        seed: A whole number from which everything random follows.
        run_dir: New folder for config.json, split.csv, history.csv, model.keras, environment.json and run.json, and for
            checkpoints while the run is not finished.
        resume: Resume the run in `run_dir` from its last checkpoint; begin it if there is none, and return its result
            if it is finished. The weights are those of an uninterrupted run.
        devices: A `Devices`: the strategy for several GPUs or machines, and the numerical precision; or the strategy,
            "mirrored", "multi-worker" or a `tf.distribute` strategy. By default one device, and bfloat16 where it is
            faster.
        logging: A `Logging`: whether progress is shown, and further files that are written while training.
        callbacks: Further Keras callbacks. While the head is trained on features, their model is the head alone. Their
            types are recorded, and a run is resumed or repeated with the same types only; their state is not in the
            checkpoints. Keras' own that only observe, such as `CSVLogger`, may be added or left out. Those that cannot
            work are refused before training.
        allow_leakage: Train although train and validation share cases or images. It is written into the record.

    Returns:
        The record of the run.

    Raises:
        LeakageError: If train and validation share a case, a slide or an image, or the model was trained on a
            validation case before, and it was not allowed.
        TrainingError: If an argument is not valid or would have no effect, training or validation set hold fewer than
            two classes (of more, `TrainingWarning` names those that are missing), the model has other classes or its
            outputs are not probabilities, the folder holds another run than the one to resume, the loss is not a number
            (the message says at which step), or, with several machines, they differ or one of them is lost.
        RegistryError: If there is no such augmentation policy or stain normalizer.
        DatasetError: If `train` or `val` is not a `Dataset`.
        OutputError: If `run_dir` cannot be written to, holds a run already, or another process is training in it.
        SystemExit: After SIGTERM, with the status 143, if there is a `run_dir`: a checkpoint was written after the
            present step, and the folder holds the best weights so far.
        KeyboardInterrupt: After Ctrl-C before the first epoch was finished; the model has its initial weights. Later,
            the run so far is returned.
        ImageError: If an image cannot be read.

    Example:
        >>> import keras  # doctest: +SKIP
        >>> from breastcls.training import ModelSelection
        >>> run = fit(model, train, val, epochs=30, selection=ModelSelection(patience=8))  # doctest: +SKIP
        >>> print(run)  # doctest: +SKIP
        >>> optimizer = keras.optimizers.AdamW(3e-4, weight_decay=1e-4)  # doctest: +SKIP
        >>> run = fit(model, train, val, optimizer=optimizer, fine_tune="last-stage")  # doctest: +SKIP
    """
    given = {name: value for name, value in locals().items() if name not in ("model", "train", "val", "callbacks")}
    began = time.perf_counter()
    settings = FitSettings.of(given)
    check_process()
    if isinstance(model, keras.Model):
        settings = settle_settings(model, settings)
    image_size = check_fit(model, train, val, settings)
    images = Preprocessing.of(preprocessing)
    normalizer, noted = _normalizer(images.stain, model, train, settings.seed)
    settings = dataclasses.replace(settings, preprocessing=dataclasses.replace(images, stain=noted))
    resize = images.resize or _resize_of(model)
    phases = plan_phases(model, settings)
    check_callbacks(callbacks, phases, settings, validated=val is not None)
    groups = sampling_groups(sampling, train.labels, train.cases.tolist(), len(train))
    weights = class_weights(class_weight, train.labels, train.classes, groups)
    leakage = None if val is None else _audit(model, train, val, allowed=allow_leakage)
    number_format = choose_precision(settings.devices.precision, model)
    config = describe_config(settings, model, train.classes, phases, image_size, resize, number_format, callbacks)
    if image_size is None:
        config["model"]["vectors_sha256"] = hash_vectors(train, val)

    workers = find_workers(Devices.of(devices).strategy)
    for what, known in describe_task(settings, phases, number_format, train, val).items():
        workers.check_same(what, known)
    opened = open_run(run_dir, model, config, train, val, workers, resume=resume)
    if opened.finished is not None:
        return opened.finished
    config, checkpoints = opened.config, None if opened.folder is None else Checkpoints(opened.folder)

    flags = [(layer, layer.trainable) for layer in flatten_layers(model)]
    best = BestWeights(None if val is None else settings.selection.monitor, settings.selection.patience)
    all_callbacks = (*(_writers(settings) if workers.chief else ()), *callbacks)
    log = Path(settings.logging.csv) if settings.logging.csv is not None and workers.chief else None
    if log is not None:
        remove_temporaries(log)
    stopped = "interrupted"
    shown = settings if workers.chief else _without_progress(settings)
    termination = Termination()
    with (
        hold_run(opened.folder if workers.chief else None),
        termination if checkpoints is not None else nullcontext(),
        use_precision(model, number_format),
        placed(model, workers) as place,
        seeded(place.model, settings.seed),
    ):
        # The same input mode on all machines, also if one of them has less memory.
        most_bytes = int(workers.gather([max_feature_bytes()]).min())
        data = TrainingData(place, train, val, image_size, resize, normalizer, shown, most_bytes)
        trainer = Trainer(data, weights, best, all_callbacks, checkpoints, opened.unchanged, log, termination)
        try:
            stopped = trainer.train(phases)
        except KeyboardInterrupt:
            warnings.warn(f"Interrupted: the model has {best}.", TrainingWarning, stacklevel=2)
    if not trainer.rows:
        if termination.received:
            raise SystemExit(EXIT_STATUS)
        # No run to return; the caller is interrupted as in any other function.
        raise KeyboardInterrupt(
            "Training was interrupted before the first epoch was finished; the model has its initial weights."
        )
    if phases[0].name != "as-given" and config["model"]["backbone"] is None:
        # In a model of the caller's own these flags are settings, which the next call may depend on.
        for layer, trainable in flags:
            layer.trainable = trainable
    config["input_modes"] = trainer.input_modes
    if trainer.exact_head is not None:
        config["exact_head"] = trainer.exact_head
    if trainer.lora is not None:
        config["lora"] = trainer.lora
    run = describe_run(train, val, config, trainer.rows, best, stopped, leakage)
    run = dataclasses.replace(run, seconds=time.perf_counter() - began, run_dir=opened.folder)
    note_in_card(model, train, val, run, None if image_size is None else resize, noted)
    if opened.folder is not None and checkpoints is not None and workers.chief:
        write_end(opened.folder, run, model)
        if stopped != "interrupted":
            checkpoints.remove()
    if termination.received:
        raise SystemExit(EXIT_STATUS)
    if stopped != "interrupted":
        # From here on every worker finds the folder complete.
        workers.wait()
    return run


def _audit(model: keras.Model, train: Dataset, val: Dataset, *, allowed: bool) -> dict[str, Any]:
    """Return what train and validation share; refuse a leak unless it is allowed."""
    card = get_card(model)
    report = audit_validation(train, val, {} if card is None else card.provenance)
    report.raise_if_leaking(allowed=allowed)
    if not report.clean:
        warnings.warn(f"allow_leakage=True: {report}", LeakageWarning, stacklevel=3)
    return report.to_dict()


def _writers(settings: FitSettings) -> tuple[keras.callbacks.Callback, ...]:
    if settings.logging.tensorboard is None:
        return ()
    return (keras.callbacks.TensorBoard(settings.logging.tensorboard, write_graph=False),)


def _without_progress(settings: FitSettings) -> FitSettings:
    return dataclasses.replace(settings, logging=dataclasses.replace(settings.logging, progress=False))


def _resize_of(model: keras.Model) -> str:
    card = get_card(model)
    return (card.resize if card is not None else None) or "stretch"


def _normalizer(stain: Any, model: keras.Model, train: Dataset, seed: int) -> tuple[Any, dict[str, Any] | None]:
    """Return the normalizer to apply, given or stored in the card, and the values to store."""
    if stain is None:
        card = get_card(model)
        values = None if card is None else card.stain
        return (None, None) if values is None else (normalizer_from_dict(values), dict(values))
    if isinstance(stain, str):
        stain = fit_normalizer(train, stain, seed=seed)
    elif isinstance(stain, Mapping):
        stain = normalizer_from_dict(stain)
    return stain, stain.to_dict()
