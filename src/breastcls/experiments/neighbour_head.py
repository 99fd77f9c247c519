"""The nearest neighbours as a probe."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.experiments.probe_splits import Integers, Probabilities, ProbeHead, ProbeSplit
from breastcls.features.nearest_neighbours import Distance, find_neighbours

# Up to so many vectors the order of all neighbours of each is kept where there are many splits.
_MOST_ORDERED = 8192
_FEW_SPLITS = 10
_FIRST_LOOK = 16


@dataclass(frozen=True, eq=False)
class NeighbourHead(ProbeHead):
    """The share of each class among the k nearest training images.

    Attributes:
        vectors: (n, d).
        class_count: Number of classes.
        neighbours: k; fewer where a training part has fewer images.
        distance: "cosine" or "euclidean".
    """

    vectors: npt.NDArray[Any]
    class_count: int
    neighbours: int
    distance: Distance

    name = "knn"
    batch = 5

    @property
    def title(self) -> str:  # type: ignore[override]
        """The name in tables."""
        return f"{self.neighbours} nearest neighbours"

    @override
    def predict(self, splits: Sequence[ProbeSplit]) -> list[Probabilities]:
        # Neighbours do not depend on labels: with many splits their order is found once.
        ordered = len(self.vectors) <= _MOST_ORDERED and (len(splits) > _FEW_SPLITS or "_order" in self.__dict__)
        choose = self._from_order if ordered else self._from_search
        return [self._vote(split, choose(split)) for split in splits]

    def _from_search(self, split: ProbeSplit) -> Integers:
        count = min(self.neighbours, len(split.train))
        near = find_neighbours(
            self.vectors[split.train],
            self.vectors[split.test],
            count,
            distance=self.distance,
            threads=os.cpu_count() or 1,
        )
        return split.train[near.rows]

    @functools.cached_property
    def _order(self) -> npt.NDArray[np.int32]:
        """All vectors by their distance from each, int32 (n, n)."""
        near = find_neighbours(self.vectors, self.vectors, len(self.vectors), distance=self.distance)
        return near.rows.astype(np.int32)

    def _from_order(self, split: ProbeSplit) -> Integers:
        count = min(self.neighbours, len(split.train))
        allowed = np.zeros(len(self.vectors), dtype=bool)
        allowed[split.train] = True
        chosen = np.empty((len(split.test), count), dtype=np.int64)
        rest = np.arange(len(split.test))
        width = min(len(self.vectors), _FIRST_LOOK * count)
        while len(rest):
            order = self._order[split.test[rest], :width]
            usable = allowed[order]
            rank = usable.cumsum(axis=1)
            enough = rank[:, -1] >= count
            taken = usable[enough] & (rank[enough] <= count)
            chosen[rest[enough]] = order[enough][taken].reshape(-1, count)
            rest, width = rest[~enough], len(self.vectors)
        return chosen

    def _vote(self, split: ProbeSplit, chosen: Integers) -> Probabilities:
        labels = split.labels[chosen]
        votes = [(labels == index).mean(axis=1) for index in range(self.class_count)]
        return np.stack(votes, axis=1).astype(np.float32)
