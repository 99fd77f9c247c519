"""How images are aggregated: what one row is afterwards, and how several images become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from breastcls.errors import EvaluationError

Level = Literal["image", "slide", "case"]
Method = Literal["mean", "mean-logit", "majority", "maximum"]
MixedLabels = Literal["error", "last", "drop"]
LEVELS = get_args(Level)
METHODS = get_args(Method)


@dataclass(frozen=True)
class Aggregation:
    """How images are aggregated to slides or cases. Where one is expected, the level alone may be given as a string.

    Attributes:
        level: What one row is afterwards: "image" (nothing is aggregated), "slide" or "case".
        method: "mean" of the probabilities, "mean-logit" (mean of the log-probabilities, normalised), "majority"
            (share of the images predicted as each class; two classes: a tie is predicted as positive) or "maximum"
            (two classes: the highest probability of the positive class; more: the highest of each class, normalised).
            The values of the last two are no probabilities.
        mixed_labels: What to do with a slide or case whose images have several classes and which hence has no label of
            its own: raise an "error", use the "last" class among them (two classes: positive if any image is), or
            "drop" it.

    Raises:
        EvaluationError: If a value is not one of these.

    Example:
        >>> import breastcls as bc
        >>> some = bc.Predictions.from_arrays(
        ...     probabilities=[0.75, 0.5, 0.25], labels=[1, 1, 0], cases=["a", "a", "b"], classes=("no", "yes"))
        >>> some.aggregate(Aggregation("case", "maximum")).positive.tolist()
        [0.75, 0.25]
    """

    level: Level = "image"
    method: Method = "mean"
    mixed_labels: MixedLabels = "error"

    def __post_init__(self) -> None:
        for name, known in (("level", LEVELS), ("method", METHODS), ("mixed_labels", get_args(MixedLabels))):
            if getattr(self, name) not in known:
                raise EvaluationError(
                    f"`{name}` of the aggregation is {getattr(self, name)!r}; expected one of "
                    f"{', '.join(map(repr, known))}."
                )

    @classmethod
    def of(cls, aggregation: Aggregation | Level) -> Aggregation:
        """Return an aggregation as it is, and a level as the aggregation with that level.

        Raises:
            EvaluationError: If it is neither.

        Example:
            >>> Aggregation.of("case")
            Aggregation(level='case', method='mean', mixed_labels='error')
        """
        if isinstance(aggregation, Aggregation):
            return aggregation
        if aggregation not in LEVELS:
            raise EvaluationError(
                f"`aggregation` is {aggregation!r}; expected one of {', '.join(map(repr, LEVELS))}, or "
                '`Aggregation(level, method, mixed_labels)`, such as Aggregation("case", "mean").'
            )
        return cls(aggregation)
