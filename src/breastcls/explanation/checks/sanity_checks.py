"""Tests that explanations must pass: the same twice, other weights other maps, faithful to the model."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy.stats import spearmanr

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.checks.faithfulness import Faithfulness, measure_faithfulness
from breastcls.explanation.explain import explain
from breastcls.explanation.explanation import Explanation
from breastcls.explanation.layer_graph import unroll

# Maps of a model and of its randomised copy that agree more than this do not show what the model learned.
HIGHEST_SIMILARITY = 0.7


@dataclass(frozen=True, eq=False)
class SanityReport:
    """What came out of `check_explanation`.

    Attributes:
        method: The method tested.
        layers: The layers randomised, from the output down: all up to and including each.
        similarity: float64 (layers, n): rank correlation of each heat-map with that of the randomised model;
            NaN where its own is blank.
        repeat_difference: Largest difference between the heat-maps of two equal calls; 0 is right.
        faithfulness: Deletion and insertion.
        flagged: How many heat-maps carry a flag.
    """

    method: str
    layers: tuple[str, ...]
    similarity: np.ndarray
    repeat_difference: float
    faithfulness: Faithfulness
    flagged: int

    @property
    def randomised_similarity(self) -> float:
        """Median rank correlation with the heat-maps of the wholly random model; NaN where all are blank."""
        last = self.similarity[-1]
        return float(np.nanmedian(last)) if np.isfinite(last).any() else float("nan")

    @property
    def problems(self) -> tuple[str, ...]:
        """What failed, in words; empty if nothing did."""
        found = []
        if self.repeat_difference > 0.0:
            found.append(f"the same call twice differs by up to {self.repeat_difference:.2g}")
        if self.randomised_similarity > HIGHEST_SIMILARITY:
            found.append(
                f"heat-maps hardly change when all weights are random (rank correlation "
                f"{self.randomised_similarity:.2f}): they show the image, not the model"
            )
        areas = self.faithfulness.to_dict()
        if areas["deletion"] >= areas["random_deletion"] and areas["insertion"] <= areas["random_insertion"]:
            found.append("deleting and inserting by the heat-maps does no better than at random")
        if self.flagged:
            found.append(f"{self.flagged} of {self.similarity.shape[1]} heat-maps are flagged")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts, lists, numbers and strings; NaN becomes None."""
        return {
            "method": self.method,
            "layers": list(self.layers),
            "similarity": [[float(value) if np.isfinite(value) else None for value in row] for row in self.similarity],
            "repeat_difference": self.repeat_difference,
            "faithfulness": self.faithfulness.to_dict(),
            "flagged": self.flagged,
            "problems": list(self.problems),
        }

    def __str__(self) -> str:
        verdict = "; ".join(self.problems) or "passed"
        return (
            f"Sanity of {self.method} over {self.similarity.shape[1]} images: {verdict}\n"
            f"  same call twice differs by {self.repeat_difference:.2g}\n"
            f"  rank correlation with a randomised model {self.randomised_similarity:.2f}\n"
            f"  {self.faithfulness}"
        )


def check_explanation(
    model: Any, images: Any, method: str = "grad-cam", *, seed: int = 0, steps: int = 20, **options: Any
) -> SanityReport:
    """Test a method on a model and some images: repeatability, dependence on the weights, faithfulness.

    Args:
        model: A Keras model.
        images: As for `explain`.
        method: As for `explain`.
        seed: Of the random weights and the random order of pixels.
        steps: Of the deletion and insertion curves.
        **options: Anything else that `explain` takes.

    Raises:
        ExplanationError: As for `explain`.

    References:
        Adebayo et al. 2018, arXiv:1810.03292; Petsiuk et al. 2018, arXiv:1806.07421.
    """
    with warnings.catch_warnings():
        # Flags are counted in the report.
        warnings.simplefilter("ignore", ExplanationWarning)
        explanation = explain(model, images, method, **options)
        again = explain(model, images, method, **options)
        layers, similarity = randomise_parameters(model, images, explanation, seed=seed, **options)
    return SanityReport(
        method=method,
        layers=layers,
        similarity=similarity,
        repeat_difference=float(np.abs(explanation.heatmaps - again.heatmaps).max()),
        faithfulness=measure_faithfulness(model, explanation, steps=steps, seed=seed),
        flagged=sum(map(bool, explanation.flags)),
    )


def randomise_parameters(
    model: Any, images: Any, explanation: Explanation, *, stages: int = 4, seed: int = 0, **options: Any
) -> tuple[tuple[str, ...], np.ndarray]:
    """Give random weights to more and more of a model, from its output down, and compare the heat-maps.

    The model itself is not touched: the random values stand in for its weights during these calls only. Each
    weight gets its own values in random order, so that their size and spread stay as they were.

    Args:
        model: The model that was explained.
        images: The images that were explained.
        explanation: Their heat-maps.
        stages: How many steps from the output down to all layers.
        seed: Of the order.
        **options: Those that the explanation was made with.

    Returns:
        The lowest layer of each stage, and the rank correlations, float64 (stages, n).

    References:
        Adebayo et al. 2018, arXiv:1810.03292.
    """
    layers = _layers_with_weights(model)
    if not layers:
        raise ExplanationError(f"The model {model.name!r} has no weights to randomise.")
    generator = np.random.default_rng(seed)
    replaced: list[tuple[Any, np.ndarray]] = []
    names: list[str] = []
    rows: list[list[float]] = []
    ends = sorted({max(1, round(len(layers) * stage / stages)) for stage in range(1, stages + 1)})
    targets = explanation.targets
    done = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExplanationWarning)
        for end in ends:
            for layer in layers[done:end]:
                replaced += [(weight, _shuffle(weight, generator)) for weight in layer.weights]
            done = end
            names.append(layers[end - 1].name)
            with _weights_replaced(replaced):
                # The class explained stays the same, even where the random model predicts another one.
                maps = _explain_targets(model, images, explanation.method, targets, options)
            rows.append([_rank_correlation(*pair) for pair in zip(explanation.heatmaps, maps, strict=True)])
    return tuple(names), np.array(rows, dtype=np.float64)


def _explain_targets(model: Any, images: Any, method: str, targets: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    """Return heat-maps in which each image keeps its own target class."""
    maps: np.ndarray | None = None
    fixed = {name: value for name, value in options.items() if name != "target_class"}
    for target in np.unique(targets):
        part = explain(model, images, method, target_class=int(target), **fixed).heatmaps
        if maps is None:
            maps = part.copy()
        maps[targets == target] = part[targets == target]
    assert maps is not None, "an explanation holds at least one image"
    return maps


def _layers_with_weights(model: Any) -> list[Any]:
    """Return each layer that holds weights once, from the output down, through nested models."""
    layers = [step.operation for step in reversed(unroll(model).steps) if getattr(step.operation, "weights", ())]
    return list({id(layer): layer for layer in layers}.values())


def _shuffle(weight: Any, generator: np.random.Generator) -> np.ndarray:
    values = np.asarray(keras.ops.convert_to_numpy(weight))
    return generator.permutation(values.ravel()).reshape(values.shape)


@contextmanager
def _weights_replaced(replaced: list[tuple[Any, np.ndarray]]) -> Iterator[None]:
    """Let other values stand in for weights while the block runs."""
    mapping = [(weight, keras.ops.convert_to_tensor(values, dtype=weight.dtype)) for weight, values in replaced]
    with keras.StatelessScope(state_mapping=mapping):
        yield


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's correlation of two heat-maps: NaN if the first is blank, 0 if the second is."""
    if np.ptp(first) == 0.0:
        return float("nan")
    if np.ptp(second) == 0.0:
        return 0.0
    return float(spearmanr(first.ravel(), second.ravel()).statistic)
