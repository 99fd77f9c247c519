"""How metrics and numbers are put into words, the same in figures, tables and the report."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

NOT_DEFINED = "not defined"


@dataclass(frozen=True)
class MetricWords:
    """What to call a metric and how to read it.

    Attributes:
        name: The name in full.
        short: A name for places with little room.
        meaning: One plain sentence; empty for a metric this package does not know.
        lower: The worst end of its scale, or the best one for a loss; None if it has no bound there.
        upper: The other end; None if it has no bound there.
        is_loss: Whether less is better.
    """

    name: str
    short: str
    meaning: str = ""
    lower: float | None = None
    upper: float | None = None
    is_loss: bool = False

    @property
    def is_score(self) -> bool:
        """Whether it lies on a bounded scale of which 1 is the best value."""
        return self.upper == 1.0 and not self.is_loss


def _score(name: str, meaning: str, short: str | None = None, lower: float = 0.0) -> MetricWords:
    return MetricWords(name, short or name, meaning, lower, 1.0)


METRICS: dict[str, MetricWords] = {
    "balanced_accuracy": _score(
        "Balanced accuracy",
        "The share of images called rightly, counted within each class and then averaged over the classes.",
    ),
    "roc_auc": _score(
        "Area under the ROC curve",
        "How often an image of the class is given a higher probability than one outside it; 0.5 is chance.",
        "ROC AUC",
    ),
    "average_precision": _score(
        "Average precision",
        "The area under the precision–recall curve; chance is the share of the class among the images.",
    ),
    "accuracy": _score("Accuracy", "The share of all images called rightly; it favours the larger class."),
    "recall": _score(
        "Recall (sensitivity)",
        "Of the images that are of the class, the share called so.",
        "Recall",
    ),
    "specificity": _score("Specificity", "Of the images that are not of the class, the share not called so."),
    "precision": _score(
        "Precision",
        "Of the images called so, the share that are; it depends on how common the class is here.",
    ),
    "f1": _score("F1", "The harmonic mean of precision and recall."),
    "mcc": _score(
        "Matthews correlation",
        "Agreement of calls and labels from −1 to 1; 0 is chance.",
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
        "BreakHis protocol: the share of correct images of each slide, averaged over the slides, "
        "which its authors call patients.",
        "Patient rate",
    ),
    "brier": MetricWords(
        "Brier score",
        "Brier",
        "The mean squared distance of the probabilities from the truth; 0 is the best.",
        0.0,
        2.0,  # with more than two classes it is summed over them; with two see `upper_end`
        is_loss=True,
    ),
    "log_loss": MetricWords(
        "Log loss",
        "Log loss",
        "The mean surprise, in nats, at the true class; 0 is the best, certainty in error costs most.",
        0.0,
        None,
        is_loss=True,
    ),
    "ece_equal_width": MetricWords(
        "Expected calibration error, bins of equal width",
        "ECE, equal width",
        "How far claimed probabilities lie from what was found, averaged over the images; 0 is the best, but chance "
        "keeps it above 0 in a small set.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "ece_equal_mass": MetricWords(
        "Expected calibration error, bins of equally many images",
        "ECE, equal mass",
        "The same, with bins that hold equally many images each.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "mce_equal_width": MetricWords(
        "Maximum calibration error, bins of equal width",
        "MCE, equal width",
        "The distance in the worst bin; a bin of few images can decide it.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "mce_equal_mass": MetricWords(
        "Maximum calibration error, bins of equally many images",
        "MCE, equal mass",
        "The same, with bins that hold equally many images each.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "claimed_less_found": MetricWords(
        "Claimed less found",
        "Claimed less found",
        "The mean of the claimed probabilities less the share found: above 0 they are too high, below 0 too low.",
    ),
    "reliability": MetricWords(
        "Brier part: reliability",
        "Reliability",
        "What miscalibration adds to the Brier score; 0 is the best.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "resolution": MetricWords(
        "Brier part: resolution",
        "Resolution",
        "What telling images apart takes off the Brier score; more is better.",
        0.0,
        0.25,
    ),
    "uncertainty": MetricWords(
        "Brier part: uncertainty",
        "Uncertainty",
        "How mixed the classes are in this set; it says nothing of the model.",
        0.0,
        0.25,
    ),
    "within_bins": MetricWords(
        "Brier part: within bins",
        "Within bins",
        "What the bins hide; Brier score = reliability − resolution + uncertainty + this.",
        None,
        None,
    ),
    "sensitivity": _score("Sensitivity", "Of the images that are of the class, the share called so."),
    "ppv": _score(
        "Positive predictive value", "Of the images called so, the share that are, at the stated prevalence.", "PPV"
    ),
    "npv": _score(
        "Negative predictive value",
        "Of the images not called so, the share that are not, at the stated prevalence.",
        "NPV",
    ),
    "auroc": _score(
        "AUROC of out-of-distribution detection",
        "Fraction of pairs in which the out-of-distribution image has the higher score; 0.5 is chance.",
        "AUROC",
    ),
    "fpr95": MetricWords(
        "FPR of out-of-distribution detection",
        "FPR at 95%",
        "Fraction of out-of-distribution images accepted where 95% of test images are; 0 is best, 0.95 is chance.",
        0.0,
        1.0,
        is_loss=True,
    ),
    "ood_images": MetricWords("OOD images", "OOD images"),
    "ood_cases": MetricWords("OOD cases", "OOD cases"),
}


SUBTYPES = {
    "A": "adenosis",
    "F": "fibroadenoma",
    "PT": "phyllodes tumour",
    "TA": "tubular adenoma",
    "DC": "ductal carcinoma",
    "LC": "lobular carcinoma",
    "MC": "mucinous carcinoma",
    "PC": "papillary carcinoma",
}


def describe_subtype(code: str) -> str:
    """Return a subtype code with its name, if it is one of BreakHis.

    Example:
        >>> describe_subtype("DC"), describe_subtype("other")
        ('DC, ductal carcinoma', 'other')
    """
    return f"{code}, {SUBTYPES[code]}" if code in SUBTYPES else code


def describe_metric(key: str) -> MetricWords:
    """Return the words for a metric, made from its key if the package does not know it.

    Example:
        >>> describe_metric("roc_auc").short
        'ROC AUC'
        >>> describe_metric("net_benefit").name
        'Net benefit'
    """
    if key in METRICS:
        return METRICS[key]
    name = key.replace("_", " ").strip()
    name = name[:1].upper() + name[1:]
    return MetricWords(name, name)


def upper_end(key: str, classes: int) -> float | None:
    """Return the upper end of a metric's scale, or None if it has none.

    Args:
        key: The metric.
        classes: How many classes there are: with two the Brier score is that of the positive class alone.

    Example:
        >>> upper_end("brier", 2), upper_end("brier", 8), upper_end("log_loss", 2)
        (1.0, 2.0, None)
    """
    return 1.0 if key == "brier" and classes == 2 else describe_metric(key).upper


def is_defined(value: object) -> bool:
    """Tell whether `value` is a finite number.

    Example:
        >>> is_defined(0.5), is_defined(float("nan")), is_defined(None)
        (True, False, False)
    """
    return isinstance(value, numbers.Real) and math.isfinite(value)


def format_number(value: object, digits: int = 3) -> str:
    """Write a number with a fixed count of decimals, or say that it is not defined.

    Example:
        >>> format_number(0.82914), format_number(-0.5, 2), format_number(float("nan"))
        ('0.829', '−0.50', 'not defined')
    """
    if not isinstance(value, numbers.Real) or not is_defined(value):
        return NOT_DEFINED
    text = f"{float(value):.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def format_interval(low: object, high: object, digits: int = 3) -> str:
    """Write an interval as "low to high", or say that it is not defined.

    Example:
        >>> format_interval(0.742, 0.901)
        '0.742 to 0.901'
        >>> format_interval(float("nan"), 0.9)
        'not defined'
    """
    if not (is_defined(low) and is_defined(high)):
        return NOT_DEFINED
    return f"{format_number(low, digits)} to {format_number(high, digits)}"


def format_count(count: int, singular: str, plural: str | None = None) -> str:
    """Write a count with its noun.

    Example:
        >>> format_count(1, "case"), format_count(277524, "patch", "patches")
        ('1 case', '277,524 patches')
    """
    noun = singular if count == 1 else (plural or f"{singular}s")
    return f"{count:,} {noun}"


def join_words(words: list[str]) -> str:
    """Join words as a sentence does.

    Example:
        >>> join_words(["A"]), join_words(["A", "F"]), join_words(["A", "F", "PT"])
        ('A', 'A and F', 'A, F and PT')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
