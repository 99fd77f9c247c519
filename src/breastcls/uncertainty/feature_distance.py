"""Mahalanobis distance of images to the training images in the features of a model.

The distance is that to the nearest class mean under one covariance for all classes: Lee, Lee, Lee & Shin 2018,
arXiv:1807.03888. With more channels than images a covariance cannot be inverted; it is shrunk towards a multiple of the
identity as Ledoit & Wolf 2004 have it, DOI 10.1016/S0047-259X(03)00096-4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.covariance import ledoit_wolf

from breastcls.errors import EvaluationError

Floats = npt.NDArray[np.float64]
# The covariance of more channels needs over half a gigabyte, and its inverse minutes.
MOST_CHANNELS = 8192


@dataclass(frozen=True, eq=False)
class FeatureDistance:
    """Class means and the covariance within classes, fitted on training images.

    Attributes:
        means: float64 (classes, channels), of the classes that are there.
        whitening: float64 (channels, channels), W with W W' the inverse of the covariance.
        shrinkage: How much of the covariance is a multiple of the identity, in 0..1.
    """

    means: Floats
    whitening: Floats
    shrinkage: float

    @classmethod
    def fit(cls, features: Any, labels: Any) -> FeatureDistance:
        """Fit on the features of training images.

        Args:
            features: (n, channels), or of more axes, which are flattened.
            labels: (n,) class indices.

        Raises:
            EvaluationError: If there are too many channels, the shapes disagree, or all images of each class are equal.

        Example:
            >>> features = np.array([[0.0, 0.0], [2.0, 0.0], [10.0, 1.0], [12.0, -1.0]])
            >>> near, far = FeatureDistance.fit(features, [0, 0, 1, 1])(np.array([[1.0, 0.0], [6.0, 9.0]]))
            >>> bool(near < far)
            True
        """
        rows = _flatten(features)
        of_rows = np.asarray(labels)
        if of_rows.shape != (len(rows),):
            raise EvaluationError(f"There are {len(rows)} features and labels of shape {of_rows.shape}.")
        if rows.shape[1] > MOST_CHANNELS:
            raise EvaluationError(
                f"The features have {rows.shape[1]} channels; a Mahalanobis distance is computed over at most "
                f'{MOST_CHANNELS}. Heads that pool ("linear", "mlp") have one for each channel of the backbone.'
            )
        present, codes = np.unique(of_rows, return_inverse=True)
        means = np.stack([rows[codes == index].mean(axis=0) for index in range(len(present))])
        within = rows - means[codes]
        if not within.any():
            raise EvaluationError(
                "All training images of each class have the same features: no distance can be computed."
            )
        covariance, shrinkage = ledoit_wolf(within, assume_centered=True)
        values, vectors = np.linalg.eigh(covariance)
        # Where the shrinkage is next to nothing, rounding may leave an eigenvalue at or below zero.
        values = np.maximum(values, values.max() * np.finfo(np.float64).eps * len(values))
        return cls(means=means, whitening=vectors / np.sqrt(values), shrinkage=float(shrinkage))

    def __call__(self, features: Any) -> Floats:
        """Return the squared distance to the nearest class mean, float64 (n,)."""
        rows = _flatten(features)
        white = rows @ self.whitening
        means = self.means @ self.whitening
        nearest = np.full(len(rows), np.inf)
        for mean in means:
            np.minimum(nearest, ((white - mean) ** 2).sum(axis=1), out=nearest)
        return nearest


def _flatten(features: Any) -> Floats:
    wide = np.asarray(features, dtype=np.float64)
    if wide.ndim < 2:
        raise EvaluationError(f"`features` has shape {wide.shape}; expected (images, channels).")
    return wide.reshape(len(wide), -1)
