"""Repeating a training from its record."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from breastcls.datasets.dataset import Dataset
from breastcls.errors import ModelError, TrainingError
from breastcls.models.building import build_model
from breastcls.models.weight_hash import hash_weights
from breastcls.training.callback_checks import name_callbacks
from breastcls.training.checkpointing.resume import data_differences
from breastcls.training.checkpointing.run_folder import read_config, read_split
from breastcls.training.fit import fit
from breastcls.training.fit_settings import settings_arguments
from breastcls.training.run import Run
from breastcls.training.run_options import Logging
from breastcls.training.vector_training import hash_vectors


def rerun(
    run_dir: str | os.PathLike[str],
    *,
    new_run_dir: str | os.PathLike[str] | None = None,
    train: Dataset | None = None,
    val: Dataset | None = None,
    weights: str | os.PathLike[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: bool = True,
) -> tuple[keras.Model, Run]:
    """Build the model of a run again and train it with the same settings on the same images.

    On the same machine with the same versions the weights are the same bit for bit. The files of `Logging` are
    left as the first run wrote them; the new one writes none.

    Args:
        run_dir: Folder that `fit` wrote; `config.json` and `split.csv` in it are read.
        new_run_dir: Folder for the new record, or None.
        train: The training images, if they are no longer at the paths in `split.csv`.
        val: The validation images, likewise.
        weights: The weight file of the backbone, if the model was built from one and not from "imagenet".
        callbacks: New callbacks of the same types as in that run, which are not in the record.
        progress: Whether to show progress.

    Returns:
        The trained model and its record.

    Raises:
        TrainingError: If the folder holds no run, Keras runs on another backend now, the model was not made by
            `build_model`, building it again gives other initial weights, an optimizer, loss or schedule is of a class
            that is not registered with Keras, or images or callbacks are not those of that run.
        DatasetError: If images are gone.
        WeightsError: If weights cannot be found.

    Example:
        >>> model, run = rerun("runs/first")  # doctest: +SKIP
    """
    folder = Path(run_dir)
    config = read_config(folder)
    if config is None:
        raise TrainingError(f"There is no {folder / 'config.json'}: expected the run_dir of a call of fit.")
    if config.get("backend") != keras.backend.backend():
        raise TrainingError(
            f"The run in {folder} was trained with Keras on {config.get('backend')}; the backend is "
            f"{keras.backend.backend()} now, on which rounding and random numbers differ. Start Python with the "
            f"environment variable KERAS_BACKEND={config.get('backend')}."
        )
    if name_callbacks(callbacks) != config.get("callbacks", []):
        raise TrainingError(
            f"The run in {folder} had the callbacks {config.get('callbacks', [])}, which may have changed its weights; "
            f"found {name_callbacks(callbacks)}. Pass callbacks= of the same types, with the same settings."
        )
    known = config["model"].get("vectors_sha256")
    if known is not None and train is None:
        raise TrainingError(
            f"The run in {folder} was trained on vectors, which are not in the folder: pass the datasets with their "
            "vectors as train= and val=."
        )
    old_train, old_val = read_split(folder) if train is None else (train, None)
    train, val = old_train, val if val is not None else old_val
    if known is not None and known != hash_vectors(train, val):
        raise TrainingError(
            f"These are not the vectors of the run in {folder}. Pass its vectors, or call fit to train on others."
        )
    if found := data_differences(folder, train, val):
        raise TrainingError(
            f"These are not the images of the run in {folder}: " + "; ".join(found) + ". To train on others, call fit."
        )
    model = _rebuild(folder, config, weights)
    settings = settings_arguments(config["fit"])
    steps = settings["logging"].checkpoint_steps if new_run_dir is not None else None
    # The other files belong to the run that is repeated.
    settings |= {
        "run_dir": new_run_dir,
        "resume": False,
        "logging": Logging(checkpoint_steps=steps, progress=progress),
    }
    return model, fit(model, train, val, callbacks=callbacks, **settings)


def _rebuild(folder: Path, config: Mapping[str, Any], weights: str | os.PathLike[str] | None) -> keras.Model:
    known = config["model"]
    if known.get("backbone") is None:
        raise TrainingError(
            f"The model of {folder} was not made by build_model, so it cannot be built again from the record. Build "
            "it yourself and call fit with the settings under 'fit' in config.json."
        )
    label = known["weights"]
    if label not in (None, "imagenet") and weights is None:
        raise TrainingError(
            f"The backbone of {folder} was built from the weight file {label!r}: pass its path as weights=."
        )
    try:
        model = build_model(
            known["backbone"],
            classes=config["classes"],
            image_size=None if known["image_size"] is None else tuple(known["image_size"]),
            weights=label if weights is None else weights,
            head=known["head"],
            dropout=known["dropout"],
            seed=known["seed"],
            **known["backbone_options"],
        )
    except ModelError as error:
        raise TrainingError(f"The model of {folder} cannot be built again: {error}") from error
    if hash_weights(model) != known["weights_sha256"]:
        raise TrainingError(
            f"Building the model of {folder} again gives other initial weights: it was built without a seed, "
            "trained before, or from another weight file. Pass seed= to build_model for runs that can be repeated."
        )
    return model
