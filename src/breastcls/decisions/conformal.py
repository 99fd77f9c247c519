"""Conformal prediction: sets of classes with a nominal coverage over cases.

Instead of one class a set is predicted: {malignant} where the model is confident, {benign, malignant} where it is not.
The size of the sets is determined on validation predictions, without assumptions on the model.

The guarantee of ordinary conformal prediction requires exchangeable images. Images of one case are not exchangeable:
they are correlated, and a case with a hundred of them would count a hundred times. Here cases are exchangeable, and
each has the same weight however many images it has; the new case counts as one more, whose score is not known. Then an
image drawn from a new case is covered with at least the nominal probability, for any number of cases. This is
hierarchical conformal prediction (Lee, Barber & Willett 2023, arXiv:2306.06342), an exact version of the pooled
distribution of Dunn, Wasserman & Ramdas 2023 (DOI 10.1080/01621459.2022.2060112).

The guarantee is marginal, over new cases and validation sets together. It does not mean that every case has the same
coverage, nor that it holds in another laboratory. It is exact where the validation cases are as new to the model as the
new ones: strictly, the epoch must not have been chosen on them either.

Out-of-fold predictions are those of several models, none of which is the model in use, so nothing is proved for them.
If each of those models scored the new image separately (cross-validation+, which is not done here), a coverage of about
2 * coverage - 1 would be guaranteed (Barber, Candès, Ramdas & Tibshirani 2021, DOI 10.1214/20-AOS1965). Expect about
the nominal coverage where the models are similar, and `assess` it on other cases.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata, classes_held
from breastcls.intervals.limitations import NO_CASES
from breastcls.intervals.proportion_bounds import Proportions, bound_proportions
from breastcls.intervals.score_tables import wide_score
from breastcls.metrics.classification_metrics import require_labels
from breastcls.metrics.division import divide
from breastcls.models.calibration_identity import name_calibration, require_same_calibration
from breastcls.models.prediction_sets import ROUNDING, conformity_scores, select_sets
from breastcls.predictions.independence import count_shared_cases
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result
from breastcls.text_tables import format_count

Score = Literal["aps", "lac"]
Unit = Literal["case", "image"]
Floats = npt.NDArray[np.float64]
FIGURES = ("coverage", "images_covered", "size", "single", "single_right", "empty")


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

    def __str__(self) -> str:
        each = " of each class" if self.per_class else ""
        return (
            f"Prediction sets by {self.score}: nominal coverage {100 * self.coverage:g}%{each} over {self.by}s; fitted "
            f"on {format_count(self.images, self.level)} of {format_count(len(self.cases), 'case')}"
        )

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
        chosen = self.sets(predictions)
        labels, codes = predictions.labels, case_codes(predictions)
        holds, size = chosen[np.arange(len(labels)), labels], chosen.sum(axis=1)
        single = size == 1
        groups = [np.ones(len(labels), dtype=bool), *(labels == index for index in range(len(self.classes)))]
        cases = int(codes.max()) + 1
        above, below = [], []
        for inside in groups:
            # Of the images of a case, each shares in the weight of one: so the case weighs in the promise.
            each = inside / np.maximum(np.bincount(codes, weights=inside, minlength=cases), 1)[codes]
            right = holds & single
            above += [
                holds * each,
                holds & inside,
                size * inside,
                single & inside,
                right & inside,
                (size == 0) & inside,
            ]
            below += [each, inside, inside, inside, single & inside, inside]
        counted, counts = (
            np.stack([np.bincount(codes, weights=column, minlength=cases) for column in columns], axis=1)
            for columns in (above, below)
        )

        def measure(weights: Floats) -> Floats:
            return divide(weights @ counted, weights @ counts)

        of_classes = classes_held(labels, codes, len(self.classes)).sum(axis=0)
        fewest = of_classes[of_classes > 0].min()
        bootstrap, strata = bootstrap or Bootstrap(), case_strata(labels, codes, len(self.classes))
        support = np.repeat([fewest, *of_classes], len(FIGURES))
        found_bounds = bootstrap.intervals(measure, strata, support)
        # All but the mean size are plain shares.
        is_share = np.arange(counts.shape[1]) % len(FIGURES) != FIGURES.index("size")
        shares = Proportions.from_cases(np.minimum(counted, counts), counts).mask(is_share)
        bounds = bound_proportions(predictions, found_bounds, shares, bootstrap.confidence)
        value, *bounds_of = (
            found.reshape(len(groups), len(FIGURES)) for found in (measure(np.ones((1, cases)))[0], *bounds)
        )
        columns: dict[str, Any] = {}
        for place, name in enumerate(FIGURES):
            columns |= wide_score(name, [value[:, place], *(part[:, place] for part in bounds_of)])
        columns["images"] = [int(inside.sum()) for inside in groups]
        return pd.DataFrame(columns, index=pd.Index(["all classes", *self.classes], name="class"))

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
        promised = (
            f"for a new {row}, with equal weights of all cases, if cases are exchangeable"
            if self.by == "case"
            else f"for a new {self.level}, if {self.level}s are exchangeable"
        )
        return {
            "nominal_coverage": self.coverage,
            "fitted_on": f"{self.part or 'validation'} predictions by {self.level}",
            "guarantee": unproved if self.part == "out-of-fold" else promised,
            "measured": f"coverage as the mean over cases, all else over {self.level}s",
            "score": self.score,
            "calibrated_over": f"{self.by}s",
            "promised_for_each_class": "yes" if self.per_class else "no",
            "validation_images": self.images,
            "validation_cases": len(self.cases),
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
        )


def fit_conformal(
    predictions: Predictions,
    *,
    coverage: float = 0.9,
    score: Score = "aps",
    by: Unit = "case",
    per_class: bool = False,
) -> ConformalSets:
    """Fit prediction sets on validation or out-of-fold predictions.

    The sets are deterministic: the same image always has the same set.

    Args:
        predictions: With known classes; of cases that the model was not trained on, and not of the test set. With
            out-of-fold predictions the coverage is likely, but not proved.
        coverage: Nominal probability that the set of an image drawn from a new case contains its class; each case has
            the same weight, however many images it has. It requires at least coverage / (1 - coverage) cases: 9
            for 0.9, 19 for 0.95.
        score: "aps" (adaptive: a class's score is the probability of all classes that are more probable; a set is never
            empty; Romano, Sesia & Candès 2020, arXiv:2006.02544, without their randomisation) or "lac" (one minus the
            class's probability; the smallest sets on average, some of them empty where no class fits; Sadinle, Lei &
            Wasserman 2019, arXiv:1609.00451).
        by: "case" gives each case the same weight. "image" is ordinary split conformal prediction, whose guarantee does
            not hold where cases have several images; it is provided for comparison.
        per_class: Guarantee the coverage for each class separately (Vovk 2012, arXiv:1209.2673). It requires that many
            cases of each class, and gives larger sets.

    Returns:
        The sets; call `sets` on other predictions, or store them with the model by `store_conformal`.

    Raises:
        EvaluationError: If the predictions are of the training or test set, a class is not known, or an argument is not
            valid.

    Warns:
        EvaluationWarning: If there are so few cases that only sets of all classes have the coverage, or
            cases are not known.

    Example:
        >>> probabilities = [0.9, 0.8, 0.6, 0.3, 0.1, 0.2, 0.4, 0.7, 0.05, 0.95]
        >>> val = Predictions.from_arrays(
        ...     probabilities=probabilities, labels=[1, 1, 1, 1, 0, 0, 0, 0, 0, 1], cases=list("abcdefghij"),
        ...     classes=("benign", "malignant"))
        >>> fitted = fit_conformal(val, coverage=0.9)
        >>> new = Predictions.from_arrays(probabilities=[0.97, 0.6], labels=None, classes=("benign", "malignant"))
        >>> fitted.sets(new).tolist()
        [[False, True], [True, True]]
    """
    _check(predictions, coverage, score, by)
    if by == "case" and predictions.cases is None:
        warnings.warn(NO_CASES, EvaluationWarning, stacklevel=2)
    labels = predictions.labels
    own = conformity_scores(predictions.probabilities, score)[np.arange(len(labels)), labels]
    units = case_codes(predictions) if by == "case" else np.arange(len(labels), dtype=np.int64)
    if per_class:
        parts = [labels == index for index in range(len(predictions.classes))]
        limits = tuple(conformal_limit(own[inside], units[inside], coverage) for inside in parts)
    else:
        limits = (conformal_limit(own, units, coverage),) * len(predictions.classes)
    if not all(math.isfinite(limit) for limit in limits):
        least = math.ceil(coverage / (1 - coverage) - ROUNDING)
        warnings.warn(
            f"A coverage of {coverage:g} can be guaranteed only with at least {least} {by}s"
            + (" of each class" if per_class else "")
            + "; with fewer, every set contains "
            + ("the classes that lack them" if per_class else "all classes")
            + ". Use out-of-fold predictions of more cases, or a lower `coverage`.",
            EvaluationWarning,
            stacklevel=2,
        )
    return ConformalSets(
        coverage=float(coverage),
        score=score,
        by=by,
        per_class=per_class,
        classes=predictions.classes,
        limits=limits,
        images=len(predictions),
        cases=() if predictions.cases is None else tuple(sorted(set(predictions.cases.tolist()))),
        level=predictions.level,
        aggregation_method=predictions.aggregation_method,
        part=predictions.part,
        calibration=name_calibration(predictions.calibration),
    )


def _check(predictions: Any, coverage: float, score: str, by: str) -> None:
    if not isinstance(predictions, Predictions):
        raise EvaluationError(
            "Prediction sets are fitted on validation or out-of-fold `Predictions`, not on "
            f"{type(predictions).__name__}."
        )
    if predictions.part in ("test", "train"):
        why = (
            "look better than they are"
            if predictions.part == "test"
            else "are too small: the model was trained on them"
        )
        raise EvaluationError(
            f"These are {predictions.part} predictions; sets fitted on them {why}. Fit on `predict(model, val)` or on "
            "out-of-fold predictions."
        )
    for name, value, known in (("score", score, get_args(Score)), ("by", by, get_args(Unit))):
        if value not in known:
            raise EvaluationError(f"`{name}` is {value!r}; expected one of {', '.join(map(repr, known))}.")
    if not 0 < coverage < 1:
        raise EvaluationError(f"`coverage` is {coverage}; expected a fraction such as 0.9.")
    require_labels(predictions)


def conformal_limit(scores: Floats, units: npt.NDArray[np.int64], coverage: float) -> float:
    """Return the lowest score up to which units, one more than there are, hold at least the coverage.

    The weight of a unit is divided among its rows; the score of the new unit counts as higher than all.
    """
    if len(scores) == 0:
        return math.inf
    _, codes, sizes = np.unique(units, return_inverse=True, return_counts=True)
    weights = 1.0 / (sizes[codes] * (len(sizes) + 1))
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) >= coverage - ROUNDING
    return float(scores[order[int(reached.argmax())]]) if reached.any() else math.inf
