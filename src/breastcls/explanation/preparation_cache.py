"""What is prepared of a model, kept as an attribute of the model for later calls."""

from __future__ import annotations

from threading import Lock
from typing import Any

import keras
import numpy as np

from breastcls.explanation.model_state import describe_state
from breastcls.explanation.prepared_model import PreparedModel
from breastcls.models.keras_internals import is_in_stateless_scope

_ATTRIBUTE = "breastcls_prepared"
_MOST_SIZES = 8


class _PreparedModels:
    """What was prepared of one model, by the size of the images."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], PreparedModel] = {}
        self._lock = Lock()

    def get(self, model: Any, images: np.ndarray, layer: str | None) -> PreparedModel:
        """Return the prepared model for the size of the images, prepared anew if the model was changed."""
        with self._lock:
            state = describe_state(model)
            # What was prepared before a change of the model is never needed again.
            self._known = {size: known for size, known in self._known.items() if known.state == state}
            size = tuple(images.shape[1:])
            if size not in self._known:
                # A model of any size may meet many sizes; the one that was prepared first is dropped.
                if len(self._known) >= _MOST_SIZES:
                    del self._known[next(iter(self._known))]
                self._known[size] = PreparedModel(model, images, layer)
            return self._known[size]

    def __deepcopy__(self, memo: dict[int, Any]) -> _PreparedModels:
        return _PreparedModels()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_PreparedModels, ())


def prepare_model(model: Any, images: np.ndarray, layer: str | None = None) -> PreparedModel:
    """Return what is prepared of a model for the size of some images.

    It is kept as an attribute of the model, so that it is dropped with the model. New values of the weights have an
    effect at once; after any other change of the model (`describe_state`) it is prepared anew.

    Args:
        model: A Keras model with one image input and one output (n, classes).
        images: A batch, float32 (n, h, w, 3), of the model's input size.
        layer: The layer whose feature maps are needed first.

    Raises:
        ExplanationError: If the model cannot be explained, or calling layer after layer does not give its output.
    """
    if not isinstance(model, keras.Model) or is_in_stateless_scope():
        # Within the scope other values replace the weights, which a graph that is kept would not read.
        return PreparedModel(model, images, layer)
    held = getattr(model, _ATTRIBUTE, None)
    if not isinstance(held, _PreparedModels):
        held = _PreparedModels()
        setattr(model, _ATTRIBUTE, held)
    return held.get(model, images, layer)
