"""The registry of baselines."""

from __future__ import annotations

from breastcls.baselines.baseline import Baseline
from breastcls.baselines.colour_baseline import COLOUR
from breastcls.baselines.texture_baseline import TEXTURE_FOREST, TEXTURE_SVM
from breastcls.registry import Registry

BASELINES: Registry[Baseline] = Registry("baseline")
"""Baselines by name, in the order of `list_baselines`."""


def register_baseline(baseline: Baseline) -> Baseline:
    """Register a baseline under its name, and return it.

    Args:
        baseline: The baseline; `score_baselines` and `predict_by_baseline` find it by its `name`.

    Raises:
        RegistryError: If the name is taken.
    """
    return BASELINES.register(baseline.name, baseline)


def list_baselines() -> tuple[str, ...]:
    """Return the names of all baselines.

    Example:
        >>> list_baselines()
        ('colour', 'texture-svm', 'texture-forest')
    """
    return tuple(BASELINES)


for _baseline in (COLOUR, TEXTURE_SVM, TEXTURE_FOREST):
    register_baseline(_baseline)
