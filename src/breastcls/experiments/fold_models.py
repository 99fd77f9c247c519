"""What all protocols do before and around each of their trainings: check, build, give each its own places."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.errors import TrainingError
from breastcls.models.model_card import get_card, set_card
from breastcls.models.training_cases import drop_weight_dependent
from breastcls.models.weight_hash import hash_weights
from breastcls.predictions.independence import audit_test
from breastcls.predictions.test_time_augmentation import list_transforms
from breastcls.training.distribution.placement import strategy_name
from breastcls.training.fit import fit
from breastcls.training.fit_settings import FitSettings

# Arguments of `fit` that a protocol gives by itself.
_OWN = ("model", "train", "val", "seed", "run_dir", "resume", "progress", "allow_leakage")


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
    """Find what is wrong with the arguments of a protocol before anything is split, read or trained.

    Args:
        caller: Name of the protocol, for the messages.
        options: What it passes on to `fit`.
        val_fraction: Share to choose the best epoch by.
        seed: From which everything random follows.
        run_dir: Folder of the protocol.
        resume: Whether to go on with it.
        tta: Test-time augmentation.

    Raises:
        TrainingError: If one is not valid.
        EvaluationError: If `tta` is not known.
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
    if val_fraction == 0 and options.get("patience") is not None:
        raise TrainingError("patience needs validation images: pass val_fraction=, such as 0.15, or leave it out.")
    if strategy_name(options.get("strategy")) == "multi-worker":
        # Every machine would write the folders of all trainings.
        raise TrainingError(f"{caller} runs on one machine: pass strategy='mirrored' or none, or call fit for each.")
    checked = {name: value for name, value in options.items() if name not in ("stain", "strategy", "callbacks")}
    FitSettings.of({**checked, "seed": seed, "run_dir": run_dir, "resume": resume})


def check_build(build: Any, or_else: str = "") -> None:
    """See that `build` can give a new model for each training.

    Args:
        build: What was passed.
        or_else: What the protocol takes instead, for the message.

    Raises:
        TrainingError: If it cannot.
    """
    if not callable(build) or isinstance(build, keras.Model):
        raise TrainingError(
            f"build must be a function that makes an untrained model, such as lambda: build_model(...){or_else}; found "
            f"{type(build).__name__}. One model cannot be used: the second training would go on from what the first "
            "learnt."
        )


def options_of(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the options of one training, with log files of its own, since each training writes them whole.

    Args:
        options: Those of all trainings.
        name: Of this one, such as "fold-1".

    Example:
        >>> options_of({"logging": Logging(csv="curves.csv")}, "fold-1")["logging"].csv
        PosixPath('curves-fold-1.csv')
    """
    logging = options.get("logging")
    if logging is None:
        return dict(options)
    places: dict[str, Any] = {}
    if logging.tensorboard is not None:
        places["tensorboard"] = Path(logging.tensorboard) / name
    if logging.csv is not None:
        path = Path(logging.csv)
        places["csv"] = path.with_name(f"{path.stem}-{name}{path.suffix}")
    return {**options, "logging": dataclasses.replace(logging, **places)}


class FreshModels:
    """Gives a new model for each training, and sees that each begins where the first did.

    Args:
        build: Makes an untrained model.
        seed: From which its random draws follow.
        allow_leakage: Whether a model may have seen the test images before.
    """

    def __init__(self, build: Callable[[], keras.Model], seed: int, *, allow_leakage: bool = False) -> None:
        self._build, self._seed, self._allow_leakage = build, seed, allow_leakage
        self._first: str | None = None

    def make(self, test: Dataset) -> keras.Model:
        """Build a model that is going to be judged on some images.

        Raises:
            TrainingError: If it is no model, or begins with other weights than the ones before: part of it was made
                outside of `build`, and has been trained meanwhile.
            LeakageError: If its card says that it was trained on a case of the test images.
        """
        model = build_afresh(self._build, self._seed)
        weights = hash_weights(model)
        self._first = self._first or weights
        if weights != self._first:
            raise TrainingError(
                "build gave a model with other weights than the first time. Each training has to begin alike, or one "
                "goes on from what another learnt from its test images: let build make all of the model anew, the "
                "backbone too, and draw what is random from a fixed seed or from keras.random."
            )
        card = get_card(model)
        if card is not None:
            audit_test(test, card.provenance).raise_if_leaking(allowed=self._allow_leakage)
            # A threshold or calibration that build brings along was chosen for weights that are about to change.
            set_card(model, drop_weight_dependent(card))
        return model


def build_afresh(build: Callable[[], keras.Model], seed: int) -> keras.Model:
    """Build a model as in a new process: same names, same random draws, nothing of the training before."""
    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.utils.clear_session()
    # Clearing forgets what the caller set for all models.
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
