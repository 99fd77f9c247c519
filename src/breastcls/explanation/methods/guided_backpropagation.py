"""Guided backpropagation: the gradient with respect to the pixels, with negative gradients removed at every ReLU."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.gradients.score_gradients import image_gradients
from breastcls.explanation.layer_graph import Observer
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def guided_backpropagation(scored: ScoredModel, images: np.ndarray, targets: np.ndarray) -> Attribution:
    """Propagate the score back with negative gradients set to zero at every ReLU; take the largest of three colours.

    A ReLU passes a gradient back where its input was positive. Here it passes it back only where the gradient is
    positive too. The model is not changed: the gradient is replaced while its layer calls are repeated. Activations
    other than ReLU keep their gradient, and layers inside a layer that is not a functional or Sequential model are not
    found.

    The map is sharp, but it depends little on the later layers of a network and on the class (Adebayo et al. 2018,
    arXiv:1810.03292), which `check_explanation` reports. It shows what the early layers respond to.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.

    Raises:
        ExplanationError: If the model has no ReLU whose gradient could be replaced.

    References:
        Springenberg et al. 2015, arXiv:1412.6806.
    """
    slots = frozenset(slot for step in scored.graph.steps if _ends_in_relu(step.operation) for slot in step.outputs)
    if not slots:
        raise ExplanationError(
            f"The model {scored.model.name!r} has no ReLU layer that could be found, so that guided backpropagation "
            "would equal the plain gradient. Use 'gradient-x-input', 'smooth-grad' or 'integrated-gradients'."
        )
    gradients = image_gradients(_GuidedModel(scored, slots), images, targets)  # type: ignore[arg-type]
    return Attribution(np.abs(gradients).max(axis=-1))


GUIDED_BACKPROPAGATION = Method(
    name="guided-backpropagation",
    compute=guided_backpropagation,
    title="Guided backpropagation",
    reference="Springenberg et al. 2015, arXiv:1412.6806",
    upper_percentile=99.5,
    smoothing=0.015,
    shows="what the early layers respond to",
    passes="2 forward, 1 backward",
)


class _GuidedModel:
    """A `ScoredModel` whose ReLUs pass back positive gradients only."""

    def __init__(self, scored: ScoredModel, slots: frozenset[int]) -> None:
        self._scored, self._slots = scored, slots

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scored, name)

    def traced(self, name: str, function: Any) -> Any:
        """Return the traced function of this model, not of the one without guidance."""
        return self._scored.traced(f"guided {name}", function)

    def score_tensor(self, images: Any, observe: Observer | None = None) -> Any:
        """Return the class scores of one batch as a backend tensor."""

        def guide(slot: int, value: Any) -> Any:
            value = value if observe is None else observe(slot, value)
            # The ReLU itself multiplies the gradient by whether its input was positive.
            return _pass_positive_gradient(value) if slot in self._slots else value

        return self._scored.score_tensor(images, guide)


@keras.ops.custom_gradient  # type: ignore[untyped-decorator]  # Keras ships no types
def _pass_positive_gradient(value: Any) -> Any:
    def backward(*arguments: Any, upstream: Any = None) -> Any:
        # TensorFlow and JAX pass the gradient by position; with PyTorch Keras passes it by name, after the value.
        gradient = arguments[0] if upstream is None else upstream
        return keras.ops.maximum(gradient, 0)

    return value, backward


def _ends_in_relu(operation: Any) -> bool:
    """Return whether an operation is a ReLU or a layer that ends in one: ReLU6 and `negative_slope=0` count."""
    if isinstance(operation, keras.layers.ReLU):
        return float(operation.negative_slope or 0.0) == 0.0
    activation = getattr(operation, "activation", None)
    if isinstance(activation, keras.layers.ReLU):
        return _ends_in_relu(activation)
    if activation in (keras.activations.relu, keras.activations.relu6):
        return True
    return not isinstance(operation, keras.Layer) and type(operation).__name__ in ("Relu", "Relu6")
