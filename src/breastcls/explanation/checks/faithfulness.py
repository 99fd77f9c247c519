"""Faithfulness of heat-maps: deletion, insertion, and removal with imputation (ROAD)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from breastcls.argument_checks import check_count
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
from breastcls.explanation.checks.pixel_orders import centre_map, random_maps
from breastcls.explanation.checks.removal_curves import CURVES, ROAD_FRACTIONS, RemovalCurves
from breastcls.explanation.forward_model import open_scores
from breastcls.explanation.target_score import open_target
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness(Result):
    """Deletion, insertion and ROAD curves of heat-maps, compared with random maps and with a map of the centre.

    A heat-map of what the model uses has a smaller area under the deletion and the ROAD curve, and a larger area under
    the insertion curve, than both baselines. A gain whose confidence interval includes zero may be due to chance.

    Attributes:
        method: The name of the method.
        fractions: float64 (steps + 1,), fraction of the pixels that are deleted or inserted, 0 to 1.
        curves: By curve (`"deletion"`, `"insertion"`, `"imputation"`, which is ROAD) and map (`"heat-map"`,
            `"random"`, `"centre"`): float32 (n, points), the probability of the explained class; where a difference
            of two classes was explained, the probability of the first against the second, and where a function was, its
            values. The points of `"imputation"` are `imputed_fractions`.
        cases: int64 (n,), the number of the case of each image.
        bootstrap: How the confidence intervals over cases are computed.
        imputed_fractions: Fractions of the pixels that are imputed from the others.
        of_probabilities: Whether the curves are of probabilities, whose confidence intervals stay within 0 to 1, and
            not of a function of the scores.
        cases_known: Whether the cases are known, or each image is counted as a case of its own.
    """

    method: str
    fractions: np.ndarray
    curves: Mapping[str, Mapping[str, np.ndarray]]
    cases: np.ndarray
    bootstrap: Bootstrap
    imputed_fractions: tuple[float, ...] = ROAD_FRACTIONS
    of_probabilities: bool = True
    cases_known: bool = True

    def area(self, curve: str, map_: str = HEATMAP) -> np.ndarray:
        """Return the area under a curve, for ROAD its mean, per image: float64 (n,), 0..1 for probabilities.

        Args:
            curve: `"deletion"`, `"insertion"` or `"imputation"`.
            map_: `"heat-map"`, `"random"` or `"centre"`.
        """
        values = self.curves[curve][map_].astype(np.float64)
        if curve == "imputation":
            return np.asarray(values.mean(axis=1))
        return np.asarray(np.trapezoid(values, self.fractions, axis=1))

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per curve: `value` with its CI, `random`, `centre`, and the paired gains over both with their CI."""
        areas = {curve: {name: self.area(curve, name) for name in MAPS} for curve in CURVES}
        return compare_with_baselines(
            areas, CURVES, self.cases, self.bootstrap, within_one=self.of_probabilities, cases_known=self.cases_known
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON values."""
        return baseline_values(self.method, self.table, self.cases, self.cases_known)

    def __str__(self) -> str:
        return baseline_text(f"Faithfulness of {self.method}", self.table, self.cases, self.bootstrap, self.cases_known)


def measure_faithfulness(
    model: Any,
    explanation: Any,
    *,
    steps: int = 10,
    deleted: str = "mean",
    inserted_into: str = "blur",
    cases: Sequence[str] | None = None,
    bootstrap: Bootstrap | None = None,
    batch_size: int = 8,
    engine: str | None = None,
    seed: int = 0,
) -> Faithfulness:
    """Measure the probability of the explained class while pixels are removed in the order of the heat-map.

    Deletion replaces pixels by a baseline image, insertion starts from another and adds the pixels of the image, and
    ROAD replaces pixels by the mean of their neighbours, which leaves no edges. The same is done in the order of random
    maps, and from the centre outwards.

    Args:
        model: The model that was explained.
        explanation: Its heat-maps, the result of `explain`.
        steps: Number of equal parts of the pixels for deletion and insertion, with one forward pass each.
        deleted: The baseline image whose pixels replace deleted ones, see `make_baseline`.
        inserted_into: The baseline image into which pixels are inserted.
        cases: The case of each image. None takes those of the dataset that was explained; without any, each image is a
            case of its own.
        bootstrap: How the confidence intervals over cases are computed; default: `Bootstrap(seed=seed)`.
        batch_size: Number of images in one forward pass.
        engine: What runs a Keras model; see `breastcls.predict`.
        seed: Seed of the random maps, of the order of equal values and of the noise of the imputation.

    Returns:
        A `Faithfulness`: the curves of the heat-maps, of random maps and of a map of the centre, and a table of the
        areas under them with confidence intervals over cases.

    Raises:
        ExplanationError: If `steps` is less than one, there is no such baseline image, the number of cases differs from
            that of the images, or the explained function of the scores is not known, because the explanation was
            pickled.

    References:
        Deletion and insertion: Petsiuk, Das and Saenko 2018, arXiv:1806.07421. ROAD: Rong et al. 2022,
        arXiv:2202.00449.

    Example:
        >>> import breastcls as bc
        >>> model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
        >>> explanation = bc.explain(model, images, "smooth-grad", samples=2)
        >>> measured = measure_faithfulness(model, explanation, steps=2)
        >>> measured.table.index.tolist(), measured.area("deletion").shape
        (['deletion', 'insertion', 'imputation'], (2,))
    """
    check_count("steps", steps, error=ExplanationError)
    cases = explanation.cases if cases is None else cases
    found = check_cases(cases, len(explanation.heatmaps))
    images = explanation.images.astype(np.float32)
    scored = open_scores(model, explanation.images, batch_size, "faithfulness", engine=engine)
    targeted, targets = open_target(scored, explanation)
    removal = RemovalCurves(
        targeted, images, targets, steps=steps, deleted=deleted, inserted_into=inserted_into, seed=seed
    )
    of_maps = {HEATMAP: removal.measure(explanation.heatmaps), **baseline_curves(removal, images, seed)}
    return Faithfulness(
        method=explanation.method,
        fractions=removal.fractions,
        curves={curve: {name: of_maps[name][curve] for name in MAPS} for curve in CURVES},
        cases=found,
        bootstrap=bootstrap or Bootstrap(seed=seed),
        of_probabilities=removal.of_probabilities,
        cases_known=cases is not None,
    )


def baseline_curves(removal: RemovalCurves, images: np.ndarray, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Return the curves of the random maps and of the map of the centre."""
    count, size = len(images), (images.shape[1], images.shape[2])
    return {
        RANDOM: removal.measure(random_maps(count, size, seed)),
        CENTRE: removal.measure(np.repeat(centre_map(size)[np.newaxis], count, axis=0)),
    }
