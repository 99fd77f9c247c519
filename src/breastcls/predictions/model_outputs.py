"""Logits, features and member predictions of a model, from which uncertainty scores are computed."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.errors import ModelError
from breastcls.models import probability_rule
from breastcls.models.ensemble import list_members
from breastcls.models.inference import run_batches
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import split_model
from breastcls.models.output_layer import find_logits
from breastcls.models.persistence import load_model
from breastcls.models.runtime_model import require_keras
from breastcls.predictions.member_predictions import predict_members
from breastcls.predictions.pixel_batches import open_batches


@dataclass(frozen=True, eq=False)
class ModelOutputs:
    """The outputs of a model for n images.

    Attributes:
        probabilities: float32 (n, classes), calibrated if the model's card stores a calibration.
        logits: float32 (n, classes) before any calibration; None where the model has none.
        features: float32 (n, channels) of the backbone; None where they were not asked for.
    """

    probabilities: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32] | None
    features: npt.NDArray[np.float32] | None


class MultiOutputModel:
    """A model whose logits and features are computed together with its probabilities.

    An ensemble has no logits: those of its members are not on one scale, and were averaged after their softmax.
    """

    def __init__(self, model: keras.Model, batch_size: int) -> None:
        require_keras(model, "The logits and features of a model")
        self._model, self._batch_size = model, batch_size
        self._card = get_card(model)
        self.is_ensemble = bool(list_members(model))
        self._logits = None if self.is_ensemble else find_logits(model)
        self._features = _find_features(model)
        self._networks: dict[bool, keras.Model] = {}

    @classmethod
    def open(cls, model: keras.Model | str | os.PathLike[str], batch_size: int) -> MultiOutputModel:
        """Take a model, or load one from a `.keras` file."""
        return cls(load_model(Path(model)) if isinstance(model, (str, os.PathLike)) else model, batch_size)

    @property
    def channels(self) -> int | None:
        """Number of features per image, or None where the model has no single backbone."""
        return None if self._features is None else math.prod(self._features.shape[1:])

    def __call__(self, data: Dataset, *, features: bool = False) -> ModelOutputs:
        """Compute the outputs for images, in one pass; the classes of the images are not used."""
        parts: dict[str, list[npt.NDArray[Any]]] = {}
        for outputs in run_batches(self._network(features), self._open(data)):
            for name, part in outputs.items():
                parts.setdefault(name, []).append(part)
        whole = {name: np.concatenate(of_name) for name, of_name in parts.items()}
        probabilities = probability_rule.classify_outputs([whole["probabilities"]], self._card).probabilities
        return ModelOutputs(probabilities, whole.get("logits"), whole.get("features"))

    def members(self, data: Dataset, tta: str | None) -> npt.NDArray[np.float32]:
        """Return the probabilities of each member and transform, float32 (members, n, classes)."""
        return predict_members(self._model, self._with_own_classes(data), tta=tta, batch_size=self._batch_size)

    def _network(self, features: bool) -> keras.Model:
        """Return a model with all wanted outputs; it is stored, since each such model is compiled separately."""
        if features not in self._networks:
            wanted = {"probabilities": self._model.outputs[0]}
            if self._logits is not None:
                wanted["logits"] = self._logits
            if features:
                wanted["features"] = self._features
            self._networks[features] = keras.Model(self._model.inputs[0], wanted)
        return self._networks[features]

    def _open(self, data: Dataset) -> Any:
        return open_batches(self._model, self._card, self._with_own_classes(data), self._batch_size).batches

    def _with_own_classes(self, data: Dataset) -> Dataset:
        """Return images under the model's class names: out-of-distribution images may have other classes."""
        outputs = int(self._model.output_shape[-1])
        names = tuple(map(str, range(max(outputs, 2)))) if self._card is None else self._card.classes
        if data.classes == names:
            return data
        if not data.has_labels:
            return dataclasses.replace(data, classes=names)
        return data.with_classes(names, dict.fromkeys(data.classes, names[0]))


def _find_features(model: keras.Model) -> Any | None:
    try:
        return split_model(model)[0].outputs[0]
    except ModelError:
        return None
