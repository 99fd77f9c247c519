"""Options of `fit` on the learning rate, fine-tuning and the head, each group an immutable value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import keras

from breastcls.argument_checks import check_choice, check_count, check_number, is_count
from breastcls.errors import TrainingError

KerasSchedule = keras.optimizers.schedules.LearningRateSchedule


@dataclass(frozen=True)
class EpochSchedule:
    """A learning rate whose course follows from the number of epochs of each training phase.

    The schedules of Keras count steps, whose number depends on the images and the batch size, and have no
    phases. This schedule begins and ends with each phase.

    Args:
        peak: The highest learning rate, above 0.
        decay: "constant", or "cosine": from the peak to zero along half a cosine (Loshchilov and Hutter 2017,
            DOI 10.48550/arXiv.1608.03983).
        warmup_epochs: Epochs at the start of each phase over which the rate rises linearly to its peak; a fraction of
            an epoch is allowed.

    Raises:
        TrainingError: If an argument is not valid.

    Example:
        >>> EpochSchedule(peak=3e-4, decay="cosine", warmup_epochs=1)
        EpochSchedule(peak=0.0003, decay='cosine', warmup_epochs=1)
    """

    peak: float = 1e-3
    decay: Literal["constant", "cosine"] = "constant"
    warmup_epochs: float = 0.0

    def __post_init__(self) -> None:
        check_number("EpochSchedule.peak", self.peak, "a positive number", above=0, error=TrainingError)
        check_choice("EpochSchedule.decay", self.decay, ("constant", "cosine"), error=TrainingError)
        check_number(
            "EpochSchedule.warmup_epochs", self.warmup_epochs, "a number of at least 0", least=0, error=TrainingError
        )


Rate: TypeAlias = float | EpochSchedule | keras.optimizers.schedules.LearningRateSchedule


@dataclass(frozen=True)
class FineTune:
    """How a pretrained backbone is trained after the new head was trained alone.

    Args:
        depth: "auto", "all", "last-stage", or a number of last stages. "all" trains the whole backbone; "auto" does
            the same, but trains a backbone with random weights together with its head from the first epoch.
        head_epochs: How many of the epochs the head is trained alone; by default a third, at least one.
        learning_rate: The learning rate while fine-tuning: a number, an `EpochSchedule` or a Keras schedule. By
            default a tenth of the rate of the first phase; a Keras schedule of the first phase is used again from its
            step 0, unscaled. A number beside an `EpochSchedule` of the first phase is the peak of the same schedule.
        layer_decay: Each stage of the backbone is trained at this share of the rate of the stage above it, such as
            0.7 (discriminative fine-tuning, Howard and Ruder 2018, DOI 10.18653/v1/P18-1031); 1 for one rate.
        batch_norm: "frozen", "train", or "auto": frozen in pretrained backbones, trained in others.
        lora_rank: Instead of the weights of the backbone, adapters of this rank are trained in fine-tuning (LoRA, Hu et
            al. 2022, DOI 10.48550/arXiv.2106.09685), in the dense layers and convolutions of the stages that `depth`
            selects. They are added to the weights at the end. None trains the weights themselves.
        lora_alpha: Factor of the adapters, times their rank; None for the rank.

    Raises:
        TrainingError: If an argument is not valid.

    Example:
        >>> FineTune(depth="last-stage", head_epochs=5).layer_decay
        1.0
    """

    depth: Literal["auto", "all", "last-stage"] | int = "auto"
    head_epochs: int | None = None
    learning_rate: Rate | None = None
    layer_decay: float = 1.0
    batch_norm: Literal["auto", "frozen", "train"] = "auto"
    lora_rank: int | None = None
    lora_alpha: float | None = None

    def __post_init__(self) -> None:
        if not (self.depth in ("auto", "all", "last-stage") if isinstance(self.depth, str) else is_count(self.depth)):
            raise TrainingError(
                "FineTune.depth must be 'auto', 'all', 'last-stage' or a number of stages of at least 1; found "
                f"{self.depth!r}."
            )
        check_count("FineTune.head_epochs", self.head_epochs, optional=True, error=TrainingError)
        check_rate("FineTune.learning_rate", self.learning_rate)
        check_number(
            "FineTune.layer_decay",
            self.layer_decay,
            "a number above 0, at most 1",
            above=0,
            most=1,
            error=TrainingError,
        )
        check_choice("FineTune.batch_norm", self.batch_norm, ("auto", "frozen", "train"), error=TrainingError)
        check_count("FineTune.lora_rank", self.lora_rank, optional=True, error=TrainingError)
        if self.lora_alpha is not None:
            check_number("FineTune.lora_alpha", self.lora_alpha, "a number above 0", above=0, error=TrainingError)
            if self.lora_rank is None:
                raise TrainingError(
                    f"FineTune.lora_alpha={self.lora_alpha:g} has no effect without lora_rank. Pass lora_rank, such as "
                    "8, or leave lora_alpha out."
                )

    @classmethod
    def of(cls, value: Any) -> FineTune | Literal[False]:
        """Return the options that a short form means: True, "all", "last-stage" or a number of stages.

        Args:
            value: A short form, a `FineTune`, or False for training the head alone.

        Raises:
            TrainingError: If it is none of these.
        """
        if value is False or isinstance(value, cls):
            return value
        if value is True:
            return cls()
        if value == "all" or value == "last-stage":
            return cls(depth=value)
        if is_count(value):
            return cls(depth=int(value))
        raise TrainingError(
            "fine_tune must be True or 'all', False, 'last-stage', a number of stages or a "
            f"breastcls.training.FineTune; found {value!r}."
        )


@dataclass(frozen=True)
class FrozenHead:
    """How the head is trained while the backbone is frozen.

    Args:
        solver: "optimizer", or "lbfgs": the head, a single dense layer, is fitted exactly as a logistic regression
            whose penalty is chosen by cross-validation over cases, in seconds and one epoch.
        feature_versions: With augmentation, how many augmented versions of each image are passed through the frozen
            backbone, once; each epoch uses one of them, drawn anew. None augments anew in every epoch, so that the
            backbone computes in every epoch too; with "lbfgs" the images are then used unaugmented.

    Raises:
        TrainingError: If an argument is not valid.

    Example:
        >>> FrozenHead(solver="lbfgs").feature_versions
        4
    """

    solver: Literal["optimizer", "lbfgs"] = "optimizer"
    feature_versions: int | None = 4

    def __post_init__(self) -> None:
        check_choice("FrozenHead.solver", self.solver, ("optimizer", "lbfgs"), error=TrainingError)
        check_count("FrozenHead.feature_versions", self.feature_versions, optional=True, error=TrainingError)

    @classmethod
    def of(cls, value: Any) -> FrozenHead:
        """Return the options that a short form, the name of a solver, means.

        Raises:
            TrainingError: If it is neither a solver nor a `FrozenHead`.
        """
        if isinstance(value, cls):
            return value
        if value in ("optimizer", "lbfgs"):
            return cls(solver=value)
        raise TrainingError(
            f"frozen_head must be 'optimizer', 'lbfgs' or a breastcls.training.FrozenHead; found {value!r}."
        )


def check_rate(name: str, value: Any) -> None:
    """Raise a TrainingError unless a value is a learning rate, or None."""
    if value is None or isinstance(value, EpochSchedule | KerasSchedule):
        return
    expected = "a positive number, a breastcls.training.EpochSchedule or a Keras learning-rate schedule"
    check_number(name, value, expected, above=0, error=TrainingError)
