"""Sanity checks of explanations: repeatability, dependence on the weights, faithfulness."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.errors import ExplanationWarning
from breastcls.explanation.checks.faithfulness import Faithfulness, measure_faithfulness
from breastcls.explanation.checks.parameter_randomisation import randomise_parameters
from breastcls.explanation.explain import explain
from breastcls.result import Result

# Above this rank correlation with the heat-maps of random weights, heat-maps are said to be independent of the weights.
HIGHEST_SIMILARITY = 0.7


@dataclass(frozen=True, eq=False, repr=False)
class SanityReport(Result):
    """The result of `check_explanation`.

    Attributes:
        method: The name of the method.
        layers: The last randomised layer of each stage: all layers from the output to this one have random weights.
        similarity: float64 (stages, n): rank correlation of each heat-map with that of the randomised model; NaN where
            the heat-map is blank.
        repeat_difference: Largest difference between the heat-maps of two equal calls; 0 is expected.
        faithfulness: Deletion and insertion curves.
        flagged: Number of heat-maps with a flag.
    """

    method: str
    layers: tuple[str, ...]
    similarity: np.ndarray
    repeat_difference: float
    faithfulness: Faithfulness
    flagged: int

    @property
    def randomised_similarity(self) -> float:
        """Median rank correlation with the heat-maps of all weights randomised; NaN if all heat-maps are blank."""
        last = self.similarity[-1]
        return float(np.nanmedian(last)) if np.isfinite(last).any() else float("nan")

    @property
    def problems(self) -> tuple[str, ...]:
        """The failed checks as sentences; empty if all passed."""
        found = []
        if self.repeat_difference > 0.0:
            found.append(f"two equal calls differ by up to {self.repeat_difference:.2g}")
        if self.randomised_similarity > HIGHEST_SIMILARITY:
            found.append(
                f"heat-maps change little when all weights are randomised (rank correlation "
                f"{self.randomised_similarity:.2f}): they depend on the image, not on the model"
            )
        areas = self.faithfulness.to_dict()
        if areas["deletion"] >= areas["random_deletion"] and areas["insertion"] <= areas["random_insertion"]:
            found.append("deletion and insertion are no better than in random order")
        if self.flagged:
            found.append(f"{self.flagged} of {self.similarity.shape[1]} heat-maps are flagged")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN becomes None."""
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
            f"Sanity checks of {self.method} on {self.similarity.shape[1]} images: {verdict}\n"
            f"  largest difference of two equal calls {self.repeat_difference:.2g}\n"
            f"  rank correlation with a model of randomised weights {self.randomised_similarity:.2f}\n"
            f"  {self.faithfulness}"
        )


def check_explanation(
    model: Any, images: Any, method: str = "grad-cam", *, seed: int = 0, steps: int = 20, **options: Any
) -> SanityReport:
    """Check a method on a model and some images: repeatability, dependence on the weights, faithfulness.

    Args:
        model: A Keras model.
        images: The images, see `breastcls.explain`.
        method: The name of the method, see `breastcls.explanation.list_methods`.
        seed: Seed of the random weights and of the random order of pixels.
        steps: Number of steps of the deletion and insertion curves.
        **options: Any other argument of `breastcls.explain`.

    Returns:
        The results of the three checks. Printing them shows which failed.

    Raises:
        ExplanationError: If the model or an image cannot be explained.

    References:
        Adebayo et al. 2018, arXiv:1810.03292; Petsiuk et al. 2018, arXiv:1806.07421.
    """
    with warnings.catch_warnings():
        # The report has the number of flags.
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
