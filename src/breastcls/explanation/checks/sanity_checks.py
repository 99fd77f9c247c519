"""Checks of an explanation method: repeatability, dependence on weights and labels, stability, faithfulness."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.errors import ExplanationWarning
from breastcls.explanation.checks.faithfulness import Faithfulness, measure_faithfulness
from breastcls.explanation.checks.label_randomisation import randomise_labels
from breastcls.explanation.checks.parameter_randomisation import randomise_parameters
from breastcls.explanation.checks.stability import shift_stability, stain_stability
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.intervals.minimum_cases import FEW_CASES
from breastcls.result import Result
from breastcls.text_tables import format_count

# Above this rank correlation with the heat-maps of random weights or labels, the check reports that heat-maps do not
# depend on them.
HIGHEST_SIMILARITY = 0.7
# Below this rank correlation with the heat-maps of a slightly changed image, the check reports unstable heat-maps. A
# shift by a third of a position costs a map of 7 x 7 positions about half of the correlation by interpolation alone.
LOWEST_STABILITY = 0.3
# Stages of the randomisation of weights; after the second, the upper half of the layers is random.
STAGES = 4
# By rank correlation that must be low: when heat-maps must change, and what it means if they do not.
_MUST_CHANGE = {
    "randomised weights": ("all weights are randomised", "they depend on the image, not on the model"),
    "randomised weights of the upper half of the layers": (
        "the weights of the upper half of the layers are randomised",
        "they depend little on the later layers",
    ),
    "random labels": (
        "the last layer is fitted to random labels",
        "they depend little on what the last layer learned",
    ),
}
# By rank correlation that must be high: when heat-maps must hardly change.
_MUST_STAY = {"other stain": "the stain changes a little", "shift": "the image is shifted"}


@dataclass(frozen=True, eq=False, repr=False)
class SanityReport(Result):
    """The result of `check_explanation`.

    Attributes:
        method: The name of the method.
        layers: The last randomised layer of each stage: all layers from the output to this one have random weights.
        similarity: float64 (stages, n): rank correlation of each heat-map with that of the randomised model; NaN where
            the heat-map is blank.
        upper_half: The row of `similarity` in which the upper half of the layers is random, at least two of them.
        label_similarity: float64 (n,): rank correlation with the heat-maps of the model whose last layer is fitted to
            random labels; None if the model does not end in one dense layer.
        stain_stability: float64 (n,): rank correlation with the heat-maps of the images in another stain.
        shift_stability: float64 (n,): rank correlation with the heat-maps of shifted images, shifted back.
        repeat_difference: Largest difference between the heat-maps of two equal calls; 0 is expected.
        faithfulness: Deletion, insertion and ROAD, or None if they were not measured.
        flagged: Number of heat-maps with a flag.
    """

    method: str
    layers: tuple[str, ...]
    similarity: np.ndarray
    upper_half: int
    label_similarity: np.ndarray | None
    stain_stability: np.ndarray
    shift_stability: np.ndarray
    repeat_difference: float
    faithfulness: Faithfulness | None
    flagged: int

    @property
    def randomised_similarity(self) -> float:
        """Median rank correlation with the heat-maps of all weights randomised; NaN if all heat-maps are blank."""
        return _median(self.similarity[-1])

    @property
    def upper_half_similarity(self) -> float:
        """Median rank correlation with the heat-maps of the upper half of the layers randomised."""
        return _median(self.similarity[self.upper_half])

    @property
    def medians(self) -> dict[str, float]:
        """The median over images of each rank correlation; NaN where it is not known."""
        return {
            "randomised weights": self.randomised_similarity,
            "randomised weights of the upper half of the layers": self.upper_half_similarity,
            "random labels": float("nan") if self.label_similarity is None else _median(self.label_similarity),
            "other stain": _median(self.stain_stability),
            "shift": _median(self.shift_stability),
        }

    @property
    def problems(self) -> tuple[str, ...]:
        """The failed checks as sentences; empty if all passed."""
        found = []
        if self.repeat_difference > 0.0:
            found.append(f"two equal calls differ by up to {self.repeat_difference:.2g}")
        medians = self.medians
        for changed, (what, reason) in _MUST_CHANGE.items():
            if medians[changed] > HIGHEST_SIMILARITY:
                found.append(f"heat-maps change little when {what} (rank correlation {medians[changed]:.2f}): {reason}")
        for changed, what in _MUST_STAY.items():
            if medians[changed] < LOWEST_STABILITY:
                found.append(f"heat-maps are unstable when {what} (rank correlation {medians[changed]:.2f})")
        measured = self._estimable_faithfulness
        if measured is not None and _is_worse_than_random(measured):
            found.append("deletion, insertion and ROAD are on average no better than for random maps")
        if self.flagged:
            found.append(f"{self.flagged} of {self.similarity.shape[1]} heat-maps are flagged")
        return tuple(found)

    @property
    def not_estimable(self) -> tuple[str, ...]:
        """The checks without a result.

        A rank correlation is missing where heat-maps are blank or the model has no last dense layer. Fewer than five
        cases do not show whether heat-maps are better than random maps, and images of unknown cases not that they are.
        """
        missing = [changed for changed, value in self.medians.items() if not np.isfinite(value)]
        few = self.faithfulness is not None and self._estimable_faithfulness is None
        return (*missing, *(["faithfulness"] if few else []))

    @property
    def _estimable_faithfulness(self) -> Faithfulness | None:
        """Deletion, insertion and ROAD, if they were measured on enough cases for a result."""
        measured = self.faithfulness
        if measured is None or len(np.unique(measured.cases)) < FEW_CASES:
            return None
        # Images of unknown cases may be of one: they can fail, but not pass.
        return measured if measured.cases_known or _is_worse_than_random(measured) else None

    @property
    def _no_gain_shown(self) -> bool:
        """Whether no confidence interval of the gain over random maps excludes 0, so that the maps may be no better."""
        measured = self._estimable_faithfulness
        return measured is not None and not (measured.table["gain_random_low"] > 0).any()

    @property
    def verdict(self) -> str:
        """The failed checks, or that all passed, and the checks that are not estimable or do not show a gain."""
        passed = "passed" if self.not_estimable or self._no_gain_shown else "all passed"
        verdict = f"failed: {'; '.join(self.problems)}" if self.problems else passed
        verdict += f"; not estimable: {', '.join(self.not_estimable)}" if self.not_estimable else ""
        return verdict + ("; not shown: that heat-maps are better than random maps" if self._no_gain_shown else "")

    @property
    def sentence(self) -> str:
        """The result in one sentence, for a report."""
        title = METHODS[self.method].title
        removal = ", removal of pixels" if self.faithfulness is not None else ""
        return (
            f"Checks of {title} on {format_count(self.similarity.shape[1], 'image')} (equal calls, randomised weights "
            f"and labels, another stain, a shift{removal}): {self.verdict}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN becomes None."""
        return {
            "method": self.method,
            "layers": list(self.layers),
            "similarity": [_to_json(row) for row in self.similarity],
            "label_similarity": None if self.label_similarity is None else _to_json(self.label_similarity),
            "stain_stability": _to_json(self.stain_stability),
            "shift_stability": _to_json(self.shift_stability),
            "repeat_difference": self.repeat_difference,
            "faithfulness": None if self.faithfulness is None else self.faithfulness.to_dict(),
            "flagged": self.flagged,
            "problems": list(self.problems),
            "not_estimable": list(self.not_estimable),
        }

    def __str__(self) -> str:
        lines = [
            f"Checks of {self.method} on {format_count(self.similarity.shape[1], 'image')}: {self.verdict}",
            f"  largest difference of two equal calls {self.repeat_difference:.2g}",
            "  median rank correlation with the heat-maps of",
        ]
        for changed, value in self.medians.items():
            expected = "high" if changed in _MUST_STAY else "low"
            shown = f"{value:.2f}" if np.isfinite(value) else "not estimable"
            lines.append(f"    {changed}: {shown} ({expected} is expected)")
        if self.faithfulness is not None:
            lines += [f"  {line}" for line in str(self.faithfulness).splitlines()]
        return "\n".join(lines)


def check_explanation(
    model: Any,
    images: Any,
    method: str = "grad-cam",
    *,
    seed: int = 0,
    steps: int = 10,
    removal: bool = True,
    **options: Any,
) -> SanityReport:
    """Check an explanation method on a model and some images.

    The heat-maps are computed again for an equal call (they must be equal), with randomised weights and with a last
    layer that is fitted to random labels (they must change), and for images in another stain and shifted by a few
    pixels (they should hardly change). Deletion, insertion and ROAD are measured. During the call the weights of the
    model have other values, so that no other thread may use the model; they are restored at the end, also after an
    error.

    Args:
        model: A Keras model.
        images: A `Dataset`, or images in any other form that `breastcls.explain` takes. Four to eight are enough; if
            the removal of pixels is measured, they should be a `Dataset` of five cases or more.
        method: The name of the method, see `breastcls.explanation.list_methods`.
        seed: Seed of all random draws.
        steps: Number of steps of the deletion and insertion curves.
        removal: Whether deletion, insertion and ROAD are measured, which takes most of the time.
        **options: Any other argument of `breastcls.explain`.

    Returns:
        The results; printed, they state which checks failed.

    Raises:
        ExplanationError: If the model or an image cannot be explained.

    References:
        Adebayo et al. 2018, arXiv:1810.03292; Petsiuk et al. 2018, arXiv:1806.07421; Rong et al. 2022,
        arXiv:2202.00449.

    Example:
        >>> import breastcls as bc
        >>> model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
        >>> report = check_explanation(model, images, "smooth-grad", samples=2, removal=False)
        >>> report.repeat_difference, report.shift_stability.shape
        (0.0, (2,))
    """
    with warnings.catch_warnings():
        # The report has the number of flags.
        warnings.simplefilter("ignore", ExplanationWarning)
        explanation = explain(model, images, method, **options)
        again = explain(model, images, method, **options)
        layers, similarity = randomise_parameters(model, images, explanation, stages=STAGES, seed=seed, **options)
        label_similarity = randomise_labels(model, images, explanation, seed=seed, **options)
        stain = stain_stability(model, explanation, seed=seed, **options)
        shift = shift_stability(model, explanation, **options)
    return SanityReport(
        method=method,
        layers=layers,
        similarity=similarity,
        # With fewer layers than stages the first stage may be a single layer, which is the head in most networks.
        upper_half=min(max(1, round(len(layers) / 2) - 1), len(layers) - 1),
        label_similarity=label_similarity,
        stain_stability=stain,
        shift_stability=shift,
        repeat_difference=float(np.abs(explanation.heatmaps - again.heatmaps).max()),
        faithfulness=measure_faithfulness(model, explanation, steps=steps, seed=seed) if removal else None,
        flagged=sum(map(bool, explanation.flags)),
    )


def _is_worse_than_random(measured: Faithfulness) -> bool:
    return bool(measured.table["gain_random"].mean() <= 0)


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def _to_json(row: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in row]
