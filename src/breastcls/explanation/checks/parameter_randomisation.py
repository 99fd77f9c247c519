"""The model parameter randomisation test: heat-maps must change when the weights do."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.checks.agreement import rank_correlation
from breastcls.explanation.explain import explain
from breastcls.explanation.explanation import Explanation
from breastcls.explanation.unrolling import unroll


def randomise_parameters(
    model: Any, images: Any, explanation: Explanation, *, stages: int = 4, seed: int = 0, **options: Any
) -> tuple[tuple[str, ...], np.ndarray]:
    """Randomise the weights of a model, layer by layer from the output to the input, and compare the heat-maps.

    The random values replace the weights of the model during the call and are taken back afterwards, also after an
    error; no other thread may use the model meanwhile. The values of each weight are shuffled, so that their mean and
    standard deviation stay the same.

    Args:
        model: The model that was explained.
        images: The images that were explained.
        explanation: Their heat-maps.
        stages: Number of stages in which the layers are randomised.
        seed: Seed of the shuffling.
        **options: The other arguments of `explain` with which the explanation was made.

    Returns:
        The last randomised layer of each stage, and Spearman's rank correlations of the heat-maps before and after,
        float64 (stages, n): NaN where the heat-map before is blank, 0 where the one after is.

    Raises:
        ExplanationError: If the model has no weights.

    References:
        Adebayo et al. 2018, arXiv:1810.03292.
    """
    layers = _layers_with_weights(model)
    if not layers:
        raise ExplanationError(f"The model {model.name!r} has no weights; the test needs a model with weights.")
    generator = np.random.default_rng(seed)
    replaced: list[tuple[Any, np.ndarray]] = []
    names: list[str] = []
    rows: list[list[float]] = []
    ends = sorted({max(1, round(len(layers) * stage / stages)) for stage in range(1, stages + 1)})
    done = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExplanationWarning)
        for end in ends:
            for layer in layers[done:end]:
                replaced += [(weight, _shuffle(weight, generator)) for weight in layer.weights]
            done = end
            names.append(layers[end - 1].name)
            with weights_replaced(replaced):
                # The explained class stays the same, also where the randomised model predicts another one.
                maps = explain_targets(model, images, explanation, options)
            rows.append([rank_correlation(*pair) for pair in zip(explanation.heatmaps, maps, strict=True)])
    return tuple(names), np.array(rows, dtype=np.float64)


def explain_targets(model: Any, images: Any, explanation: Explanation, options: dict[str, Any]) -> np.ndarray:
    """Return heat-maps of the same targets as those of an explanation, also where the predicted classes differ."""
    # A difference of classes or a function is the same for all images.
    target = options.get("target_class") if explanation.target_score else explanation.targets.tolist()
    fixed = {name: value for name, value in options.items() if name != "target_class"}
    return explain(model, images, explanation.method, target_class=target, **fixed).heatmaps


def _layers_with_weights(model: Any) -> list[Any]:
    """Return each layer with weights once, from the output to the input, through nested models."""
    layers = [step.operation for step in reversed(unroll(model).steps) if getattr(step.operation, "weights", ())]
    return list({id(layer): layer for layer in layers}.values())


def _shuffle(weight: Any, generator: np.random.Generator) -> np.ndarray:
    values = np.asarray(keras.ops.convert_to_numpy(weight))
    return generator.permutation(values.ravel()).reshape(values.shape)


@contextmanager
def weights_replaced(replaced: list[tuple[Any, np.ndarray]]) -> Iterator[None]:
    """Replace weights by other values within the block, and restore them at its end, also after an error.

    The values are assigned, so that what is compiled for the model is used again.
    """
    before = [(weight, np.array(keras.ops.convert_to_numpy(weight))) for weight, _ in replaced]
    try:
        for weight, values in replaced:
            weight.assign(values)
        yield
    finally:
        for weight, values in before:
            weight.assign(values)
