"""A model unrolled and traced once, and kept with the model for later calls."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.class_score import ClassScore, find_class_score
from breastcls.explanation.feature_map import measure_shapes
from breastcls.explanation.gradients.gradient_backend import find_gradient_backend
from breastcls.explanation.layer_graph import LayerGraph
from breastcls.explanation.model_state import describe_state
from breastcls.explanation.unrolling import unroll
from breastcls.models.keras_internals import is_in_stateless_scope

_ATTRIBUTE = "breastcls_prepared"


class PreparedModel:
    """The layer calls of a model, the class scores, the shapes of its tensors and its compiled functions.

    Attributes:
        graph: The layer calls.
        score: How class scores are computed.
        class_count: The number of classes.
        shapes: The shape of each tensor for one image, by the slot of the tensor.
    """

    def __init__(self, model: Any, one: np.ndarray) -> None:
        self.graph: LayerGraph = unroll(model)
        self._backend = find_gradient_backend()
        # With the layers of the graph they keep alive what the description of the state refers to.
        self._variables = list(model.weights)
        self._traceable = not getattr(model, "run_eagerly", False)
        self._compiled: dict[str, Callable[..., Any]] = {}
        self.kept: dict[str, Any] = {}
        expected = _call(model, one)
        self.shapes, output = measure_shapes(self.graph, one)
        followed = np.asarray(keras.ops.convert_to_numpy(output), dtype=np.float32)
        if not np.all(np.isfinite(expected)):
            raise ExplanationError(f"The model {model.name!r} has NaN or infinite outputs; expected finite numbers.")
        if not np.allclose(followed, expected, rtol=1e-3, atol=1e-4):
            raise ExplanationError(
                f"Calling the layers of the model {model.name!r} one by one does not give its output (largest "
                f"difference {np.abs(followed - expected).max():.2g}): the model computes outside of its layers, or is "
                "random in inference. Rebuild it as a functional model."
            )
        self.score: ClassScore = find_class_score(self.graph, expected.shape[1])
        self.class_count = max(2, int(expected.shape[1]))
        self.state = describe_state(model)

    def compiled(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the compiled function that is kept under a name; the first function of a name is kept."""
        if name not in self._compiled:
            self._compiled[name] = self._backend.compile(function, self._variables, traceable=self._traceable)
        return self._compiled[name]

    def differentiate(self, function: Callable[..., Any], inputs: Any) -> tuple[Any, ...]:
        """Return the gradients of the sum of the values of a function; see `GradientBackend.differentiate`."""
        return self._backend.differentiate(function, inputs)


class _PreparedModels:
    """What was prepared of one model, by the size of the images."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], PreparedModel] = {}
        self._lock = Lock()

    def get(self, model: Any, one: np.ndarray) -> PreparedModel:
        """Return the prepared model for the size of an image, prepared anew if the model was changed."""
        with self._lock:
            state = describe_state(model)
            # What was prepared before a change of the model is never needed again.
            self._known = {size: known for size, known in self._known.items() if known.state == state}
            size = tuple(one.shape[1:])
            if size not in self._known:
                self._known[size] = PreparedModel(model, one)
            return self._known[size]

    def __deepcopy__(self, memo: dict[int, Any]) -> _PreparedModels:
        return _PreparedModels()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_PreparedModels, ())


def prepare_model(model: Any, example: np.ndarray) -> PreparedModel:
    """Return what is prepared of a model for the size of some images.

    It is kept as an attribute of the model, so that it is dropped with the model. New values of the weights have an
    effect at once; after any other change of the model (`describe_state`) it is prepared anew.

    Args:
        model: A Keras model with one image input and one output (n, classes).
        example: Images (n, h, w, 3) of the model's input size, at least one; the first is used to check that calling
            layer after layer gives the output of the model.

    Raises:
        ExplanationError: If the model cannot be explained, or calling layer after layer does not give its output.
    """
    one = np.asarray(example[:1], dtype=np.float32)
    if not isinstance(model, keras.Model) or is_in_stateless_scope():
        # Within the scope other values replace the weights, which a graph that is kept would not read.
        return PreparedModel(model, one)
    held = getattr(model, _ATTRIBUTE, None)
    if not isinstance(held, _PreparedModels):
        held = _PreparedModels()
        setattr(model, _ATTRIBUTE, held)
    return held.get(model, one)


def _call(model: Any, one: np.ndarray) -> np.ndarray:
    try:
        output = np.asarray(keras.ops.convert_to_numpy(model(one, training=False)), dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise ExplanationError(
            f"The model {model.name!r} cannot be called on images of the shape {one.shape[1:]}; "
            f"its input is {getattr(model, 'input_shape', 'unknown')}. {error}"
        ) from error
    if output.ndim != 2:
        raise ExplanationError(
            f"The model {model.name!r} has an output of the shape {output.shape}; expected (n, classes)."
        )
    return output
