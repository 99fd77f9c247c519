"""Every setting of a training in one immutable value: checked once, written as JSON, compared when a run goes on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from breastcls.augmentation.policy_registry import find_policy
from breastcls.errors import TrainingError
from breastcls.training.class_weights import ClassWeight
from breastcls.training.validation import SCORES

FineTune = bool | Literal["all", "last-stage"] | int
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "adagrad", "nadam", "lion")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
_NAMED: Mapping[str, tuple[Any, ...]] = {
    "optimizer": OPTIMIZERS,
    "schedule": ("constant", "cosine"),
    "loss": ("cross-entropy", "focal"),
    "head_solver": ("adam", "lbfgs"),
    "batch_norm": ("auto", "frozen", "train"),
    "precision": PRECISIONS,
    "sampling": (None, "class-balanced", "case-balanced"),
    "resize": (None, "stretch", "crop", "pad"),
    "monitor": (*SCORES, "loss", "accuracy"),
}
_COUNTS: Mapping[str, int] = {
    "epochs": 1,
    "batch_size": 1,
    "head_epochs": 1,
    "feature_views": 1,
    "patience": 1,
    "seed": 0,
    "checkpoint_steps": 1,
}
# What an exact fit of the head does not look at.
_OPTIMIZER_ONLY = (
    "optimizer", "schedule", "warmup_epochs", "weight_decay", "clip_norm", "loss", "label_smoothing", "sampling",
    "layer_decay", "fine_tune_rate",
)  # fmt: skip
# What may differ between a run and its continuation, since it changes no weight.
_FREE = ("progress", "run_dir", "resume", "tensorboard", "csv", "checkpoint_steps", "allow_leakage")


@dataclass(frozen=True)
class Settings:
    """The settings of `fit`; see there what each means.

    Raises:
        TrainingError: If one is not valid, or would have no effect beside another.
        RegistryError: If there is no such augmentation policy.
    """

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float | None = None
    loss: str = "cross-entropy"
    label_smoothing: float = 0.0
    fine_tune: FineTune = True
    head_epochs: int | None = None
    fine_tune_rate: float | None = None
    layer_decay: float = 1.0
    batch_norm: str = "auto"
    head_solver: str = "adam"
    feature_views: int | None = 4
    augment: str = "standard"
    sampling: str | None = None
    class_weight: ClassWeight = "balanced"
    resize: str | None = None
    stain: Mapping[str, Any] | None = None
    precision: str = "auto"
    monitor: str = "val_case_balanced_accuracy"
    patience: int | None = None
    seed: int = 0
    run_dir: str | None = None
    resume: bool = False
    checkpoint_steps: int | None = None
    strategy: str | None = None
    tensorboard: str | None = None
    csv: str | None = None
    allow_leakage: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        """Check every setting that can be checked without data."""
        for name, least in _COUNTS.items():
            _check_count(name, getattr(self, name), least)
        for name, known in _NAMED.items():
            if getattr(self, name) not in known:
                raise TrainingError(
                    f"{name} is {getattr(self, name)!r}; expected one of {', '.join(map(repr, known))}."
                )
        for name in ("learning_rate", "fine_tune_rate", "clip_norm"):
            _check_number(name, getattr(self, name), 0, float("inf"), "a positive number")
        _check_number("weight_decay", self.weight_decay, -1e-300, 1, "a number from 0 to below 1")
        _check_number("label_smoothing", self.label_smoothing, -1e-300, 1, "a number from 0 to below 1")
        _check_number("warmup_epochs", self.warmup_epochs, -1e-300, float("inf"), "a number from 0 on")
        _check_number("layer_decay", self.layer_decay, 0, 1 + 1e-12, "a number above 0, at most 1")
        tune = self.fine_tune
        number = isinstance(tune, int) and not isinstance(tune, bool) and tune >= 1
        if not (isinstance(tune, bool) or tune in ("all", "last-stage") or number):
            raise TrainingError(
                f"fine_tune must be True or 'all', False, 'last-stage' or a number of stages; found {tune!r}."
            )
        if not isinstance(self.augment, str):
            raise TrainingError(
                f"augment must be the name of a policy; found {self.augment!r}. Make a policy known by register_policy."
            )
        if tune is False and self.head_solver == "adam":
            # That batch normalisation stays frozen is what is done, so it may be said.
            learns = ("batch_norm",) if self.batch_norm == "train" else ()
            idle = ("head_epochs", "fine_tune_rate", "layer_decay", *learns)
            self._refuse_idle("fine_tune=False trains the head alone", idle)
        policy = find_policy(self.augment)
        if self.head_solver == "lbfgs":
            self._check_exact_head(mixes=policy.mixes)
        if self.checkpoint_steps is not None and self.run_dir is None:
            raise TrainingError("checkpoint_steps needs a folder to write to: pass run_dir=.")
        if self.resume and self.run_dir is None:
            raise TrainingError("resume=True needs the folder of the run to go on with: pass run_dir=.")
        if self.csv is not None and not str(self.csv).endswith(".csv"):
            raise TrainingError(f"csv={self.csv!r}: expected the name of a file that ends in .csv.")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Make settings from the arguments of `fit`, turning paths into text and numbers of NumPy into Python's."""
        plain = {name: _plain(value) for name, value in values.items()}
        if plain.get("augment", "") is None:
            plain["augment"] = "none"
        return cls(**plain)

    def to_dict(self) -> dict[str, Any]:
        """Return all settings as plain types, for JSON."""
        return {item.name: _plain(getattr(self, item.name)) for item in dataclasses.fields(self)}

    def _check_exact_head(self, *, mixes: bool) -> None:
        self._refuse_idle(
            "head_solver='lbfgs' fits the head exactly, in one epoch and without an optimizer",
            ("head_epochs", *(_OPTIMIZER_ONLY if self.fine_tune is False else ())),
            ", or pass head_solver='adam'",
        )
        if mixes and self.feature_views is not None:
            raise TrainingError(
                f"augment={self.augment!r} mixes images, which have no features of their own then. With "
                "head_solver='lbfgs' pass feature_views=None, which fits the head to the images as they are, or "
                "another policy."
            )

    def _refuse_idle(self, because: str, idle: Sequence[str], or_else: str = "") -> None:
        defaults = {item.name: item.default for item in dataclasses.fields(self)}
        given = [f"{name}={getattr(self, name)!r}" for name in idle if getattr(self, name) != defaults[name]]
        if given:
            raise TrainingError(f"{because}, so that {', '.join(given)} would have no effect. Leave that out{or_else}.")

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Say which settings differ from those of another run in what decides its weights.

        Args:
            other: The `to_dict` of the other.
        """
        mine = self.to_dict()
        return [
            f"{name}: {other.get(name)!r} there, {mine.get(name)!r} here"
            for name in mine
            if name not in _FREE and mine[name] != other.get(name)
        ]


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return value


def _check_count(name: str, value: Any, least: int) -> None:
    if value is None and name not in ("epochs", "batch_size", "seed"):
        return
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise TrainingError(f"{name} must be a whole number of at least {least}; found {value!r}.")


def _check_number(name: str, value: Any, above: float, below: float, expected: str) -> None:
    optional = name in ("fine_tune_rate", "clip_norm")
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not above < value < below:
        raise TrainingError(f"{name} must be {expected}; found {value!r}.")
