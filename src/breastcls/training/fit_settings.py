"""Every setting of a training in one immutable value: checked once, written as JSON, compared when a run is resumed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np

from breastcls.argument_checks import check_choice, check_count
from breastcls.augmentation.policy import Policy
from breastcls.augmentation.policy_registry import find_policy
from breastcls.errors import TrainingError
from breastcls.relative_paths import without_folders
from breastcls.training.class_weights import ClassWeight
from breastcls.training.distribution.placement import strategy_name
from breastcls.training.fit_options import EpochSchedule, FineTune, FrozenHead, KerasSchedule, Rate, check_rate
from breastcls.training.keras_objects import object_from_dict, object_to_dict, unregistered_classes, without_names
from breastcls.training.optimizers import check_loss, check_optimizer, rate_of
from breastcls.training.run_options import Devices, Logging, ModelSelection, Preprocessing

DEFAULT_RATE = 1e-3
# What an exact fit of the head does not use.
_OPTIMIZER_ONLY = ("learning_rate", "optimizer", "loss", "sampling")
_GROUPS = FineTune | FrozenHead | Preprocessing | ModelSelection | Devices | Logging | EpochSchedule
_KINDS: Mapping[str, Any] = {
    "fine_tune": FineTune,
    "frozen_head": FrozenHead,
    "preprocessing": Preprocessing,
    "selection": ModelSelection,
    "devices": Devices,
    "logging": Logging,
}
_KERAS = keras.optimizers.Optimizer | keras.losses.Loss | KerasSchedule
# What may differ between a run and its continuation, since it changes no weight.
_FREE = ("run_dir", "resume", "logging", "allow_leakage")


@dataclass(frozen=True)
class FitSettings:
    """The settings of `fit`; see there what each means.

    Raises:
        TrainingError: If one is not valid, or would have no effect beside another.
        RegistryError: If there is no such augmentation policy.
    """

    epochs: int = 20
    batch_size: int = 32
    learning_rate: Rate | None = None
    optimizer: str | keras.optimizers.Optimizer = "adam"
    loss: str | keras.losses.Loss = "cross-entropy"
    fine_tune: FineTune | Literal[False] = field(default_factory=FineTune)
    frozen_head: FrozenHead = field(default_factory=FrozenHead)
    augment: str | Policy = "standard"
    sampling: str | None = None
    class_weight: ClassWeight = "balanced"
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    selection: ModelSelection = field(default_factory=ModelSelection)
    seed: int = 0
    run_dir: str | None = None
    resume: bool = False
    devices: Devices = field(default_factory=Devices)
    logging: Logging = field(default_factory=Logging)
    allow_leakage: bool = False

    def __post_init__(self) -> None:
        """Check every setting that can be checked without data."""
        check_count("epochs", self.epochs, error=TrainingError)
        check_count("batch_size", self.batch_size, error=TrainingError)
        check_count("seed", self.seed, 0, error=TrainingError)
        check_rate("learning_rate", self.learning_rate)
        check_optimizer(self.optimizer)
        check_loss(self.loss)
        check_choice("sampling", self.sampling, (None, "class-balanced", "case-balanced"), error=TrainingError)
        if not isinstance(self.augment, str | Policy):
            raise TrainingError(
                f"augment must be the name of a policy or a breastcls.augmentation.Policy; found {self.augment!r}."
            )
        mixes = find_policy(self.augment).mixes
        if self.frozen_head.solver == "lbfgs":
            self._check_exact_head(mixes=mixes)
        if self.fine_tune is not False and self.fine_tune.lora_rank is not None and self.devices.strategy is not None:
            raise TrainingError(
                f"FineTune.lora_rank works on one device; found strategy={self.devices.strategy!r}. Leave the strategy "
                "out, or lora_rank."
            )
        if self.logging.checkpoint_steps is not None and self.run_dir is None:
            raise TrainingError("Logging.checkpoint_steps needs a folder to write to: pass run_dir=.")
        if self.resume and self.run_dir is None:
            raise TrainingError("resume=True needs the folder of the run to resume: pass run_dir=.")
        if self.run_dir is not None:
            self._check_recordable()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> FitSettings:
        """Make settings from the arguments of `fit`: short forms written out, numbers of NumPy as those of Python.

        A strategy is recorded by its name, and a stain normalizer as None until its fitted values are known.
        """
        given = {name: _json_value(value) for name, value in values.items()}
        if given.get("augment", "") is None:
            given["augment"] = "none"
        for name, kind in _KINDS.items():
            if name in given:
                given[name] = kind.of(given[name])
        if "devices" in given:
            strategy = strategy_name(given["devices"].strategy)
            given["devices"] = dataclasses.replace(given["devices"], strategy=strategy)
        if "preprocessing" in given and not isinstance(given["preprocessing"].stain, Mapping):
            given["preprocessing"] = dataclasses.replace(given["preprocessing"], stain=None)
        return cls(**given)

    @property
    def rate(self) -> Rate:
        """The learning rate of the first phase."""
        if self.learning_rate is not None:
            return self.learning_rate
        return DEFAULT_RATE if isinstance(self.optimizer, str) else rate_of(self.optimizer)

    def to_dict(self) -> dict[str, Any]:
        """Return all settings as JSON types, the default learning rate of a named optimizer as a number.

        Of absolute paths, which decide no weight, the last part is kept: records and model files are passed on.
        """
        values = {item.name: setting_to_json(getattr(self, item.name)) for item in dataclasses.fields(self)}
        used = self.fine_tune is not False or self.frozen_head.solver == "optimizer"
        if self.learning_rate is None and isinstance(self.optimizer, str) and used:
            values["learning_rate"] = DEFAULT_RATE
        recorded: dict[str, Any] = without_folders(values)
        return recorded

    def _check_exact_head(self, *, mixes: bool) -> None:
        tune = self.fine_tune
        idle = [] if tune is False or tune.head_epochs is None else [f"FineTune(head_epochs={tune.head_epochs})"]
        if tune is False:
            defaults = {item.name: item.default for item in dataclasses.fields(self)}
            idle += [f"{name}={getattr(self, name)!r}" for name in _OPTIMIZER_ONLY if self._differs(name, defaults)]
        if idle:
            raise TrainingError(
                "FrozenHead(solver='lbfgs') fits the head exactly, in one epoch and without an optimizer, so that "
                f"{', '.join(idle)} would have no effect. Leave it out, or use solver='optimizer'."
            )
        if mixes and self.frozen_head.feature_versions is not None:
            raise TrainingError(
                f"augment={find_policy(self.augment).name!r} mixes images, so that an image has no features of its "
                "own. Pass frozen_head=FrozenHead(solver='lbfgs', feature_versions=None), which fits the head to "
                "unaugmented images, or another policy."
            )

    def _differs(self, name: str, defaults: Mapping[str, Any]) -> bool:
        value = getattr(self, name)
        return not isinstance(value, str | float | int | None) or bool(value != defaults[name])

    def _check_recordable(self) -> None:
        """Refuse what `rerun` and `resume` could not make again."""
        for name in ("optimizer", "loss", "learning_rate", "fine_tune"):
            if classes := unregistered_classes(setting_to_json(getattr(self, name))):
                raise TrainingError(
                    f"{name} uses {', '.join(classes)}, which Keras cannot make again from a record, so that the run "
                    "in run_dir could not be repeated. Decorate the class with "
                    "@keras.saving.register_keras_serializable() and give it a get_config, or leave run_dir out."
                )


def settings_arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `fit` from what `FitSettings.to_dict` returned.

    Raises:
        TrainingError: If an object cannot be made again.
    """
    try:
        return _make_arguments(values)
    except (TypeError, KeyError, AttributeError) as error:
        raise TrainingError(f"The recorded settings of the run are damaged ({error}). Start a new run.") from error


def _make_arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    arguments = dict(values)
    for name in ("optimizer", "loss", "learning_rate"):
        arguments[name] = _from_json(arguments[name])
    tune = arguments["fine_tune"]
    if tune:
        arguments["fine_tune"] = FineTune(**{**tune, "learning_rate": _from_json(tune["learning_rate"])})
    for name, kind in _KINDS.items():
        if name != "fine_tune":
            arguments[name] = kind(**arguments[name])
    if isinstance(arguments["augment"], Mapping):
        arguments["augment"] = Policy(**arguments["augment"])
    return arguments


def setting_differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Return which settings that decide the weights differ between two runs, as text.

    Args:
        here: The settings now, from `FitSettings.to_dict`.
        there: Those of the other run.
    """
    mine, other = deciding_settings(here), deciding_settings(there)
    return [f"{name}: {there.get(name)!r} there, {here[name]!r} here" for name in mine if mine[name] != other.get(name)]


def deciding_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide which weights come out."""
    return {name: without_names(value) for name, value in values.items() if name not in _FREE}


def _json_value(value: Any) -> Any:
    """Return paths as text, and numbers of NumPy as those of Python."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {name: _json_value(part) for name, part in value.items()}
    return value


def is_fit_option(value: Any) -> bool:
    """Return whether a value is an object that is an argument of `fit`, such as an optimizer or a `FineTune`."""
    return isinstance(value, _GROUPS | Policy | _KERAS)


def setting_to_json(value: Any) -> Any:
    """Return one setting as JSON types."""
    if isinstance(value, _GROUPS):
        return {item.name: setting_to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Policy):
        return value.to_dict()
    if isinstance(value, _KERAS):
        return object_to_dict(value)
    return _json_value(value)


def _from_json(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return object_from_dict(value) if "class_name" in value else EpochSchedule(**value)
