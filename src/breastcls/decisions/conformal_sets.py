"""Fitted prediction sets: the classes that they contain for other predictions, and their coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.decisions.conformal_coverage import measure_coverage
from breastcls.errors import EvaluationError, LeakageError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.metrics.classification_metrics import require_labels
from breastcls.models.calibration_identity import name_calibration, require_same_calibration
from breastcls.models.prediction_sets import select_sets
from breastcls.predictions.independence import count_shared_cases
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result
from breastcls.text_tables import format_count, limitation_lines


@dataclass(frozen=True, repr=False)
class ConformalSets(Result):
    """Fitted prediction sets: a class belongs to the set if its score does not exceed its limit.

    Attributes:
        coverage: Nominal probability that the set of an image drawn from a new case contains its class; each case has
            the same weight, however many images it has.
        score: "aps" or "lac"; see `fit_conformal`.
        by: "case", or "image" if every image counted as independent.
        per_class: Whether the coverage is guaranteed for each class separately.
        classes: Class names.
        limits: One per class; infinite where there were too few cases to exclude the class from any set.
        images: Number of rows it was fitted on.
        cases: Cases it was fitted on; `assess` refuses to score the sets on one of them, and `evaluate` treats those of
            sets that are stored with a model as seen in training.
        level: What one row was in the fit: "image", "slide" or "case".
        aggregation_method: How the images were aggregated, where a row was a slide or a case.
        part: Part of the data that the predictions are of, if stated: the coverage is not proved for "out-of-fold".
        calibration: Method and fingerprint of the calibration of the predictions, "none" where they recorded none, None
            where that is not known.
        limitations: Sentences on how well these cases support the coverage.
    """

    coverage: float
    score: str
    by: str
    per_class: bool
    classes: tuple[str, ...]
    limits: tuple[float, ...]
    images: int = 0
    cases: tuple[str, ...] = ()
    level: str = "image"
    aggregation_method: str | None = None
    part: str | None = None
    calibration: str | None = None
    limitations: tuple[str, ...] = ()

    def __str__(self) -> str:
        each = " of each class" if self.per_class else ""
        cases = format_count(len(self.cases), "case") if self.cases else "unknown cases"
        line = (
            f"Prediction sets by {self.score}: nominal coverage {100 * self.coverage:g}%{each} over {self.by}s; fitted "
            f"on {format_count(self.images, self.level)} of {cases}"
        )
        return "\n".join([line, *limitation_lines(self.limitations)])

    def sets(self, predictions: Predictions) -> npt.NDArray[np.bool_]:
        """Return which classes belong to each row's set, bool (n, classes).

        Raises:
            EvaluationError: If the classes, the level, the aggregation or the calibration differ from those of the fit.
        """
        if predictions.classes != self.classes:
            raise EvaluationError(
                f"The prediction sets were fitted for the classes {self.classes}; the predictions have the classes "
                f"{predictions.classes}. Fit them on predictions of these classes."
            )
        if predictions.level != self.level:
            raise EvaluationError(
                f"The prediction sets were fitted on predictions by {self.level}; these are by {predictions.level}. "
                "Fit the sets on `aggregate(...)` of the validation predictions."
            )
        methods = (self.aggregation_method, predictions.aggregation_method)
        if methods[0] != methods[1] and None not in methods:
            raise EvaluationError(
                f"The prediction sets were fitted on images aggregated by {methods[0]}; these were aggregated by "
                f"{methods[1]}. Aggregate both in the same way."
            )
        used = name_calibration(predictions.calibration)
        require_same_calibration(self.calibration, used, "The prediction sets were fitted", "fit_conformal")
        return select_sets(predictions.probabilities, self.score, self.limits)

    def assess(
        self, predictions: Predictions, bootstrap: Bootstrap | None = None, *, allow_leakage: bool = False
    ) -> pd.DataFrame:
        """Return coverage and size of the sets on predictions of other cases, with confidence intervals over cases.

        The nominal coverage is a mean over cases, and so is `coverage`. Where difficult cases have more or fewer images
        than easy ones the fraction of images covered may differ from it; it is reported separately.

        Args:
            predictions: With known classes, of none of the cases that the sets were fitted on. Without names of cases
                that cannot be checked.
            bootstrap: How confidence intervals are computed; default: 2000 resamples, 95%, expanded percentile.
            allow_leakage: Continue although they are of the same cases.

        Returns:
            One row for all images ("all classes") and one for those of each class, columns `coverage` (mean over cases
            of the fraction of a case's images whose set contains their class, to be compared with the nominal one),
            `images_covered` (the fraction of all images whose set does), `size` (mean number of classes in a set),
            `single` (fraction of images whose set is of one class), `single_right` (of those, the fraction that is
            right) and `empty`, each also with `_low` and `_high`, and `images`. NaN where there is nothing to count.

        Raises:
            EvaluationError: If the sets do not fit the predictions or a class is not known.
            LeakageError: If they are of cases that the sets were fitted on and `allow_leakage` is not set.
        """
        shared = count_shared_cases(predictions, self.cases)
        if shared and not allow_leakage:
            raise LeakageError(
                f"The sets were fitted on {shared} of these cases; on them they contain the true class more often "
                "than on new ones. Assess them on other cases, or pass allow_leakage=True to assess them nevertheless."
            )
        require_labels(predictions)
        return measure_coverage(predictions, self.sets(predictions), bootstrap or Bootstrap())

    def describe(
        self, predictions: Predictions, bootstrap: Bootstrap | None = None, *, allow_leakage: bool = False
    ) -> dict[str, Any]:
        """Return the guarantee and the result of `assess`, for `Evaluation.with_sections(conformal=...)`.

        Args:
            predictions: Predictions of test images with known classes, as for `assess`.
            bootstrap: How confidence intervals are computed; default: `Bootstrap()`.
            allow_leakage: Whether predictions of cases that the sets were fitted on are accepted.

        Raises:
            EvaluationError: As in `assess`.
        """
        unproved = "not proved: fitted on out-of-fold predictions, which come from models other than the one used"
        row = "case" if self.level == "case" else f"{self.level} of a new case"
        guaranteed = (
            f"for a new {row}, with equal weights of all cases, if cases are exchangeable"
            if self.by == "case"
            else f"for a new {self.level}, if {self.level}s are exchangeable"
        )
        return {
            "nominal_coverage": self.coverage,
            "fitted_on": f"{self.part or 'validation'} predictions by {self.level}",
            "guarantee": unproved if self.part == "out-of-fold" else guaranteed,
            "measured": f"coverage as the mean over cases, all else over {self.level}s",
            "score": self.score,
            "calibrated_over": f"{self.by}s",
            "class_conditional": "yes" if self.per_class else "no",
            "validation_images": self.images,
            "validation_cases": len(self.cases),
            "limitations": " ".join(self.limitations) or None,
            "sets": self.assess(predictions, bootstrap, allow_leakage=allow_leakage),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON; an infinite limit becomes None."""
        return {
            "coverage": self.coverage,
            "score": self.score,
            "by": self.by,
            "per_class": self.per_class,
            "classes": list(self.classes),
            "limits": [limit if math.isfinite(limit) else None for limit in self.limits],
            "images": self.images,
            "cases": list(self.cases),
            "level": self.level,
            "aggregation_method": self.aggregation_method,
            "part": self.part,
            "calibration": self.calibration,
            "limitations": list(self.limitations),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ConformalSets:
        """Make the sets from what `to_dict` returned."""
        return cls(
            coverage=values["coverage"],
            score=values["score"],
            by=values["by"],
            per_class=values["per_class"],
            classes=tuple(values["classes"]),
            limits=tuple(math.inf if limit is None else float(limit) for limit in values["limits"]),
            images=values["images"],
            cases=tuple(values["cases"]),
            level=values["level"],
            aggregation_method=values.get("aggregation_method"),
            part=values.get("part"),
            calibration=values.get("calibration"),
            limitations=tuple(values.get("limitations") or ()),
        )
