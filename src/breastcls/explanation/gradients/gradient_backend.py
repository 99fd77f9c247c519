"""What explanations need of a backend of Keras, and the choice of the module that provides it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import keras

from breastcls.errors import ExplanationError
from breastcls.explanation.gradients.jax_gradients import JaxGradients
from breastcls.explanation.gradients.torch_gradients import TorchGradients


class GradientBackend(Protocol):
    """Compiled functions and gradients on one backend of Keras.

    A further backend is one module with a class that has these two methods, and one line in `find_gradient_backend`.
    """

    def compile(
        self, function: Callable[..., Any], variables: Sequence[Any], *, traceable: bool = True
    ) -> Callable[..., Any]:
        """Return a function that computes the same and is compiled when it is called for the first time.

        Args:
            function: Takes arrays or tensors of the backend, each (n, ...) with any n, and returns a tensor or a tuple
                of tensors. It may call `differentiate`.
            variables: The `keras.Variable` objects that it reads. The compiled function uses the values that they have
                when it is called, not those at the time of compilation.
            traceable: Whether it may be compiled at all; a model with `run_eagerly` may not.
        """

    def differentiate(self, function: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Return the gradient of the sum of the values of a function with respect to each of its inputs.

        Args:
            function: Takes the inputs and returns a tensor (n,): one value for each image. In inference no image
                affects the value of another, so that the gradient of the sum has the gradient for each image.
            inputs: Tensors (n, ...) of floating-point numbers.

        Returns:
            One tensor per input, of its shape; None where the values do not depend on the input in a differentiable
            way.
        """


def find_gradient_backend() -> GradientBackend:
    """Return compiled functions and gradients on the backend that Keras uses.

    Raises:
        ExplanationError: If there is no module for this backend.
    """
    name = keras.config.backend()
    if name == "tensorflow":
        # Imported here: with another backend TensorFlow is not needed.
        from breastcls.explanation.gradients.tensorflow_gradients import TensorFlowGradients

        return TensorFlowGradients()
    if name == "jax":
        return JaxGradients()
    if name == "torch":
        return TorchGradients()
    raise ExplanationError(
        f"Explanations cannot be computed on the Keras backend {name!r}; expected 'tensorflow', 'jax' or 'torch'. Set "
        "the environment variable KERAS_BACKEND before Keras is imported."
    )
