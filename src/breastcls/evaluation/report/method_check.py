"""The check of the explanation method, in one sentence below the heat-maps of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from breastcls.errors import ExplanationError

# The check computes about ten heat-maps of each image.
MOST_IMAGES = 4


def check_in_words(model: Any, files: Sequence[str], method: str, classes: Sequence[str]) -> str:
    """Return whether a method passes `check_explanation` on some images, in one sentence.

    Deletion and insertion are not measured: they take longer than all other checks, and need more images.

    Args:
        model: The model of the report.
        files: The images that have heat-maps; the first ones are used.
        method: The explanation method.
        classes: The class names.

    Returns:
        The sentence; "" where there is no image, or the model has no weights that could be randomised.
    """
    from breastcls.explanation.checks.sanity_checks import check_explanation
    from breastcls.models.runtime_model import RuntimeModel

    if not files or isinstance(model, RuntimeModel):
        return ""
    try:
        return check_explanation(model, list(files[:MOST_IMAGES]), method, removal=False, classes=classes).sentence
    except ExplanationError:
        # The heat-maps themselves were computed; a model without weights cannot be checked.
        return ""
