"""Training the head on features: what a frozen backbone gives for an image does not change, so it is computed once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.images.order import EpochOrder
from breastcls.images.pipeline import EpochCounter
from breastcls.models.anatomy import split_model
from breastcls.models.inference import run_batches


class FeatureBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of features in the order in which the pipeline would have given the images.

    Args:
        features: Shape (n, ...).
        labels: Class indices, shape (n,).
        order: The order of the epochs.
        counter: Tells which epoch it is.
    """

    def __init__(
        self, features: npt.NDArray[Any], labels: npt.NDArray[np.int64], order: EpochOrder, counter: EpochCounter
    ) -> None:
        super().__init__()
        self._features, self._labels, self._order, self._counter = features, labels, order, counter

    def __len__(self) -> int:
        return self._order.batches

    def __getitem__(self, number: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Return batch `number` of the current epoch."""
        rows = self._order.batch(self._order.rows(self._counter.value), number)
        return self._features[rows], self._labels[rows]


def compute_features(features: keras.Model, batches: Iterable[Any]) -> npt.NDArray[np.float32]:
    """Run the images of all batches through the frozen part, as it is at inference."""
    return np.concatenate(list(run_batches(features, (batch[0] for batch in batches))))


def split_frozen(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Split a model into its frozen part, ready to compute features, and its head; both share the model's weights."""
    features, head = split_model(model)
    # Without compiling, every batch would be run step by step; by XLA it would be slower on a processor.
    features.compile(jit_compile=False)
    return features, head
