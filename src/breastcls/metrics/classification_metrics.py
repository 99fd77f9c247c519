"""The metrics of a classifier on a test set, from scikit-learn.

Definitions, where several are in use:

- `precision`, `recall` (sensitivity), `specificity` and `f1` are those of the positive class when there are two
  classes, and means over the classes in the test set (macro) when there are more.
- `balanced_accuracy` is the mean recall over the classes in the test set.
- `roc_auc` and `average_precision` rank by the probability of the positive class; more classes: the mean over the
  classes, each against the rest.
- `brier` is the mean squared error of the probability of the positive class (0..1); more classes: summed over
  the classes (0..2), Brier's own definition (DOI 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
- `image_recognition_rate` and `patient_recognition_rate` are those of the BreakHis protocol (Spanhol et al. 2016, DOI
  10.1109/TBME.2015.2496264): correct images over images, and the mean over slides (which its authors call patients) of
  the same ratio within the slide.
- A metric that is not defined on the test set is NaN: with one class only, every metric that compares classes; without
  slides, the patient recognition rate. A class that is never predicted has precision 0, as in scikit-learn.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics as reference

from breastcls.errors import EvaluationError
from breastcls.metrics.division import divide
from breastcls.predictions.predictions import Predictions

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "mcc",
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "image_recognition_rate",
    "patient_recognition_rate",
)
PER_CLASS = ("precision", "recall", "specificity", "f1")
# For these, lower is better.
LOSSES = ("brier", "log_loss")


def require_labels(predictions: Predictions) -> None:
    """Raise `EvaluationError` unless the true class of every row is known."""
    unknown = int((predictions.labels < 0).sum())
    if unknown:
        raise EvaluationError(
            f"The true class of {unknown} of {len(predictions)} {predictions.level}s is not known (label -1), so they "
            "cannot be scored. Score the others: `predictions[predictions.labels >= 0]`."
        )


def compute_metrics(predictions: Predictions) -> pd.Series:
    """Return every metric, as float64, by its name.

    Args:
        predictions: Predictions of images with known classes.

    Raises:
        EvaluationError: If a true class is not known.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.9, 0.2, 0.6, 0.7], labels=[1, 0, 0, 1], classes=("benign", "malignant"))
        >>> compute_metrics(some)[["accuracy", "recall", "roc_auc"]].tolist()
        [0.75, 1.0, 1.0]
    """
    require_labels(predictions)
    labels, predicted = predictions.labels, predictions.decisions
    counts = count_confusion(labels, predicted, len(predictions.classes))
    values = dict.fromkeys(METRICS, float("nan"))
    values["accuracy"] = values["image_recognition_rate"] = float(reference.accuracy_score(labels, predicted))
    values["brier"] = float(squared_errors(predictions).mean())
    values["log_loss"] = float(
        reference.log_loss(labels, predictions.probabilities, labels=list(range(len(predictions.classes))))
    )
    values["patient_recognition_rate"] = patient_recognition_rate(predictions)
    values |= _decision_metrics(labels, predicted, counts)
    present = np.flatnonzero(counts.sum(axis=1) > 0)
    if len(present) > 1:
        ranked = [len(predictions.classes) - 1] if len(predictions.classes) == 2 else list(present)
        scores = predictions.probabilities
        values["roc_auc"] = float(
            np.mean([reference.roc_auc_score(labels == index, scores[:, index]) for index in ranked])
        )
        values["average_precision"] = float(
            np.mean([reference.average_precision_score(labels == index, scores[:, index]) for index in ranked])
        )
    return pd.Series(values, name="value", dtype=np.float64).rename_axis("metric")


def _decision_metrics(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Return the metrics of the predicted classes that compare classes."""
    present = np.flatnonzero(counts.sum(axis=1) > 0)
    binary = len(counts) == 2
    values: dict[str, float] = {}
    specificities = per_class_metrics(ClassCounts.of(counts))["specificity"]
    if binary and 1 in present:
        values["recall"] = float(reference.recall_score(labels, predicted))
        if len(present) > 1:
            values["precision"] = float(reference.precision_score(labels, predicted, zero_division=0))
            values["f1"] = float(reference.f1_score(labels, predicted, zero_division=0))
    if binary and 0 in present:
        values["specificity"] = float(specificities[1])
    if len(present) > 1:
        values["balanced_accuracy"] = float(
            reference.recall_score(labels, predicted, labels=present, average="macro", zero_division=0)
        )
        values["mcc"] = float(reference.matthews_corrcoef(labels, predicted))
        if not binary:
            macro = {"labels": present, "average": "macro", "zero_division": 0}
            values["precision"] = float(reference.precision_score(labels, predicted, **macro))
            values["recall"] = float(reference.recall_score(labels, predicted, **macro))
            values["f1"] = float(reference.f1_score(labels, predicted, **macro))
            values["specificity"] = float(np.mean(specificities[present]))
    return values


def count_confusion(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: int
) -> npt.NDArray[np.int64]:
    """Return counts (classes, classes): rows true, columns predicted."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


class ClassCounts(NamedTuple):
    """The counts of each class from which its metrics follow; a confusion matrix without its other cells.

    Attributes:
        hits: (..., classes), the rows of the class that are predicted as it.
        true: (..., classes), the rows of the class.
        predicted: (..., classes), the rows that are predicted as the class.
    """

    hits: npt.NDArray[Any]
    true: npt.NDArray[Any]
    predicted: npt.NDArray[Any]

    @classmethod
    def of(cls, counts: npt.NDArray[np.generic]) -> ClassCounts:
        """Take them from confusion counts (..., classes, classes), rows true, columns predicted."""
        return cls(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1), counts.sum(axis=-2))


def per_class_metrics(counts: ClassCounts) -> dict[str, npt.NDArray[np.float64]]:
    """Return precision, recall, specificity and F1 of each class, each (..., classes).

    Args:
        counts: The counts of each class; any leading axes.
    """
    hits, true, predicted = (np.asarray(part, dtype=np.float64) for part in counts)
    rest = true.sum(axis=-1, keepdims=True) - true
    # Without an image of the class, or of another, there is nothing to tell it from.
    present = (true > 0) & (rest > 0)
    return {
        # Never predicted: 0, as in scikit-learn.
        "precision": np.where(present, divide(hits, predicted, 0.0), np.nan),
        "recall": divide(hits, true),
        "specificity": divide(rest - (predicted - hits), rest),
        "f1": np.where(present, divide(2 * hits, true + predicted, 0.0), np.nan),
    }


def squared_errors(predictions: Predictions) -> npt.NDArray[np.float64]:
    """Return each row's contribution to the Brier score, float64 (n,)."""
    wide = predictions.probabilities.astype(np.float64)
    if wide.shape[1] == 2:
        return np.asarray((wide[:, 1] - predictions.labels) ** 2)
    wide[np.arange(len(wide)), predictions.labels] -= 1.0
    return np.asarray((wide**2).sum(axis=1))


def log_losses(predictions: Predictions) -> npt.NDArray[np.float64]:
    """Return each row's contribution to the log loss, float64 (n,), clipped as scikit-learn clips float32."""
    wide = predictions.probabilities[np.arange(len(predictions)), predictions.labels].astype(np.float64)
    smallest = float(np.finfo(np.float32).eps)
    return np.asarray(-np.log(np.clip(wide, smallest, 1 - smallest)))


def slide_codes(predictions: Predictions) -> npt.NDArray[np.int64] | None:
    """Return an index of the slide of each row, (n,), or None unless every row has one."""
    slides = predictions.slides
    if slides is None or (slides == "").any():
        return None
    if predictions.cases is None:
        return pd.factorize(slides)[0].astype(np.int64)
    # Two cases may number their slides alike; a slide belongs to one case.
    both = pd.MultiIndex.from_arrays([predictions.cases, slides])
    return pd.factorize(both)[0].astype(np.int64)


def patient_recognition_rate(predictions: Predictions) -> float:
    """Return the mean over slides of the proportion of correct rows of a slide; NaN without slides."""
    slides = slide_codes(predictions)
    if slides is None:
        return float("nan")
    correct = predictions.decisions == predictions.labels
    return float((np.bincount(slides, weights=correct) / np.bincount(slides)).mean())
