"""The nearest class mean as a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from typing_extensions import override

from breastcls.experiments.probe_splits import Probabilities, ProbeHead, ProbeSplit
from breastcls.features.class_means import ClassMeans


@dataclass(frozen=True, eq=False)
class ClassMeanHead(ProbeHead):
    """The nearest class mean after centring and scaling to length 1 (SimpleShot).

    Attributes:
        vectors: (n, d).
        class_count: Number of classes.
    """

    vectors: npt.NDArray[Any]
    class_count: int

    name = "nearest-mean"
    title = "nearest class mean"
    batch = 5

    @override
    def predict(self, splits: Sequence[ProbeSplit]) -> list[Probabilities]:
        found = []
        for split in splits:
            means = ClassMeans.fit(self.vectors[split.train], split.labels[split.train], self.class_count)
            found.append(means.probabilities(self.vectors[split.test]))
        return found
