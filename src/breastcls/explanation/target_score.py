"""Targets of an explanation other than the score of one class: a difference of two classes, or a function of scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError


@dataclass(frozen=True)
class ClassDifference:
    """The score of one class minus that of another: the evidence for the first class and against the second.

    The difference of two logits is the log-odds of the two classes, and does not depend on any other class.

    Attributes:
        positive: Name or index of the class whose evidence is positive.
        negative: Name or index of the class whose evidence is negative.

    Example:
        >>> ClassDifference("ductal", "lobular")
        ClassDifference(positive='ductal', negative='lobular')
    """

    positive: int | str
    negative: int | str


@dataclass(frozen=True, eq=False)
class TargetScore:
    """What is explained where it is not the score of one class.

    Attributes:
        text: Its name, for captions: `"ductal - lobular"`.
        function: `function(scores)` returns a tensor (n,) of class scores (n, classes), both of the backend.
        name: The name under which compiled functions are kept with the model; None for a function of the caller, which
            are not kept.
        is_difference: Whether it is a difference of two class scores.
    """

    text: str
    function: Callable[[Any], Any]
    name: str | None = None
    is_difference: bool = False


def subtract_classes(positive: int, negative: int, classes: tuple[str, ...]) -> TargetScore:
    """Return the difference of two class scores as a target."""
    return TargetScore(
        text=f"{classes[positive]} - {classes[negative]}",
        function=lambda scores: scores[:, positive] - scores[:, negative],
        name=f"class {positive} - {negative}",
        is_difference=True,
    )


def open_target(scored: Any, explanation: Any) -> tuple[Any, np.ndarray]:
    """Return the model whose class is the target of some heat-maps, and that class for each image, int64 (n,).

    Args:
        scored: The `ScoredModel` or `ForwardModel` of the model that was explained.
        explanation: The result of `explain`.

    Raises:
        ExplanationError: If the heat-maps are of a function of the scores that is not known any more.
    """
    if not explanation.target_score:
        return scored, np.asarray(explanation.targets)
    target = explanation.reference.target
    if target is None:
        raise ExplanationError(
            f"The heat-maps are of {explanation.target_score!r}, a function that a pickle does not keep. Explain the "
            "images again."
        )
    return TargetedModel(scored, target), np.zeros(len(explanation), np.int64)


class TargetedModel:
    """A `ScoredModel` or `ForwardModel` with the target as its only class, so that methods explain it like a class.

    Its scores are float32 (n, 1), and targets are zeros. Its probabilities, which Score-CAM and RISE use as weights,
    are for a difference the probability of the positive class of the two, and for a function its values.
    """

    def __init__(self, scored: Any, target: TargetScore) -> None:
        self._scored, self._target = scored, target
        self._compiled: dict[str, Callable[..., Any]] = {}

    @property
    def has_probabilities(self) -> bool:
        """Whether its probabilities are between 0 and 1: those of a function of the scores may be any values."""
        return self._target.is_difference

    def __getattr__(self, name: str) -> Any:
        # Asked for by `copy` before there are attributes.
        if name in ("_scored", "_target", "_compiled"):
            raise AttributeError(name)
        return getattr(self._scored, name)

    def score_tensor(self, images: Any, *arguments: Any, **keywords: Any) -> Any:
        """Return the values of the target for one batch as a backend tensor, float32 (n, 1)."""
        return self._apply(self._scored.score_tensor(images, *arguments, **keywords))

    def traced(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the compiled function of this target that is kept under a name."""
        if self._target.name is not None:
            compiled: Callable[..., Any] = self._scored.traced(f"{name} of {self._target.name}", function)
            return compiled
        if name not in self._compiled:
            self._compiled[name] = self._scored.compile(function)
        return self._compiled[name]

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Return the values of the target, float32 (n, 1)."""
        values = self._apply(keras.ops.convert_to_tensor(self._scored.scores(images)))
        return np.asarray(keras.ops.convert_to_numpy(values), dtype=np.float32)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the weights of methods that use probabilities as weights, float32 (n, 1)."""
        return self.probabilities_of(self.scores(images))

    def probabilities_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the weights that belong to values of the target, both float32 (n, 1)."""
        if not self._target.is_difference:
            return scores
        return np.asarray(1.0 / (1.0 + np.exp(-scores.astype(np.float64))), dtype=np.float32)

    def _apply(self, scores: Any) -> Any:
        return keras.ops.cast(keras.ops.expand_dims(_call(self._target, scores), -1), "float32")


def check_target(target: TargetScore, classes: int) -> None:
    """Raise an `ExplanationError` if a function of the class scores does not return one value for each image alone.

    Args:
        target: The target.
        classes: The number of classes.
    """
    scores = np.random.default_rng(0).normal(size=(3, classes)).astype(np.float32)
    together, alone = (
        [keras.ops.convert_to_numpy(_call(target, keras.ops.convert_to_tensor(part))) for part in parts]
        for parts in ([scores], [scores[number : number + 1] for number in range(3)])
    )
    if not np.allclose(together[0], np.concatenate(alone), rtol=1e-3, atol=1e-4, equal_nan=True):
        raise ExplanationError(
            f"The function {target.text!r} returns another value for an image when other images are in the batch; "
            "expected one value for each image, from its own class scores alone."
        )


def _call(target: TargetScore, scores: Any) -> Any:
    try:
        values = target.function(scores)
    # A function of the caller may fail in any way, also in one of the backend.
    except Exception as error:
        raise ExplanationError(
            f"The function {target.text!r} failed on scores of {scores.shape[-1]} classes: {error}. It takes a tensor "
            "float32 (n, classes) of the backend and returns one value per image; compute with keras.ops."
        ) from error
    shape = tuple(getattr(values, "shape", ()))
    # While a function is traced the number of images is None on both sides.
    if shape != tuple(scores.shape[:1]):
        raise ExplanationError(
            f"The function {target.text!r} of the class scores returned the shape {shape}; expected "
            f"{tuple(scores.shape[:1])}, one value per image."
        )
    return values
