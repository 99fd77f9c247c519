"""Gradients on the PyTorch backend. No other module of `explanation` names PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras


class TorchGradients:
    """Gradients by PyTorch, which compiles nothing here; see `GradientBackend`."""

    def compile(
        self, function: Callable[..., Any], variables: Sequence[Any], *, traceable: bool = True
    ) -> Callable[..., Any]:
        """Return the function, which records what gradients need within `differentiate` only."""
        import torch

        del variables, traceable

        def run(*arguments: Any) -> Any:
            with torch.no_grad():
                return function(*map(keras.ops.convert_to_tensor, arguments))

        return run

    def differentiate(self, function: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Return the gradient of the sum of the values of a function with respect to each of its inputs."""
        import torch

        tensors = [keras.ops.convert_to_tensor(value).detach().requires_grad_(True) for value in inputs]
        with torch.enable_grad():
            total = torch.sum(function(*tensors))
        if not total.requires_grad:
            return (None,) * len(tensors)
        return tuple(torch.autograd.grad(total, tensors, allow_unused=True))
