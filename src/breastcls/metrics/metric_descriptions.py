"""The names and meanings of the metrics, the same in figures, tables, sentences and the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RestsOn = Literal["every class", "class", "other classes"]


@dataclass(frozen=True)
class MetricDescription:
    """The names of a metric, its meaning and its range.

    Attributes:
        name: The full name.
        short: A short name, for axes and columns.
        meaning: One sentence; empty for a metric that the package does not define.
        lower: The lower end of its range; None if it is not bounded below.
        upper: The upper end of its range; None if it is not bounded above.
        is_loss: Whether lower is better.
        rests_on: The classes whose cases it is computed from: "every class" of the test set, the "class" that it is a
            metric of (with two classes the positive one), or the "other classes". Its confidence interval depends on
            the number of cases of each of them. A mean over all images depends on every class: each class contributes
            a fixed part of it, which is as uncertain as the cases of that class are few.
    """

    name: str
    short: str
    meaning: str = ""
    lower: float | None = None
    upper: float | None = None
    is_loss: bool = False
    rests_on: RestsOn = "every class"

    @property
    def is_score(self) -> bool:
        """Whether its range is bounded and 1 is the best value."""
        return self.upper == 1.0 and not self.is_loss


def _score(
    name: str, meaning: str, short: str | None = None, lower: float = 0.0, rests_on: RestsOn = "every class"
) -> MetricDescription:
    return MetricDescription(name, short or name, meaning, lower, 1.0, rests_on=rests_on)


DESCRIPTIONS: dict[str, MetricDescription] = {
    "balanced_accuracy": _score(
        "Balanced accuracy",
        "The proportion of correctly classified images, computed within each class and averaged over the classes.",
    ),
    "roc_auc": _score(
        "Area under the ROC curve",
        "The probability that an image of the class is ranked above an image of another class; 0.5 is chance.",
        "ROC AUC",
    ),
    "average_precision": _score(
        "Average precision",
        "The area under the precision–recall curve; chance is the prevalence of the class.",
    ),
    "accuracy": _score("Accuracy", "The proportion of correctly classified images; it favours the larger class."),
    "recall": _score(
        "Recall (sensitivity)",
        "The proportion of the images of the class that are predicted as the class.",
        "Recall",
        rests_on="class",
    ),
    "specificity": _score(
        "Specificity",
        "The proportion of the images of other classes that are not predicted as the class.",
        rests_on="other classes",
    ),
    "precision": _score(
        "Precision",
        "The proportion of the images predicted as the class that are of it; it depends on the prevalence.",
    ),
    "f1": _score("F1", "The harmonic mean of precision and recall."),
    "mcc": _score(
        "Matthews correlation",
        "Correlation of predicted and true classes, from −1 to 1; 0 is chance.",
        "MCC",
        lower=-1.0,
    ),
    "image_recognition_rate": _score(
        "Image recognition rate",
        "BreakHis protocol: correct images divided by images, the same as accuracy.",
        "Image rate",
    ),
    "patient_recognition_rate": _score(
        "Patient recognition rate",
        "BreakHis protocol: the proportion of correct images of each slide, averaged over the slides, "
        "which its authors call patients.",
        "Patient rate",
    ),
    "brier": MetricDescription(
        "Brier score",
        "Brier",
        "The mean squared error of the probabilities; 0 is the best.",
        0.0,
        2.0,  # with more than two classes it is summed over them; with two see `upper_end`
        is_loss=True,
    ),
    "log_loss": MetricDescription(
        "Log loss",
        "Log loss",
        "The mean negative log-likelihood of the true class, in nats; 0 is the best.",
        0.0,
        None,
        is_loss=True,
    ),
    "ece_equal_width": MetricDescription(
        "Expected calibration error, bins of equal width",
        "ECE, equal width",
        "The mean absolute difference of predicted probability and observed frequency; 0 is the best, but chance "
        "keeps it above 0 in a small set.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "ece_equal_mass": MetricDescription(
        "Expected calibration error, bins of equally many images",
        "ECE, equal mass",
        "The same, with the same number of images in every bin.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "mce_equal_width": MetricDescription(
        "Maximum calibration error, bins of equal width",
        "MCE, equal width",
        "The difference in the worst bin; it may depend on a bin of few images.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "mce_equal_mass": MetricDescription(
        "Maximum calibration error, bins of equally many images",
        "MCE, equal mass",
        "The same, with the same number of images in every bin.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "calibration_bias": MetricDescription(
        "Calibration bias",
        "Calibration bias",
        "Mean predicted probability minus observed frequency: above 0 the probabilities are too high, below 0 too low.",
    ),
    "reliability": MetricDescription(
        "Brier part: reliability",
        "Reliability",
        "The contribution of miscalibration to the Brier score; 0 is the best.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "resolution": MetricDescription(
        "Brier part: resolution",
        "Resolution",
        "The reduction of the Brier score by discrimination; higher is better.",
        0.0,
        0.25,
    ),
    "uncertainty": MetricDescription(
        "Brier part: uncertainty",
        "Uncertainty",
        "The variance of the labels; it does not depend on the model.",
        0.0,
        0.25,
    ),
    "within_bins": MetricDescription(
        "Brier part: within bins",
        "Within bins",
        "The remainder within the bins; Brier score = reliability − resolution + uncertainty + this.",
        None,
        None,
    ),
    "sensitivity": _score(
        "Sensitivity", "The proportion of the images of the class that are predicted as the class.", rests_on="class"
    ),
    "ppv": _score(
        "Positive predictive value",
        "The proportion of positive predictions that are correct, at the stated prevalence.",
        "PPV",
    ),
    "npv": _score(
        "Negative predictive value",
        "The proportion of negative predictions that are correct, at the stated prevalence.",
        "NPV",
    ),
    "auroc": _score(
        "AUROC of out-of-distribution detection",
        "Fraction of pairs in which the out-of-distribution image has the higher score; 0.5 is chance.",
        "AUROC",
    ),
    "fpr95": MetricDescription(
        "FPR of out-of-distribution detection",
        "FPR at 95%",
        "Fraction of out-of-distribution images accepted where 95% of test images are; 0 is best, 0.95 is chance.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "ood_images": MetricDescription("OOD images", "OOD images"),
    "ood_cases": MetricDescription("OOD cases", "OOD cases"),
}


def describe_metric(key: str) -> MetricDescription:
    """Return the description of a metric, with a name made from its key if the package does not define it.

    Example:
        >>> describe_metric("roc_auc").short
        'ROC AUC'
        >>> describe_metric("net_benefit").name
        'Net benefit'
    """
    if key in DESCRIPTIONS:
        return DESCRIPTIONS[key]
    name = key.replace("_", " ").strip()
    name = name[:1].upper() + name[1:]
    return MetricDescription(name, name)


def upper_end(key: str, classes: int) -> float | None:
    """Return the upper end of a metric's range, or None if it is not bounded.

    Args:
        key: The metric.
        classes: Number of classes: with two the Brier score is that of the positive class alone.

    Example:
        >>> upper_end("brier", 2), upper_end("brier", 8), upper_end("log_loss", 2)
        (1.0, 2.0, None)
    """
    return 1.0 if key == "brier" and classes == 2 else describe_metric(key).upper


def metric_title(metric: str, *, capital: bool = False) -> str:
    """Return the short name of a metric as it is written within a sentence.

    Args:
        metric: Its key, as in `Evaluation.metrics`.
        capital: Whether it begins a sentence or heads a column.

    Example:
        >>> metric_title("roc_auc"), metric_title("balanced_accuracy"), metric_title("log_loss", capital=True)
        ('ROC AUC', 'balanced accuracy', 'Log loss')
    """
    short = describe_metric(metric).short
    # Abbreviations and names of persons keep their capitals.
    fixed = capital or short[:2].isupper() or short.startswith("Brier")
    return short if fixed else short[:1].lower() + short[1:]
