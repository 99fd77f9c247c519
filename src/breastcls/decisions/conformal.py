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
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from breastcls.argument_checks import check_choice
from breastcls.decisions.conformal_sets import ConformalSets
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.intervals.case_statistics import case_codes
from breastcls.intervals.few_case_support import count_class_cases, few_case_support
from breastcls.intervals.limitations import NO_CASES
from breastcls.metrics.classification_metrics import require_labels
from breastcls.models.calibration_identity import name_calibration
from breastcls.models.prediction_sets import ROUNDING, conformity_scores
from breastcls.predictions.predictions import Predictions

Score = Literal["aps", "lac"]
Unit = Literal["case", "image"]
Floats = npt.NDArray[np.float64]


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
        EvaluationWarning: If there are so few cases that only sets of all classes have the coverage, a class that sets
            may leave out has fewer than five, or cases are not known.

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
    labels = predictions.labels
    own = conformity_scores(predictions.probabilities, score)[np.arange(len(labels)), labels]
    units = case_codes(predictions) if by == "case" else np.arange(len(labels), dtype=np.int64)
    if per_class:
        parts = [labels == index for index in range(len(predictions.classes))]
        limits = tuple(conformal_limit(own[inside], units[inside], coverage) for inside in parts)
    else:
        limits = (conformal_limit(own, units, coverage),) * len(predictions.classes)
    limitations = _limitations(predictions, limits, coverage, by, per_class)
    for limitation in limitations:
        warnings.warn(limitation, EvaluationWarning, stacklevel=2)
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
        limitations=limitations,
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
    check_choice("score", score, get_args(Score), error=EvaluationError)
    check_choice("by", by, get_args(Unit), error=EvaluationError)
    if not 0 < coverage < 1:
        raise EvaluationError(f"`coverage` is {coverage}; expected a fraction such as 0.9.")
    require_labels(predictions)


def _limitations(
    predictions: Predictions, limits: tuple[float, ...], coverage: float, by: str, per_class: bool
) -> tuple[str, ...]:
    """Return sentences on how well the cases of a fit support the coverage."""
    found = [NO_CASES] if by == "case" and predictions.cases is None else []
    if not all(math.isfinite(limit) for limit in limits):
        least = math.ceil(coverage / (1 - coverage) - ROUNDING)
        found.append(
            f"A coverage of {coverage:g} can be guaranteed only with at least {least} {by}s"
            + (" of each class" if per_class else "")
            + "; with fewer, every set contains "
            + ("the classes that lack them" if per_class else "all classes")
            + ". Use out-of-fold predictions of more cases, or a lower `coverage`."
        )
    # A class with an infinite limit is in every set.
    excludable = {name for name, limit in zip(predictions.classes, limits, strict=True) if math.isfinite(limit)}
    cases = {name: count for name, count in count_class_cases(predictions).items() if name in excludable}
    return (*found, *few_case_support(cases, "The coverage by class"))


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
