"""The probabilities of each member of an ensemble and each transform of test-time augmentation, not averaged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.models import probability_rule
from breastcls.models.ensemble import list_members
from breastcls.models.inference import check_output, run_batches, run_passes
from breastcls.models.model_card import get_card
from breastcls.models.persistence import load_model
from breastcls.predictions.pixel_batches import open_batches
from breastcls.predictions.test_time_augmentation import list_transforms, transform_batches


def predict_members(
    model: keras.Model | str | os.PathLike[str],
    data: Dataset | npt.NDArray[np.uint8],
    *,
    tta: str | None = None,
    batch_size: int = 32,
) -> npt.NDArray[np.float32]:
    """Predict with each member of an ensemble and after each transform of test-time augmentation, without averaging.

    Images are read once, normalised and resized as in `predict`. The temperature of a member is applied; a calibration
    of the ensemble is not, since it was fitted to the mean. Without such a calibration the mean over the first axis,
    with the ensemble's weights, equals `predict` for an average of probabilities.

    Args:
        model: An ensemble, or any other model, which is its only member; or the path of a `.keras` file.
        data: A `Dataset`, or images uint8 (n, height, width, 3) of the model's own size.
        tta: As in `predict`.
        batch_size: Images at a time.

    Returns:
        float32 (members, n, classes): all transforms of the first member, then all of the second, and so on; the first
        transform of each member is the identity.

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
    transforms = list_transforms(tta, pixels.image_size)
    batches = transform_batches(pixels.batches, transforms)
    members = list_members(model)
    if not members:
        passes = [[one] for one in run_passes(model, batches, len(transforms))]
    else:
        # One model with all members as outputs: the layers before the members are computed once per image.
        ensemble: keras.Model = model
        network = keras.Model(ensemble.inputs[0], [member.probabilities for member in members])
        parts: list[list[list[npt.NDArray[Any]]]] = [[] for _ in transforms]
        for number, outputs in enumerate(run_batches(network, batches)):
            parts[number % len(transforms)].append([check_output(output) for output in outputs])
        passes = [[np.concatenate(one) for one in zip(*part, strict=True)] for part in parts]
    # The calibration of the card is one of the mean over members, so it is not applied to them.
    found = [[probability_rule.classify_outputs([output], None).probabilities for output in one] for one in passes]
    return np.concatenate([np.stack(of_member) for of_member in zip(*found, strict=True)])
