"""The report, the confusion matrix and the curves of scikit-learn, of predictions: same names and same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve as reference_calibration_curve

from breastcls.argument_checks import check_choice, check_count
from breastcls.errors import EvaluationError
from breastcls.metrics.classification_metrics import require_labels
from breastcls.predictions.predictions import Predictions

Normalize = Literal["true", "pred", "all"]
_STRATEGIES = ("uniform", "quantile")


def classification_report(predictions: Predictions, *, digits: int = 2, output_dict: bool = False) -> Any:
    """Return precision, recall, F1 and the number of rows of each class, as `sklearn.metrics.classification_report`.

    The report has no confidence intervals; `Evaluation.per_class` has them.

    Args:
        predictions: Predictions with known classes.
        digits: Decimals of the text.
        output_dict: Whether to return a dict instead of text.

    Returns:
        The text, or with `output_dict` a dict of dicts. What is not defined, such as the precision of a class that is
        never predicted, is 0, as everywhere in this package.

    Raises:
        EvaluationError: If a true class is not known.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.9, 0.2, 0.6], labels=[1, 0, 0], classes=("benign", "malignant"))
        >>> print(classification_report(some, output_dict=True)["benign"]["precision"])
        1.0
    """
    require_labels(predictions)
    return reference.classification_report(
        predictions.labels,
        predictions.decisions,
        labels=range(len(predictions.classes)),
        target_names=list(predictions.classes),
        digits=digits,
        output_dict=output_dict,
        zero_division=0,
    )


def confusion_matrix(predictions: Predictions, *, normalize: Normalize | None = None) -> pd.DataFrame:
    """Return the confusion matrix, one row per true class and one column per predicted class.

    Args:
        predictions: Predictions with known classes.
        normalize: None for counts (int64), or fractions (float64) of the "true" class (rows sum to 1), of the
            "pred"icted class (columns sum to 1), or of "all" rows.

    Returns:
        The table; its index is named `true`, its columns `predicted`.

    Raises:
        EvaluationError: If a true class is not known, or `normalize` is something else.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.9, 0.2, 0.6], labels=[1, 0, 0], classes=("benign", "malignant"))
        >>> confusion_matrix(some).to_numpy().tolist()
        [[1, 1], [0, 1]]
    """
    require_labels(predictions)
    check_choice("normalize", normalize, (None, "true", "pred", "all"), error=EvaluationError)
    counts = reference.confusion_matrix(
        predictions.labels, predictions.decisions, labels=range(len(predictions.classes)), normalize=normalize
    )
    names = pd.Index(predictions.classes)
    return pd.DataFrame(counts, index=names.rename("true"), columns=names.rename("predicted"))


def roc_curve(predictions: Predictions) -> pd.DataFrame:
    """Return the ROC curve, as `sklearn.metrics.roc_curve`, with one point per threshold.

    `Evaluation.roc` has the curve on a grid with a confidence band.

    Args:
        predictions: Predictions with known classes.

    Returns:
        Columns `fpr`, `tpr`, `threshold`, float64. Two classes: the curve of the positive class. More: a first column
        `class`, and the curve of each class against the rest; a class without images has none.

    Raises:
        EvaluationError: If a true class is not known, or all rows are of one class.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.75, 0.25, 0.5], labels=[1, 0, 0], classes=("benign", "malignant"))
        >>> roc_curve(some)["tpr"].tolist()
        [0.0, 1.0, 1.0]
    """
    tables = []
    for name, positive, scores in _one_against_rest(predictions):
        fpr, tpr, thresholds = reference.roc_curve(positive, scores)
        columns = {"fpr": fpr, "tpr": tpr, "threshold": thresholds.astype(np.float64)}
        tables.append((name, pd.DataFrame(columns)))
    return _join(tables, predictions)


def precision_recall_curve(predictions: Predictions) -> pd.DataFrame:
    """Return the precision-recall curve, as `sklearn.metrics.precision_recall_curve`, with one point per threshold.

    `Evaluation.precision_recall` has the curve on a grid with a confidence band.

    Args:
        predictions: Predictions with known classes.

    Returns:
        Columns `precision`, `recall`, `threshold`, float64; the last point of a curve, with recall 0, has no threshold
        (NaN). Classes as in `roc_curve`.

    Raises:
        EvaluationError: If a true class is not known, or all rows are of one class.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.75, 0.25, 0.5], labels=[1, 0, 0], classes=("benign", "malignant"))
        >>> precision_recall_curve(some)["precision"].round(2).tolist()
        [0.33, 0.5, 1.0, 1.0]
    """
    tables = []
    for name, positive, scores in _one_against_rest(predictions):
        precision, recall, thresholds = reference.precision_recall_curve(positive, scores)
        columns = {"precision": precision, "recall": recall, "threshold": np.append(thresholds, np.nan)}
        tables.append((name, pd.DataFrame(columns, dtype=np.float64)))
    return _join(tables, predictions)


def calibration_curve(
    predictions: Predictions, *, bins: int = 5, strategy: Literal["uniform", "quantile"] = "uniform"
) -> pd.DataFrame:
    """Return observed frequency against predicted probability, as `sklearn.calibration.calibration_curve`.

    `breastcls.calibration.assess_calibration` and `Evaluation.calibration` have confidence intervals and calibration
    errors.

    Args:
        predictions: Predictions with known classes.
        bins: Number of bins; empty ones are left out.
        strategy: "uniform" for bins of equal width, "quantile" for bins of equal numbers of rows.

    Returns:
        Columns `predicted_probability` (the mean in the bin) and `observed_frequency`, float64. Classes as in
        `roc_curve`.

    Raises:
        EvaluationError: If a true class is not known, all rows are of one class, or an argument is not valid.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.75, 0.25, 0.5], labels=[1, 0, 0], classes=("benign", "malignant"))
        >>> calibration_curve(some, bins=2)["observed_frequency"].tolist()
        [0.0, 1.0]
    """
    check_count("bins", bins, error=EvaluationError)
    check_choice("strategy", strategy, _STRATEGIES, error=EvaluationError)
    tables = []
    for name, positive, scores in _one_against_rest(predictions):
        frequency, probability = reference_calibration_curve(positive, scores, n_bins=bins, strategy=strategy)
        columns = {"predicted_probability": probability, "observed_frequency": frequency}
        tables.append((name, pd.DataFrame(columns, dtype=np.float64)))
    return _join(tables, predictions)


def _one_against_rest(
    predictions: Predictions,
) -> Iterator[tuple[str, npt.NDArray[np.bool_], npt.NDArray[np.float32]]]:
    """Yield the name, the truth and the probability of the positive class of two, or of each class that has rows."""
    require_labels(predictions)
    if len(np.unique(predictions.labels)) < 2:
        name = predictions.classes[predictions.labels[0]]
        raise EvaluationError(
            f"All {len(predictions)} {predictions.level}s are of the class {name}: a curve needs rows of at least two "
            "classes."
        )
    for index in [1] if len(predictions.classes) == 2 else np.unique(predictions.labels):
        yield predictions.classes[index], predictions.labels == index, predictions.probabilities[:, index]


def _join(tables: list[tuple[str, pd.DataFrame]], predictions: Predictions) -> pd.DataFrame:
    if len(predictions.classes) > 2:
        for name, table in tables:
            table.insert(0, "class", name)
    return pd.concat([table for _, table in tables], ignore_index=True)
