"""Checks the arguments of an experiment before any training, and builds a new model for each training."""

from __future__ import annotations

import difflib
import inspect
import os
import random
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.errors import TrainingError
from breastcls.models.model_card import get_card, set_card
from breastcls.models.training_cases import drop_weight_dependent
from breastcls.models.weight_hash import fingerprint_weights, hash_weights
from breastcls.predictions.independence import audit_test
from breastcls.predictions.test_time_augmentation import list_transforms
from breastcls.training.fit import fit
from breastcls.training.fit_settings import FitSettings

# Arguments of `fit` that an experiment sets itself.
_OWN = ("model", "train", "val", "seed", "run_dir", "resume", "allow_leakage")


def check_trainings(
    caller: str,
    options: Mapping[str, Any],
    *,
    val_fraction: Any,
    seed: Any,
    run_dir: str | os.PathLike[str] | None,
    resume: bool,
    tta: str | None,
) -> None:
    """Check the arguments of an experiment before anything is split, read or trained.

    Args:
        caller: Name of the function that was called, for error messages.
        options: The arguments that it passes on to `fit`.
        val_fraction: Share of the training images that is used for validation.
        seed: Seed of all random draws.
        run_dir: Folder of the experiment.
        resume: Whether to continue what the folder holds.
        tta: Test-time augmentation.

    Raises:
        TrainingError: If an argument is not valid.
        EvaluationError: If there is no such test-time augmentation.
    """
    if isinstance(val_fraction, bool) or not isinstance(val_fraction, (int, float)) or not 0 <= val_fraction < 1:
        raise TrainingError(f"val_fraction must be a number from 0 to below 1; found {val_fraction!r}.")
    list_transforms(tta, (1, 1))
    known = [name for name in inspect.signature(fit).parameters if name not in _OWN]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f" Nearest: {', '.join(near)}." if near else f" It takes {', '.join(known)}."
            raise TrainingError(f"{caller} has no argument {name!r}, and fit takes none.{hint}")
    checked = {name: value for name, value in options.items() if name != "callbacks"}
    settings = FitSettings.of({**checked, "seed": seed, "run_dir": run_dir, "resume": resume})
    if val_fraction == 0 and settings.selection.patience is not None:
        raise TrainingError(
            "ModelSelection.patience needs validation images: pass val_fraction=, such as 0.15, or leave it out."
        )
    if settings.devices.strategy == "multi-worker":
        # Every machine would write to the folders of all trainings.
        raise TrainingError(f"{caller} runs on one machine: pass devices='mirrored' or none, or call fit for each.")


def check_build(build: Any, or_else: str = "") -> None:
    """Check that `build` can make a new model for each training.

    Args:
        build: The argument that was passed.
        or_else: What the experiment accepts instead, for the error message.

    Raises:
        TrainingError: If it is not a function, or is a model.
    """
    if not callable(build) or isinstance(build, keras.Model):
        raise TrainingError(
            f"build must be a function that makes an untrained model, such as lambda: build_model(...){or_else}; found "
            f"{type(build).__name__}. One model cannot be used: the second training would start from the weights of "
            "the first."
        )


class FreshModels:
    """Builds a new model for each training, and checks that all start from the same weights.

    Args:
        build: Makes an untrained model.
        seed: Seed of its random draws.
        allow_leakage: Whether a model may have been trained on cases of the test images before.
    """

    def __init__(self, build: Callable[[], keras.Model], seed: int, *, allow_leakage: bool = False) -> None:
        self._build, self._seed, self._allow_leakage = build, seed, allow_leakage
        self._first: str | None = None

    def make(self, test: Dataset) -> keras.Model:
        """Build a model that will be tested on some images.

        Raises:
            TrainingError: If it is no model, or starts from other weights than the models before: part of it was made
                outside of `build`, and has been trained meanwhile.
            LeakageError: If its card lists a case of the test images among its training cases.
        """
        model = build_new_model(self._build, self._seed)
        weights = hash_weights(model)
        self._first = self._first or weights
        if weights != self._first:
            raise TrainingError(
                "build returned a model with other weights than the first time. All trainings have to start from the "
                "same weights, or one continues from weights that were trained on its test images: let build make all "
                "of the model anew, the backbone too, and draw random values from a fixed seed or from keras.random."
            )
        card = get_card(model)
        if card is not None:
            audit_test(test, card.provenance).raise_if_leaking(allowed=self._allow_leakage)
            # A threshold or calibration in the card was chosen for weights that are about to change.
            set_card(model, drop_weight_dependent(card))
        return model


def build_new_model(build: Callable[[], keras.Model], seed: int) -> keras.Model:
    """Build a model as in a new process: same names, same random draws, no state of an earlier training."""
    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.utils.clear_session()
    # Clearing the session also resets what the caller set for all models.
    keras.config.set_dtype_policy(policy)
    keras.distribution.set_distribution(distribution)
    python_state, numpy_state = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        model = build()
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    if not isinstance(model, keras.Model):
        raise TrainingError(f"build must return a keras.Model; it returned {type(model).__name__}.")
    return model


def describe_model(model: keras.Model) -> dict[str, Any]:
    """Return what is the same in every fold: the card without what belongs to one training, parameters and weights."""
    card = get_card(model)
    described = {} if card is None else card.to_dict()
    for name in ("provenance", "training_history", "threshold", "temperature", "version", "schema"):
        described.pop(name, None)
    return {**described, "parameters": int(model.count_params()), "initial_weights": fingerprint_weights(model)}
