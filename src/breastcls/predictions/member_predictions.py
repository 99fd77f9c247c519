"""What each member of an ensemble says of an image, in each of its views: what measures of uncertainty start from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.models.ensemble import list_members
from breastcls.models.inference import run_batches
from breastcls.models.model_card import get_card
from breastcls.models.persistence import load_model
from breastcls.predictions.pixel_batches import open_batches
from breastcls.predictions.predict import widen
from breastcls.predictions.test_time_augmentation import list_views, see_all


def predict_members(
    model: keras.Model | str | os.PathLike[str],
    data: Dataset | npt.NDArray[np.uint8],
    *,
    tta: str | None = None,
    batch_size: int = 32,
) -> npt.NDArray[np.float32]:
    """Predict with each member of an ensemble, and in each view, without averaging.

    Images are read once and go through stain normalizer and resizing as in `predict`. A member's own temperature
    counts; a calibration of the ensemble does not, since it is one of the mean. So without such a calibration the mean
    over the first axis, with the ensemble's weights, is what `predict` gives for an average of probabilities.

    Args:
        model: An ensemble, or any other model, which is its only member; or the path of a `.keras` file.
        data: A `Dataset`, or images uint8 (n, height, width, 3) of the model's own size.
        tta: As in `predict`.
        batch_size: Images at a time.

    Returns:
        float32 (members, n, classes): all views of the first member, then all views of the second, and so on; the
        first view of each is the image as it is.

    Raises:
        EvaluationError: As `predict` does.
        ModelError: As `predict` does.

    Example:
        >>> from breastcls.models.building import build_model
        >>> from breastcls.models.ensemble import build_ensemble
        >>> models = [build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=s) for s in (1, 2)]
        >>> images = np.zeros((3, 32, 32, 3), np.uint8)
        >>> predict_members(build_ensemble(models), images, tta="dihedral").shape
        (16, 3, 2)
    """
    if isinstance(model, (str, os.PathLike)):
        model = load_model(Path(model))
    pixels = open_batches(model, get_card(model), data, batch_size)
    views = list_views(tta, pixels.image_size)
    members = list_members(model)
    # One pass for all members: what stands before them is computed once, and no image is moved twice.
    network = keras.Model(model.inputs[0], [member.probabilities for member in members]) if members else model
    seen: list[list[npt.NDArray[np.float32]]] = [[] for _ in views]
    for number, outputs in enumerate(run_batches(network, see_all(pixels.batches, views))):
        parts = list(outputs) if members else [outputs]
        seen[number % len(views)].append(np.stack([_of_classes(part) for part in parts]))
    by_view = np.stack([np.concatenate(of_view, axis=1) for of_view in seen], axis=1)
    return by_view.reshape(-1, *by_view.shape[2:])


def _of_classes(output: Any) -> npt.NDArray[np.float32]:
    """Return probabilities float32 (n, classes), two classes where only the positive one was given."""
    if not hasattr(output, "shape") or len(output.shape) != 2:
        found = getattr(output, "shape", type(output).__name__)
        raise EvaluationError(f"The model must give one output of shape (n, classes); it gave {found}.")
    wide = widen(np.asarray(output))
    return np.asarray(np.concatenate([1 - wide, wide], axis=1) if wide.shape[1] == 1 else wide, np.float32)
