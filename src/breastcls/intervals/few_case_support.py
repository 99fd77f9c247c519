"""Sentences on choices, fits and tables that are based on few cases of a class."""

from __future__ import annotations

import warnings

from breastcls.errors import EvaluationWarning
from breastcls.intervals.minimum_cases import FEW_CASES, MIN_CASES
from breastcls.metrics.number_format import format_count, join_words
from breastcls.predictions.predictions import Predictions


def count_class_cases(predictions: Predictions) -> dict[str, int]:
    """Return the number of cases of each class; empty where cases are not known."""
    if predictions.cases is None:
        return {}
    return {
        name: len(set(predictions.cases[predictions.labels == index].tolist()))
        for index, name in enumerate(predictions.classes)
    }


def few_case_support(cases: dict[str, int], what: str) -> tuple[str, ...]:
    """Return a sentence where a class has fewer than five cases, so that they do not support something.

    Args:
        cases: Of each class; empty where they are not known.
        what: What is based on them, such as "The threshold".

    Example:
        >>> few_case_support({"benign": 1, "malignant": 9}, "The threshold")[0][:60]
        'The threshold is based on 1 case of benign, which is too few'
        >>> few_case_support({"benign": 5, "malignant": 9}, "The threshold")
        ()
    """
    few = {name: count for name, count in cases.items() if 0 < count < FEW_CASES}
    if not few:
        return ()
    named = join_words([f"{format_count(count, 'case')} of {name}" for name, count in few.items()])
    are = "is" if sum(few.values()) == 1 else "are"
    differ = "with other cases it may be very different"
    if min(few.values()) < MIN_CASES:
        differ += f", and from fewer than {MIN_CASES} its confidence interval is not estimable"
    return (f"{what} is based on {named}, which {are} too few to support it: {differ}.",)


def warn_few_cases(predictions: Predictions, what: str, stacklevel: int = 3) -> tuple[str, ...]:
    """Return the sentences of `few_case_support`, and warn of them.

    Warns:
        EvaluationWarning: If a class has fewer than five cases.
    """
    sentences = few_case_support(count_class_cases(predictions), what)
    if sentences:
        warnings.warn(" ".join(sentences), EvaluationWarning, stacklevel=stacklevel)
    return sentences
