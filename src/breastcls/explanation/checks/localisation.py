"""Localisation of heat-maps against masks: pointing game, overlap, and the share of evidence inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from breastcls.errors import ExplanationError
from breastcls.explanation.checks.baseline_table import (
    CENTRE,
    HEATMAP,
    MAPS,
    RANDOM,
    baseline_text,
    baseline_values,
    compare_with_baselines,
)
from breastcls.explanation.checks.case_means import check_cases
from breastcls.explanation.checks.pixel_orders import centre_map
from breastcls.explanation.input_region import place_heatmap
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.result import Result
from breastcls.text_tables import format_count

MEASURES = {"pointing": "higher", "iou": "higher", "inside": "higher"}


@dataclass(frozen=True, eq=False, repr=False)
class Localisation(Result):
    """How well heat-maps agree with masks of what they should show.

    Attributes:
        method: The name of the method.
        values: By measure and map (`"heat-map"`, `"random"`, `"centre"`): float64 (n,), NaN for an image whose mask is
            empty or full. `"pointing"`: 1 if the highest value is inside the mask, else 0; `"iou"`: intersection over
            union of the mask and as many pixels of the highest values; `"inside"`: the share of evidence inside the
            mask. A blank heat-map has 0 of each. The values of `"random"` are the expectations of a random map.
        cases: int64 (n,), the number of the case of each image.
        bootstrap: How the confidence intervals over cases are computed.
        cases_known: Whether the cases are known, or each image is counted as a case of its own.
    """

    method: str
    values: dict[str, dict[str, np.ndarray]]
    cases: np.ndarray
    bootstrap: Bootstrap
    cases_known: bool = True

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per measure: `value` with its CI, `random`, `centre`, and the paired gains with their CI."""
        return compare_with_baselines(self.values, MEASURES, self.cases, self.bootstrap, cases_known=self.cases_known)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON values, with the numbers of images and cases that were measured."""
        return baseline_values(self.method, self.table, self.cases[self._measured], self.cases_known)

    def __str__(self) -> str:
        cases = self.cases[self._measured]
        text = baseline_text(f"Localisation of {self.method}", self.table, cases, self.bootstrap, self.cases_known)
        left_out = len(self.cases) - len(cases)
        more = f"\n{format_count(left_out, 'further image')} with an empty or a full mask left out." if left_out else ""
        return text + more

    @property
    def _measured(self) -> np.ndarray:
        return np.asarray(np.isfinite(self.values["inside"][HEATMAP]))


def measure_localisation(
    explanation: Any,
    masks: Sequence[np.ndarray] | np.ndarray,
    *,
    cases: Sequence[str] | None = None,
    bootstrap: Bootstrap | None = None,
) -> Localisation:
    """Compare heat-maps with masks of the regions that they should show, such as nuclei or tumour.

    Args:
        explanation: The result of `explain`.
        masks: One mask per image at the image's own size, (height, width), true inside.
        cases: The case of each image. None takes those of the dataset that was explained; without any, each image is a
            case of its own.
        bootstrap: How the confidence intervals over cases are computed; default: `Bootstrap()`.

    Returns:
        A `Localisation`: the measures of the heat-maps, of random maps and of a map of the centre, with confidence
        intervals over cases.

    Raises:
        ExplanationError: If there is not one mask for each image, of its size, or a mask has NaN.

    References:
        Pointing game: Zhang et al. 2018, DOI 10.1007/s11263-017-1059-x.

    Example:
        >>> import breastcls as bc
        >>> model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
        >>> masks = np.zeros((2, 32, 32), bool)
        >>> masks[:, :16] = True
        >>> measured = measure_localisation(bc.explain(model, images, "smooth-grad", samples=2), masks)
        >>> measured.table["random"].round(2).to_dict()
        {'pointing': 0.5, 'iou': 0.33, 'inside': 0.5}
    """
    count = len(explanation.heatmaps)
    if len(masks) != count:
        raise ExplanationError(
            f"There are {format_count(len(masks), 'mask')} for {format_count(count, 'heat-map')}; expected one each."
        )
    cases = explanation.cases if cases is None else cases
    found = check_cases(cases, count)
    centre = centre_map(explanation.heatmaps.shape[1:])
    values = {measure: {name: np.full(count, np.nan) for name in MAPS} for measure in MEASURES}
    for number, mask in enumerate(masks):
        size = (int(explanation.sizes[number, 0]), int(explanation.sizes[number, 1]))
        inside = np.asarray(mask)
        if inside.dtype.kind == "f" and np.isnan(inside).any():
            raise ExplanationError(
                f"Mask {number} has NaN; expected true or a positive number inside, and 0 elsewhere."
            )
        inside = inside.astype(bool)
        if inside.shape != size:
            raise ExplanationError(f"Mask {number} has the shape {inside.shape}; its image has {size}.")
        heat = explanation.heatmap(number)
        # Pixels outside of the model's input are not counted.
        seen = np.isfinite(heat)
        within = inside[seen]
        share = float(within.mean()) if len(within) else 0.0
        if not 0.0 < share < 1.0:
            continue
        placed = place_heatmap(centre, size, explanation.resize)
        for name, map_ in ((HEATMAP, heat), (CENTRE, placed)):
            for measure, value in _compare(map_[seen], within).items():
                values[measure][name][number] = value
        # The maximum of a random map is anywhere, and its highest pixels overlap with the mask as any others do.
        for measure, value in (("pointing", share), ("iou", share / (2.0 - share)), ("inside", share)):
            values[measure][RANDOM][number] = value
    return Localisation(explanation.method, values, found, bootstrap or Bootstrap(), cases is not None)


def _compare(heat: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    """Return the measures of one map, both (pixels,)."""
    total = float(heat.sum(dtype=np.float64))
    if total <= 0.0:
        return dict.fromkeys(MEASURES, 0.0)
    area = int(inside.sum())
    highest = np.zeros(len(heat), dtype=bool)
    highest[np.argsort(-heat, kind="stable")[:area]] = True
    both = int((highest & inside).sum())
    top = heat == heat.max()
    return {
        # A map that is cut off at a percentile has several maxima: the share of them that is inside is used.
        "pointing": float(inside[top].mean()),
        "iou": both / (2 * area - both),
        "inside": float(heat[inside].sum(dtype=np.float64)) / total,
    }
