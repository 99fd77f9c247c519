"""Class weights of the training loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from breastcls.errors import TrainingError

ClassWeight = Literal["balanced"] | Mapping[str, float] | None


def class_weights(
    class_weight: ClassWeight, labels: np.ndarray, classes: Sequence[str], groups: np.ndarray | None = None
) -> dict[int, float] | None:
    """Turn the argument of `fit` into a weight for each class index.

    Args:
        class_weight: "balanced" (n / (classes * images of the class), as scikit-learn has it), a mapping from class
            name to a positive weight, or None.
        labels: Class indices of the training images, shape (n,).
        classes: Class names.
        groups: The group of each image where every group is drawn equally often, from
            `breastcls.images.epoch_order.sampling_groups`. "balanced" then counts images as often as they are drawn, so
            that classes that are balanced by sampling are not balanced twice.

    Returns:
        Index to weight, or None for no weighting.

    Raises:
        TrainingError: If the mapping does not name every class once, or a weight is not positive.

    Example:
        >>> class_weights("balanced", np.array([0, 0, 0, 1]), ("benign", "malignant"))
        {0: 0.6666666666666666, 1: 2.0}
        >>> class_weights("balanced", np.array([0, 0, 0, 1]), ("benign", "malignant"), groups=np.array([0, 0, 0, 1]))
        {0: 1.0, 1: 1.0}
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise TrainingError(f"class_weight must be 'balanced', a mapping or None; found {class_weight!r}.")
        drawn = np.ones(len(labels)) if groups is None else 1 / np.bincount(groups)[groups]
        counts = np.bincount(labels, weights=drawn, minlength=len(classes))
        present = counts > 0
        # A class without images has no effect; its weight 1 leaves the other weights as they are.
        return {
            index: float(counts.sum() / (present.sum() * count)) if count else 1.0 for index, count in enumerate(counts)
        }
    if set(class_weight) != set(classes):
        raise TrainingError(f"class_weight must name the classes {list(classes)}; found {list(class_weight)}.")
    weights = {index: float(class_weight[name]) for index, name in enumerate(classes)}
    if not all(np.isfinite(weight) and weight > 0 for weight in weights.values()):
        raise TrainingError(f"Class weights must be positive numbers; found {dict(class_weight)}.")
    return weights
