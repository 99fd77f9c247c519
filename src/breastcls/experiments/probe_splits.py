"""The splits of a probe, training and test rows with some labels, and the base class of its classifiers."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ProbeSplit:
    """One training of a probe.

    Attributes:
        labels: Class indices of all rows, int64 (n,).
        train: The rows to fit on, int64.
        test: The rows to predict, int64.
    """

    labels: Integers
    train: Integers
    test: Integers


class ProbeHead(abc.ABC):
    """A classifier that is fitted on the vectors of an encoder.

    Attributes:
        name: The name that `probe` takes.
        title: The name in tables.
        batch: How many splits are best predicted at once.
    """

    name: str
    title: str
    batch: int = 1

    @abc.abstractmethod
    def predict(self, splits: Sequence[ProbeSplit]) -> list[Probabilities]:
        """Fit on the training rows of each split; return the probabilities of its test rows, (tests, classes)."""


def fold_splits(labels: Integers, parts: Integers) -> Iterator[ProbeSplit]:
    """Yield a split for each fold, from the fold that each row is tested in."""
    for fold in np.unique(parts):
        yield ProbeSplit(labels, np.flatnonzero(parts != fold), np.flatnonzero(parts == fold))


def predict_out_of_fold(head: ProbeHead, labels: Sequence[Integers], parts: Sequence[Integers]) -> list[Probabilities]:
    """Return the out-of-fold probabilities of several cross-validations of the same rows, each float32 (n, classes).

    Args:
        head: The classifier.
        labels: The labels of all rows in each cross-validation.
        parts: The fold of each row in each cross-validation.
    """
    splits = [list(fold_splits(*one)) for one in zip(labels, parts, strict=True)]
    fitted = iter(head.predict([split for one in splits for split in one]))
    found = []
    for one in splits:
        predicted = [next(fitted) for _ in one]
        whole = np.empty((len(one[0].labels), predicted[0].shape[1]), dtype=np.float32)
        for split, probabilities in zip(one, predicted, strict=True):
            whole[split.test] = probabilities
        found.append(whole)
    return found
