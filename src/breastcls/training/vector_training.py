"""Training on vectors: which settings apply, and what identifies the vectors in the record of a run."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import keras

from breastcls.augmentation.policy_registry import find_policy
from breastcls.datasets.dataset import Dataset
from breastcls.errors import TrainingError
from breastcls.models.embedding_model import EMBEDDINGS
from breastcls.models.model_card import get_card
from breastcls.models.vector_input import vector_size
from breastcls.text_tables import choose_form
from breastcls.training.fit_options import FineTune
from breastcls.training.fit_settings import FitSettings
from breastcls.training.run_options import Preprocessing


def settle_settings(model: keras.Model, settings: FitSettings) -> FitSettings:
    """Return the settings that a model of vectors is trained with; those of a model of images are unchanged.

    Vectors are not augmented: the default policy is replaced by "none". A model of `build_model` has no backbone to
    train after its head.

    Raises:
        TrainingError: If a setting of images was given, which would have no effect.
    """
    if vector_size(model) is None:
        return settings
    idle = []
    if find_policy(settings.augment).name not in ("standard", "none"):
        idle.append(f"augment={find_policy(settings.augment).name!r}")
    if settings.preprocessing != Preprocessing():
        idle.append("preprocessing=")
    if settings.devices.engine != "keras":
        idle.append(f"Devices(engine={settings.devices.engine!r})")
    card = get_card(model)
    built = card is not None and card.backbone == EMBEDDINGS
    if built and settings.fine_tune not in (False, FineTune()):
        idle.append("fine_tune=")
    if idle:
        raise TrainingError(
            f"The model {model.name!r} takes vectors, so that {', '.join(idle)} would have no effect. Leave "
            f"{choose_form(len(idle), 'it', 'them')} out, or train on images."
        )
    changes: dict[str, Any] = {"fine_tune": False} if built else {}
    return dataclasses.replace(settings, augment="none", **changes)


def hash_vectors(*parts: Dataset | None) -> str:
    """Return a hash of the vectors of some datasets, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        if part is not None and part.vector_rows is not None:
            digest.update(f"{len(part)} {part.vector_rows.size}".encode())
            digest.update(part.vector_rows.hashes.astype("<u8").tobytes())
    return digest.hexdigest()
