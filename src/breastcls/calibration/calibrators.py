"""Calibration maps that are fitted on validation predictions."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Literal

import numpy as np

from breastcls.argument_checks import check_choice
from breastcls.calibration.calibration_fits import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE, fit_parameters
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.intervals.few_case_support import warn_few_cases
from breastcls.metrics.classification_metrics import require_labels
from breastcls.models.calibration_map import CalibrationMap
from breastcls.predictions.predictions import Predictions
from breastcls.result import ShownInNotebook
from breastcls.text_tables import format_count

Method = Literal["temperature", "platt", "isotonic", "vector", "dirichlet"]
METHODS = ("temperature", "platt", "isotonic", "vector", "dirichlet")


class Calibrator(ShownInNotebook, CalibrationMap):
    """A fitted calibration map that can be applied to `Predictions`; see `fit_calibrator`.

    Call `apply` on predictions, or store the map with the model by `store_calibration`. It is a fitted
    map from probabilities to probabilities of one of five methods, see `fit_calibrator`.
    """

    def apply(self, predictions: Predictions) -> Predictions:
        """Return calibrated predictions without a threshold, since one chosen before no longer has its meaning.

        They record the cases that the calibration was fitted on (`Predictions.calibration`), so that `evaluate` refuses
        to score them on one of these cases.

        Raises:
            EvaluationError: If the classes differ.
        """
        if predictions.classes != self.classes:
            raise EvaluationError(
                f"The calibration was fitted for the classes {self.classes}; the predictions have the classes "
                f"{predictions.classes}. Fit it on predictions of these classes."
            )
        return dataclasses.replace(
            predictions,
            probabilities=self(predictions.probabilities),
            threshold=None,
            # They were found for the probabilities before.
            prediction_sets=None,
            ood=None,
            calibration=self.record(predictions.calibration),
        )


def fit_calibrator(predictions: Predictions, method: Method = "temperature") -> Calibrator:
    """Fit a calibration map on validation or out-of-fold predictions.

    Args:
        predictions: With known classes, of neither the training nor the test set.
        method: "temperature" (one parameter, does not change the most probable class; the safest with few cases),
            "platt" (two classes, two parameters), "isotonic" (a monotone step function per class; needs many cases),
            "vector" (a factor and an offset per class) or "dirichlet" (a full matrix, regularised). With few cases a
            temperature, vector or Dirichlet map is close to the identity; without names of cases every row counts as
            one.

    Returns:
        The map; call `apply` on other predictions, or store it with the model by `store_calibration`.

    Raises:
        EvaluationError: If the predictions are of the training or test set or do not contain every class, or Platt
            scaling is requested with more than two classes.

    Warns:
        EvaluationWarning: If a class has fewer than five cases, or a temperature reaches a bound, as it does for a
            model that is worse than chance.

    Example:
        >>> import numpy as np
        >>> labels = np.tile([0, 1, 1, 1, 1], 20)
        >>> sure = Predictions.from_arrays(probabilities=np.full(100, 0.99), labels=labels, classes=("no", "yes"))
        >>> fit_calibrator(sure, "platt").apply(sure).positive[0].item() < 0.81
        True
    """
    check_choice("method", method, METHODS, error=EvaluationError)
    if predictions.part in ("test", "train"):
        test = predictions.part == "test"
        why = "is optimistic" if test else "is overconfident, since the model was trained on these images"
        raise EvaluationError(
            f"These are {predictions.part} predictions; a calibration fitted on them {why}. Fit it on "
            "`predict(model, val)` or on out-of-fold predictions."
        )
    require_labels(predictions)
    classes = len(predictions.classes)
    if len(np.unique(predictions.labels)) < classes:
        raise EvaluationError(
            "A calibration needs images of every class, and some class has none. Pass predictions of more images."
        )
    if method == "platt" and classes != 2:
        raise EvaluationError(f'"platt" is for two classes; there are {classes}. "vector" is its counterpart for more.')
    warn_few_cases(predictions, "The calibration")
    wide = predictions.probabilities.astype(np.float64)
    cases = () if predictions.cases is None else tuple(sorted(set(predictions.cases.tolist())))
    parameters = fit_parameters(wide, predictions.labels, method, len(cases) or len(predictions))
    if method == "temperature":
        _warn_at_bounds(parameters["temperature"], predictions, len(cases))
    return Calibrator(
        method=method,
        classes=predictions.classes,
        parameters=parameters,
        images=len(predictions),
        cases=cases,
        level=predictions.level,
        aggregation_method=predictions.aggregation_method,
    )


def _warn_at_bounds(temperature: float, predictions: Predictions, cases: int) -> None:
    on = format_count(cases, "case") if cases else f"{len(predictions)} {predictions.level}s of unknown cases"
    if temperature > 0.999 * HIGHEST_TEMPERATURE:
        warnings.warn(
            f"The temperature stopped at its bound of {HIGHEST_TEMPERATURE:g}, on {on}: the predicted classes are "
            "not the more frequent ones, which no temperature can correct. Check whether classes or labels are "
            "swapped and whether the model is better than chance; with few cases, use more of them or "
            "out-of-fold predictions.",
            EvaluationWarning,
            stacklevel=3,
        )
    elif temperature < 1.001 * LOWEST_TEMPERATURE:
        warnings.warn(
            f"The temperature stopped at its bound of {LOWEST_TEMPERATURE:g}, on {on}: the probabilities are far less "
            "extreme than the model is accurate. Check whether they are a softmax of the logits and "
            'not of values already between 0 and 1; else fit "platt" or "vector".',
            EvaluationWarning,
            stacklevel=3,
        )
