"""The nearest class mean of centred vectors of length 1 (SimpleShot, Wang et al. 2019, arXiv 1911.04623)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from breastcls.features.shared_features import row_blocks

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassMeans:
    """The means of classes, of vectors that were centred and scaled to length 1 ("CL2N" in the paper).

    Attributes:
        centre: The mean of the training vectors, float64 (d,).
        means: The mean of each class after centring and scaling, float64 (classes, d).

    Example:
        >>> vectors = np.array([[0.0, 1.0], [0.2, 1.0], [1.0, 0.0], [1.0, 0.2]])
        >>> found = ClassMeans.fit(vectors, np.array([0, 0, 1, 1]), class_count=2)
        >>> found.probabilities(np.array([[0.1, 3.0], [3.0, 0.1]])).argmax(axis=1).tolist()
        [0, 1]
    """

    centre: Matrix
    means: Matrix

    @classmethod
    def fit(cls, vectors: npt.NDArray[Any], labels: npt.NDArray[np.int64], class_count: int) -> ClassMeans:
        """Compute the means of vectors (n, d) with labels (n,), each class at least once."""
        blocks = list(row_blocks(*vectors.shape))
        centre = np.sum([vectors[block].sum(axis=0, dtype=np.float64) for block in blocks], axis=0) / len(vectors)
        sums = np.zeros((class_count, vectors.shape[1]))
        for block in blocks:
            # One row per class: 1 where the row has its label.
            members = (labels[block] == np.arange(class_count)[:, None]).astype(np.float64)
            sums += members @ _scaled(vectors[block], centre)
        return cls(centre, sums / np.bincount(labels, minlength=class_count)[:, None])

    def probabilities(self, vectors: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the softmax of minus the squared distances to the means, float32 (n, classes).

        The paper predicts the class of the nearest mean, which has the highest of these values. The values rank images,
        and are not calibrated.
        """
        found = np.empty((len(vectors), len(self.means)), dtype=np.float32)
        for block in row_blocks(*vectors.shape):
            scaled = _scaled(vectors[block], self.centre)
            products = scaled @ self.means.T
            found[block] = softmax(2 * products - (self.means**2).sum(axis=1), axis=1)
        return found


def _scaled(vectors: npt.NDArray[Any], centre: Matrix) -> Matrix:
    shifted = vectors - centre
    lengths = np.linalg.norm(shifted, axis=1, keepdims=True)
    return np.asarray(shifted / np.where(lengths > 0, lengths, 1.0))
