"""Options of `fit` on the images, the selected epoch, the devices and the files, each group an immutable value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from breastcls.argument_checks import check_choice, check_count
from breastcls.errors import TrainingError
from breastcls.models.engines.engine_registry import ENGINES
from breastcls.training.validation import SCORES

_Group = TypeVar("_Group")


@dataclass(frozen=True)
class Preprocessing:
    """How images are prepared for the model, in training, validation and prediction alike.

    Both options are recorded in the model card, so that `predict`, `evaluate` and `explain` prepare images in the same
    way.

    Args:
        resize: How images are brought to the size of the model: "stretch", "crop" or "pad". None is the method in the
            card, from an earlier training, or else "stretch".
        stain: A stain normalizer from `breastcls.stain.fit_normalizer`, its `to_dict()`, or the name of one, which is
            then fitted on the training images. None is the normalizer in the card, or no normalisation.

    Raises:
        TrainingError: If an argument is not valid.

    Example:
        >>> Preprocessing(resize="crop", stain="macenko")
        Preprocessing(resize='crop', stain='macenko')
    """

    resize: Literal["stretch", "crop", "pad"] | None = None
    stain: Any = None

    def __post_init__(self) -> None:
        check_choice("Preprocessing.resize", self.resize, (None, "stretch", "crop", "pad"), error=TrainingError)
        if not isinstance(self.stain, str | Mapping | None) and not callable(getattr(self.stain, "to_dict", None)):
            raise TrainingError(
                "Preprocessing.stain must be a normalizer from breastcls.stain.fit_normalizer, or the name of one; "
                f"found {self.stain!r}."
            )

    @classmethod
    def of(cls, value: Any) -> Preprocessing:
        """Return the options; None means the defaults.

        Raises:
            TrainingError: If it is neither a `Preprocessing` nor None.
        """
        return _group(cls, "preprocessing", value)


@dataclass(frozen=True)
class ModelSelection:
    """By which validation score the epoch is selected whose weights the model has after training.

    Args:
        monitor: The score; by default balanced accuracy over cases. Of equal scores the one with the smaller loss is
            better.
        patience: Early stopping: a phase ends after so many epochs without a better one. None never stops.

    Raises:
        TrainingError: If an argument is not valid.

    Example:
        >>> ModelSelection(patience=8)
        ModelSelection(monitor='val_case_balanced_accuracy', patience=8)
    """

    monitor: str = "val_case_balanced_accuracy"
    patience: int | None = None

    def __post_init__(self) -> None:
        check_choice("ModelSelection.monitor", self.monitor, (*SCORES, "loss", "accuracy"), error=TrainingError)
        check_count("ModelSelection.patience", self.patience, optional=True, error=TrainingError)

    @classmethod
    def of(cls, value: Any) -> ModelSelection:
        """Return the options that a short form, the name of a score, means; None means the defaults.

        Raises:
            TrainingError: If it is not valid.
        """
        return cls(monitor=value) if isinstance(value, str) else _group(cls, "selection", value)


@dataclass(frozen=True)
class Devices:
    """On which devices a model is trained, and in which numerical precision.

    Args:
        strategy: None for one device; "mirrored" for all GPUs of this machine; "multi-worker" for several machines,
            after `join_workers`; or a `tf.distribute` strategy. With Keras on JAX: None, "mirrored", or a
            `keras.distribution.DataParallel`. Losses and weights are those of one device, within rounding.
        precision: "float32", "bfloat16", "float16" (the latter two mixed: weights stay float32, and so do the scaling
            of images and the last layer), or "auto": bfloat16 on GPUs and on processors where it makes this backbone
            faster, else float32.
        engine: What computes the features of a frozen backbone, which are computed once: "keras", or "openvino" or
            "onnxruntime" in float32. Features of different engines differ in their last bits, and so do the weights
            that are learned from them: `rerun` uses the recorded engine, and `resume` requires it. The rest of a
            training runs in Keras.

    Raises:
        TrainingError: If the precision or the engine is not valid; `fit` checks the strategy.

    Example:
        >>> Devices("mirrored", precision="bfloat16")
        Devices(strategy='mirrored', precision='bfloat16', engine='keras')
    """

    strategy: Any = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    engine: str = "keras"

    def __post_init__(self) -> None:
        check_choice(
            "Devices.precision", self.precision, ("auto", "float32", "bfloat16", "float16"), error=TrainingError
        )
        # Not "auto": what is installed must not change what is learned.
        check_choice("Devices.engine", self.engine, ("keras", *ENGINES), error=TrainingError)

    @classmethod
    def of(cls, value: Any) -> Devices:
        """Return the options that a short form, a strategy or the name of one, means; None means the defaults."""
        return value if isinstance(value, cls) else cls(strategy=value)


@dataclass(frozen=True)
class Logging:
    """What is shown and written while a model is trained. None of it changes a weight.

    Args:
        csv: File for one row per epoch, over all phases, as in `history.csv`; written whole after each epoch.
        tensorboard: Folder for TensorBoard, which has to be installed.
        checkpoint_steps: With a `run_dir`, write a checkpoint also after so many steps within an epoch, and not only
            at its end.
        progress: Whether to show progress on standard error.

    Raises:
        TrainingError: If an argument is not valid.

    Example:
        >>> Logging(csv="curves.csv").tensorboard is None
        True
    """

    csv: str | os.PathLike[str] | None = None
    tensorboard: str | os.PathLike[str] | None = None
    checkpoint_steps: int | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        if self.csv is not None and not os.fspath(self.csv).endswith(".csv"):
            raise TrainingError(f"Logging.csv={self.csv!r}: expected the name of a file that ends in .csv.")
        check_count("Logging.checkpoint_steps", self.checkpoint_steps, optional=True, error=TrainingError)
        if not isinstance(self.progress, bool):
            raise TrainingError(f"Logging.progress must be True or False; found {self.progress!r}.")

    @classmethod
    def of(cls, value: Any) -> Logging:
        """Return the options; None means the defaults.

        Raises:
            TrainingError: If it is neither a `Logging` nor None.
        """
        return _group(cls, "logging", value)


def _group(kind: type[_Group], name: str, value: Any) -> _Group:
    """Return a group of options, the defaults for None.

    Raises:
        TrainingError: If the value is anything else.
    """
    if value is None:
        return kind()
    if isinstance(value, kind):
        return value
    raise TrainingError(f"{name} must be a breastcls.training.{kind.__name__} or None; found {value!r}.")
