"""What a model gives for images besides probabilities: its logits, its features, and what its members say."""

from __future__ import annotations

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
from breastcls.models.ensemble import list_members
from breastcls.models.inference import run_batches
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import split_model
from breastcls.models.persistence import load_model
from breastcls.predictions.member_predictions import predict_members
from breastcls.predictions.pixel_batches import open_batches
from breastcls.predictions.predict import finish_outputs


@dataclass(frozen=True, eq=False)
class Outputs:
    """What was seen of n images.

    Attributes:
        probabilities: (n, classes), calibrated as the model's card says.
        logits: float32 (n, classes) as the model has them, before any calibration; None where it has none to show.
        features: float32 (n, channels) of the backbone; None where they were not asked for.
    """

    probabilities: npt.NDArray[Any]
    logits: npt.NDArray[np.float32] | None
    features: npt.NDArray[np.float32] | None


class InsideView:
    """A model and the tensors inside it that scores of uncertainty are taken from."""

    def __init__(self, model: keras.Model, batch_size: int) -> None:
        self._model, self._batch_size = model, batch_size
        self._card = get_card(model)
        self._logits = find_logits(model)
        self._features = _find_features(model)
        self._networks: dict[bool, keras.Model] = {}
        self.is_ensemble = bool(list_members(model))

    @classmethod
    def of(cls, model: keras.Model | str | os.PathLike[str], batch_size: int) -> InsideView:
        """Look into a model, or into that of a `.keras` file."""
        return cls(load_model(Path(model)) if isinstance(model, (str, os.PathLike)) else model, batch_size)

    @property
    def channels(self) -> int | None:
        """Number of features an image, or None where the model has no single backbone."""
        return None if self._features is None else math.prod(self._features.shape[1:])

    def __call__(self, data: Dataset, *, features: bool = False) -> Outputs:
        """Run the model over images once; their classes play no part."""
        seen: dict[str, list[npt.NDArray[Any]]] = {}
        for outputs in run_batches(self._network(features), self._open(data)):
            for name, part in outputs.items():
                seen.setdefault(name, []).append(part)
        whole = {name: np.concatenate(parts) for name, parts in seen.items()}
        probabilities = finish_outputs(whole["probabilities"], self._card)
        if probabilities.shape[1] == 1:
            probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
        return Outputs(probabilities, whole.get("logits"), whole.get("features"))

    def members(self, data: Dataset, tta: str | None) -> npt.NDArray[np.float32]:
        """Return what each member and view says, float32 (members, n, classes)."""
        return predict_members(self._model, self._as_known(data), tta=tta, batch_size=self._batch_size)

    def _network(self, features: bool) -> keras.Model:
        """Return the model with all that is wanted of it as its outputs; kept, since each is compiled for itself."""
        if features not in self._networks:
            wanted = {"probabilities": self._model.outputs[0]}
            if self._logits is not None:
                wanted["logits"] = self._logits
            if features:
                wanted["features"] = self._features
            self._networks[features] = keras.Model(self._model.inputs[0], wanted)
        return self._networks[features]

    def _open(self, data: Dataset) -> Any:
        return open_batches(self._model, self._card, self._as_known(data), self._batch_size).batches

    def _as_known(self, data: Dataset) -> Dataset:
        """Return images under the model's class names: out-of-distribution images may have other classes."""
        outputs = int(self._model.output_shape[-1])
        names = tuple(map(str, range(max(outputs, 2)))) if self._card is None else self._card.classes
        return data if data.classes == names else data.with_classes(names, dict.fromkeys(data.classes, names[0]))


def find_logits(model: keras.Model) -> Any | None:
    """Return the symbolic logits (n, classes) of a model that ends in a softmax, or None.

    An ensemble has none: its members' logits are not on one scale, and were averaged after their softmax.
    """
    last = model.layers[-1]
    if list_members(model) or getattr(last, "output", None) is not model.outputs[0] or len(last.input.shape) != 2:
        return None
    if isinstance(last, keras.layers.Softmax):
        return last.input
    if getattr(last, "activation", None) is not keras.activations.softmax:
        return None
    if isinstance(last, keras.layers.Activation):
        return last.input
    if isinstance(last, keras.layers.Dense):
        scores = keras.ops.matmul(last.input, last.kernel)
        return scores + last.bias if last.use_bias else scores
    return None


def _find_features(model: keras.Model) -> Any | None:
    try:
        return split_model(model)[0].outputs[0]
    except ModelError:
        return None
