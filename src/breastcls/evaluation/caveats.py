"""What to keep in mind with the numbers, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from breastcls.evaluation.predictions import Predictions

FEW_CASES = 5
LEAKING = "Training and test images are not independent: these scores are too good for new cases."
NO_CASES = (
    "Cases are not known, so every image counts as its own: intervals are too narrow if cases have several images."
)


def few_cases(counts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each class that is there with fewer than five cases."""
    sentences = []
    for name, of_class in counts["classes"].items():
        cases = of_class["cases"]
        if 0 < cases < FEW_CASES:
            one = "1 case" if cases == 1 else f"{cases} cases"
            also = "it cannot tell how other cases of it would fare" if cases == 1 else "it is likely too narrow"
            sentences.append(f"The class {name} has only {one} in the test set: take its interval with care, {also}.")
    return tuple(sentences)


def find_caveats(
    predictions: Predictions,
    scored: Predictions,
    metrics: pd.DataFrame,
    counts: Mapping[str, Any],
    leaking: bool,
) -> tuple[str, ...]:
    """Return the caveats of an evaluation.

    Args:
        predictions: By image.
        scored: At the level that was scored.
        metrics: The figures.
        counts: As `count_units` returns.
        leaking: Whether training and test are not independent.
    """
    caveats: list[str] = []
    if leaking:
        caveats.append(LEAKING)
    absent = [name for name, of_class in counts["classes"].items() if of_class["images"] == 0]
    if absent:
        caveats.append(
            f"The test set holds no image of {', '.join(absent)}: figures that need it are not defined, means over "
            "classes are over the others."
        )
    if counts["cases"] == 1:
        caveats.append("All images are of one case: no interval can be given, since nothing is known of other cases.")
    if predictions.cases is None:
        caveats.append(NO_CASES)
    else:
        caveats += few_cases(counts)
    if predictions.slides is None:
        caveats.append("Slides are not known, so there is no patient recognition rate.")
    decided = set(np.unique(scored.decisions).tolist())
    never = [name for index, name in enumerate(scored.classes) if index not in decided]
    if never:
        caveats.append(f"The model never decided for {', '.join(never)}: its precision counts as 0.")
    if scored.level != predictions.level:
        caveats.append(f"Scored by {scored.level}: {len(scored)} {scored.level}s stand for {len(predictions)} images.")
    missing = metrics["value"].notna() & metrics["low"].isna()
    if missing.any() and counts["cases"] > 1:
        names = ", ".join(str(name) for name in metrics.index[missing])
        caveats.append(f"No interval can be given for {names}: too few cases alike.")
    return tuple(caveats)
