"""Gradients and compiled functions on the JAX backend. No other module of `explanation` names JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

# A compilation takes as long as the gradients of some tens of images.
_MOST_FILLING = 8


class JaxGradients:
    """Compiled functions and gradients by JAX; see `GradientBackend`."""

    def compile(
        self, function: Callable[..., Any], variables: Sequence[Any], *, traceable: bool = True
    ) -> Callable[..., Any]:
        """Return the function compiled by XLA; the values of the variables are arguments of the compiled function."""
        return CompiledFunction(function, variables) if traceable else function

    def differentiate(self, function: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Return the gradient of the sum of the values of a function with respect to each of its inputs."""
        import jax

        def add_up(*tensors: Any) -> Any:
            return jax.numpy.sum(function(*tensors))

        tensors = [jax.numpy.asarray(value) for value in inputs]
        gradient = jax.grad(add_up, argnums=tuple(range(len(tensors))))
        missing = _find_missing(jax.make_jaxpr(gradient)(*tensors).jaxpr)
        return tuple(None if lacks else value for lacks, value in zip(missing, gradient(*tensors), strict=True))


class CompiledFunction:
    """A function of arrays (n, ...) that is compiled for few numbers of images n.

    XLA compiles for one number of images. A smaller batch is filled up to a number that is compiled already.

    Args:
        function: Takes arrays (n, ...) and returns arrays (n, ...), also in tuples or dictionaries.
        variables: The variables that it reads.
    """

    def __init__(self, function: Callable[..., Any], variables: Sequence[Any]) -> None:
        import jax

        self._variables = list(variables)
        self._sizes: set[int] = set()

        def with_values(values: list[Any], *arguments: Any) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(self._variables, values, strict=True))):
                return function(*arguments)

        self._compiled = jax.jit(with_values)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        count = len(arguments[0])
        size = min((size for size in self._sizes if count <= size <= _MOST_FILLING * count), default=count)
        self._sizes.add(size)
        filled = arguments if size == count else tuple(_fill(argument, size) for argument in arguments)
        results = self._compiled([variable.value for variable in self._variables], *filled)
        return keras.tree.map_structure(lambda result: None if result is None else result[:count], results)


def _find_missing(program: Any) -> list[bool]:
    """Return for each output of a program whether it is the constant zero, which JAX gives where there is no gradient.

    A gradient that is zero by its values, as behind a ReLU, is computed from the inputs.
    """
    zeros = {
        id(step.outvars[0])
        for step in program.eqns
        if step.primitive.name == "broadcast_in_dim" and getattr(step.invars[0], "val", 1) == 0
    }
    return [id(output) in zeros for output in program.outvars]


def _fill(values: Any, size: int) -> Any:
    """Repeat the last row of an array until it has `size` rows."""
    rows = np.asarray(values)
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
