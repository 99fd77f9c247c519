"""What a metric is called where there is little room: one name for each, in every table and sentence."""

from __future__ import annotations

# All others are called as they are spelt, with spaces.
_TITLES = {
    "roc_auc": "ROC AUC",
    "mcc": "MCC",
    "f1": "F1",
    "brier": "Brier",
    "image_recognition_rate": "image rate",
    "patient_recognition_rate": "patient rate",
}


def metric_title(metric: str, *, capital: bool = False) -> str:
    """Return a short name of a metric, as it stands within a sentence.

    Args:
        metric: Its key, as in `Evaluation.metrics`.
        capital: Whether it begins a sentence or a table's column.

    Example:
        >>> metric_title("roc_auc"), metric_title("balanced_accuracy"), metric_title("log_loss", capital=True)
        ('ROC AUC', 'balanced accuracy', 'Log loss')
    """
    title = _TITLES.get(metric, metric.replace("_", " "))
    return title[:1].upper() + title[1:] if capital else title
