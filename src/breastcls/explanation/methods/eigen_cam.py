"""Eigen-CAM: the first principal component of a feature map, for no class in particular."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.branch_sum import sum_branches
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def eigen_cam(scored: ScoredModel, images: np.ndarray, targets: np.ndarray, *, layer: str | None = None) -> Attribution:
    """Project each position of a feature map onto the first right singular vector of the positions x channels matrix.

    The map shows where the features of the network are strong, in the direction in which they are strongest. It is the
    same for every class, and neither scores nor gradients are needed. As in the paper the features are not centred. A
    singular vector has no sign; that with the larger sum over positions is used.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices; the map does not depend on them.
        layer: The layer whose feature map is used; None selects it, see `ScoredModel.feature_maps`. The maps of several
            branches are summed.

    References:
        Muhammad and Yeasin 2020, DOI 10.1109/IJCNN48605.2020.9206626.
    """
    maps = scored.feature_maps(layer)
    return Attribution(sum_branches([_project(scored.features(images, item)) for item in maps], maps))


EIGEN_CAM = Method(
    name="eigen-cam",
    compute=eigen_cam,
    title="Eigen-CAM",
    reference="Muhammad and Yeasin 2020, DOI 10.1109/IJCNN48605.2020.9206626",
    needs_feature_map=True,
    shows="where the features are strong, for no class in particular",
    passes="1 forward",
)


def _project(features: np.ndarray) -> np.ndarray:
    """Return the projection of each position on the first right singular vector, float32 (n, height, width)."""
    count, height, width, channels = features.shape
    values = np.empty((count, height, width), dtype=np.float32)
    for number, feature in enumerate(features.astype(np.float64).reshape(count, height * width, channels)):
        left, sizes, _ = np.linalg.svd(feature, full_matrices=False)
        projected = left[:, 0] * sizes[0]
        values[number] = (projected if projected.sum() >= 0.0 else -projected).reshape(height, width)
    return values
