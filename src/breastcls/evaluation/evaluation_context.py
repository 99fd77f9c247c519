"""What the sections of an evaluation are computed from."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions

Result = TypeVar("Result")


class Need(enum.Enum):
    """What a section may need in addition to the predictions, in words for messages."""

    TWO_CLASSES = "two classes, with images of both"
    CASES = "known cases"
    TEST_IMAGES = "the test images"
    TRAINING_SET = "the training set and the test images"
    MODEL = "a model and its test images"
    OOD_IMAGES = "out-of-distribution images, given as `ood`"
    SEVERAL_LEVELS = "more than one level (image, slide, case)"


NEEDS_OF_IMAGES = (Need.TEST_IMAGES, Need.TRAINING_SET, Need.MODEL)
"""What cannot be met by vectors without image files."""


@dataclass(frozen=True, eq=False)
class EvaluationContext:
    """The predictions, data and settings of one call of `evaluate`.

    Attributes:
        predictions: As given or as the model made them, with the threshold that applies; by image, in general.
        scored: The same at the level that is scored.
        counts: Numbers of the scored images, slides and cases, and of the images and cases of each class.
        bootstrap: How confidence intervals are computed.
        aggregation: How images are aggregated to slides or cases.
        source: The model, the path of its file, or predictions: the first argument of `evaluate`.
        provenance: What the model's card records of training, threshold, calibration and prediction sets.
        threshold: Where the decision threshold comes from: `value`, `origin`, ...; None where none was chosen.
        test: The test images, if given.
        train: The training images, if given.
        ood: Out-of-distribution images or their predictions, if given.
        prevalences: Prevalences at which predictive values are given.
        subgroups: Names of the columns whose groups are scored.
        prediction_options: `tta`, `batch_size` and `allow_leakage`, for sections that run the model again.
        values: The values of the sections computed so far, by name.
    """

    predictions: Predictions
    scored: Predictions
    counts: Mapping[str, Any]
    bootstrap: Bootstrap
    aggregation: Aggregation
    source: Any = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    threshold: Mapping[str, Any] | None = None
    test: Dataset | None = None
    train: Dataset | None = None
    ood: Dataset | Predictions | None = None
    prevalences: Sequence[float] = ()
    subgroups: Sequence[str] = ()
    prediction_options: Mapping[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    _shared: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def statistics(self) -> CaseStatistics:
        """The sufficient statistics of each case, which resampling works on."""
        return self.compute_once("statistics", lambda: CaseStatistics.of(self.scored))

    def has(self, need: Need) -> bool:
        """Return whether a need of a section is met."""
        if need is Need.TWO_CLASSES:
            return len(self.scored.classes) == 2 and len(np.unique(self.scored.labels)) == 2
        if need is Need.SEVERAL_LEVELS:
            return self.predictions.cases is not None or self.predictions.slides is not None
        if need in NEEDS_OF_IMAGES and self.lacks_images:
            return False
        given = {
            Need.CASES: self.predictions.cases,
            Need.TEST_IMAGES: self.test,
            Need.TRAINING_SET: None if self.train is None else self.test,
            Need.MODEL: None if isinstance(self.source, Predictions) else self.test,
            Need.OOD_IMAGES: self.ood,
        }
        return given[need] is not None

    @property
    def lacks_images(self) -> bool:
        """Whether the test or the training set has vectors without image files."""
        return any(data is not None and not data.has_images for data in (self.test, self.train))

    def compute_once(self, key: str, compute: Callable[[], Result]) -> Result:
        """Return what `compute` returns, and the same again for the same key: sections may share a computation.

        Args:
            key: The name of the computation.
            compute: A function without arguments; called for the first section that asks for the key.
        """
        if key not in self._shared:
            self._shared[key] = compute()
        found: Result = self._shared[key]
        return found
