"""Numbers, confidence intervals, counts and lists as text, the same in figures, tables and the report."""

from __future__ import annotations

import math
import numbers

from breastcls.text_tables import choose_form as choose_form
from breastcls.text_tables import format_count as format_count

NOT_DEFINED = "not defined"
# A confidence interval of a value that is defined.
NOT_ESTIMABLE = "not estimable"


def is_defined(value: object) -> bool:
    """Return whether `value` is a finite number.

    Example:
        >>> is_defined(0.5), is_defined(float("nan")), is_defined(None)
        (True, False, False)
    """
    return isinstance(value, numbers.Real) and math.isfinite(value)


def format_number(value: object, digits: int = 3) -> str:
    """Return a number with a fixed count of decimals, or "not defined".

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
    """Return a confidence interval as "low to high", or "not estimable".

    Example:
        >>> format_interval(0.742, 0.901)
        '0.742 to 0.901'
        >>> format_interval(float("nan"), 0.9)
        'not estimable'
    """
    if not (is_defined(low) and is_defined(high)):
        return NOT_ESTIMABLE
    return f"{format_number(low, digits)} to {format_number(high, digits)}"


def format_estimate(value: object, low: object, high: object, digits: int = 3) -> str:
    """Return a value with its confidence interval in one cell of a table.

    Example:
        >>> format_estimate(0.871, 0.811, 0.92, 2), format_estimate(-0.02, -0.1, 0.05, 2)
        ('0.87 (0.81–0.92)', '−0.02 (−0.10 to 0.05)')
        >>> format_estimate(0.871, float("nan"), 0.92, 2), format_estimate(float("nan"), 0.1, 0.2)
        ('0.87 (CI not estimable)', 'not defined')
    """
    if not is_defined(value):
        return NOT_DEFINED
    if not (is_defined(low) and is_defined(high)):
        return f"{format_number(value, digits)} (CI {NOT_ESTIMABLE})"
    ends = [format_number(low, digits), format_number(high, digits)]
    # After a dash a negative number could not be read.
    return f"{format_number(value, digits)} ({(' to ' if '−' in ''.join(ends) else '–').join(ends)})"


def join_words(words: list[str]) -> str:
    """Return words joined as in a sentence.

    Example:
        >>> join_words(["A"]), join_words(["A", "F"]), join_words(["A", "F", "PT"])
        ('A', 'A and F', 'A, F and PT')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
