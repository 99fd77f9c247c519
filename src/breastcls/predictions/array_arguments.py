"""Conversion of arguments (lists, Series, torch or TensorFlow tensors) to checked NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.datasets.table_columns import parse_numbers
from breastcls.errors import EvaluationError
from breastcls.identifiers import TEXT, clean_name, format_name, format_names, list_similar, similar_groups
from breastcls.text_tables import format_count

# Tolerance of the sum of a row, of single precision and of text with many decimals.
SUM_TOLERANCE = 1e-3
# Values that are rounded to so many decimals may add up to one less or more by half a unit for each class.
_FEWEST_DECIMALS, _MOST_DECIMALS = 2, 4
# The unit roundoff of half precision, times eight for the softmax that was computed in it.
_HALF_PRECISION = {"bfloat16": 8 * 2.0**-9, "float16": 8 * 2.0**-12}
# Rows nearer to one than this are not normalised, so that writing and reading changes nothing.
ROUNDING = 1e-5
# Text in files for a class that is not known.
_MISSING = ("", "NA", "NaN", "nan")


def to_array(values: Any, name: str) -> npt.NDArray[Any]:
    """Return `values` as a NumPy array; tensors on the CPU of any framework pass through `numpy.asarray`."""
    if hasattr(values, "detach"):  # a torch tensor with a gradient cannot be converted
        values = values.detach()
        if "bfloat16" in str(values.dtype):  # nor can one of this type, which NumPy does not have
            values = values.float()
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise EvaluationError(f"`{name}` cannot be read as an array: {error}") from error


def check_classes(classes: Sequence[Any]) -> tuple[str, ...]:
    """Return the class names as a tuple of at least two different strings."""
    if isinstance(classes, str):
        raise EvaluationError(f"`classes` must be a sequence of names, not the one string {classes!r}.")
    names = tuple(clean_name(str(name)) for name in classes)
    numbers = any(isinstance(name, (int, float, np.number)) and not isinstance(name, bool) for name in classes)
    if numbers and names != tuple(map(str, range(len(names)))):
        raise EvaluationError(
            f"`classes` holds numbers, {tuple(classes)}, and so may `labels`: whether a label 1 is the class 1 or "
            "the second one would be open. Give the names of classes, and labels that are names, as text."
        )
    if len(names) < 2 or len(set(names)) != len(names):
        raise EvaluationError(
            f"`classes` must hold two or more different names, positive class last; it holds {names}."
        )
    similar = similar_groups(names)
    if similar:
        raise EvaluationError(
            f"`classes` holds {list_similar(similar)}, which differ in spelling only. Write equal classes alike, or "
            "give different classes different names."
        )
    return names


def check_probabilities(values: Any, classes: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Return probabilities as float32 (n, classes).

    Two classes may also come as the positive class's probability alone, (n,) or (n, 1).
    """
    raw = to_array(values, "probabilities")
    if raw.dtype == object or raw.dtype.kind not in "fiub":
        try:
            raw = raw.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise EvaluationError(f"`probabilities` must be numbers, not {raw.dtype}: {error}") from error
    if len(classes) == 2 and (raw.ndim == 1 or (raw.ndim == 2 and raw.shape[1] == 1)):
        positive = raw.reshape(-1).astype(np.float64)
        raw = np.stack([1.0 - positive, positive], axis=1)
    if raw.ndim != 2 or raw.shape[1] != len(classes):
        also = " or, for two classes, (n,) with the positive class's probability" if len(classes) == 2 else ""
        raise EvaluationError(
            f"`probabilities` has shape {raw.shape}; expected (n, {len(classes)}) for the classes {classes}{also}."
        )
    wide = raw.astype(np.float64)
    unusable = ~np.isfinite(wide).all(axis=1)
    if unusable.any():
        raise EvaluationError(
            f"`probabilities` holds NaN or infinite values in {unusable.sum()} of {format_count(len(wide), 'row')}, "
            "first in row "
            f"{int(unusable.argmax())}. Such predictions cannot be scored; check the model and its input."
        )
    outside = (wide < -SUM_TOLERANCE) | (wide > 1 + SUM_TOLERANCE)
    if outside.any():
        row = int(outside.any(axis=1).argmax())
        raise EvaluationError(
            f"`probabilities` must lie in 0..1; row {row} is {wide[row].round(4).tolist()}. "
            "If these are logits, apply softmax (or the sigmoid for one column) first, or load the model with "
            "load_model(path, outputs='logits')."
            + (" If they are percentages, divide by 100." if wide.min() >= 0 and wide.max() <= 100 else "")
        )
    wide = np.clip(wide, 0.0, 1.0)
    sums = wide.sum(axis=1)
    off = np.abs(sums - 1)
    if off.size and off.max() > SUM_TOLERANCE:
        tolerance, reason = _rounding(wide)
        row = int(off.argmax())
        # The values themselves are compared exactly; a sum of them has the error of its additions.
        if off.max() > tolerance + 1e-9:
            raise EvaluationError(
                f"Every row of `probabilities` must sum to 1; row {row} sums to {sums[row]:.4f} "
                f"({wide[row].round(4).tolist()}). {reason} Sigmoid outputs of several classes must be normalised "
                "first."
            )
    correct = off > ROUNDING
    wide[correct] /= sums[correct, None]
    return wide.astype(np.float32)


def _rounding(wide: npt.NDArray[np.float64]) -> tuple[float, str]:
    """Return by how much the sum of a row may differ from one because its values are rounded, and a sentence on it."""
    classes = wide.shape[1]
    single = wide.astype(np.float32)
    for decimals in range(_MOST_DECIMALS + 1):
        rounded = wide.round(decimals)
        if (np.abs(wide - rounded) < 1e-9).all() or (single == rounded.astype(np.float32)).all():
            allowed = classes * 0.5 * 10.0**-decimals
            if decimals < _FEWEST_DECIMALS:
                return SUM_TOLERANCE, (
                    f"The values are rounded to {decimals} decimals, which is too few: give two or more."
                )
            return max(SUM_TOLERANCE, allowed), (
                f"Rounding of {format_count(classes, 'value')} to {decimals} decimals explains a difference of at "
                f"most {allowed:g}."
            )
    for name, mask in (("bfloat16", 0xFFFF), ("float16", 0x1FFF)):
        if not (single.view(np.uint32) & np.uint32(mask)).any() and (single == wide).all():
            allowed = _HALF_PRECISION[name]
            return max(SUM_TOLERANCE, allowed), f"Rounding to {name} explains a difference of at most {allowed:.3g}."
    return SUM_TOLERANCE, f"Rounding explains a difference of at most {SUM_TOLERANCE:g}."


def check_labels(values: Any, classes: tuple[str, ...], rows: int) -> npt.NDArray[np.int64]:
    """Return class indices as int64 (n,), from indices, class names, booleans (two classes) or None (all -1)."""
    if values is None:
        return np.full(rows, -1, dtype=np.int64)
    raw = to_array(values, "labels")
    if raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if raw.ndim == 2 and raw.shape[1] == len(classes):
        raise EvaluationError("`labels` is one-hot, (n, classes). Give indices: `labels.argmax(axis=1)`.")
    if raw.shape != (rows,):
        raise _wrong_shape(raw, "labels", rows)
    if raw.dtype.kind in "OUT":
        return _labels_from_names(raw, classes)
    if raw.dtype.kind not in "iubf" or (raw.dtype.kind == "f" and not np.array_equal(raw, np.round(raw))):
        raise EvaluationError(f"`labels` must be class indices or class names, not {raw.dtype} with fractions or NaN.")
    labels = raw.astype(np.int64)
    wrong = (labels < -1) | (labels >= len(classes))
    if wrong.any():
        raise EvaluationError(
            f"`labels` holds {sorted(set(labels[wrong].tolist()))[:5]}; "
            f"expected 0..{len(classes) - 1} for {classes}, or -1 where the class is not known."
        )
    return labels


def _wrong_shape(raw: npt.NDArray[Any], name: str, rows: int) -> EvaluationError:
    return EvaluationError(
        f"`{name}` has shape {raw.shape}; expected ({rows},), one value for each of {format_count(rows, 'prediction')}."
    )


def _labels_from_names(raw: npt.NDArray[Any], classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    place = {name: index for index, name in enumerate(classes)}
    written = {name: _class_name(name, place) for name in set(raw.tolist())}
    names = [written[name] for name in raw.tolist()]
    unknown = sorted({name for name in names if name not in place})
    if unknown:
        raise EvaluationError(f"`labels` holds {unknown[:5]}, which are not among the classes {classes}.")
    return np.array([place[name] for name in names], dtype=np.int64)


def _class_name(label: Any, place: Mapping[str, int]) -> str:
    return text if (text := clean_name(str(label))) in place else format_name(label)


def read_labels(texts: Sequence[str], classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return class indices of labels as text: names if all are names of classes, else indices.

    Example:
        >>> read_labels(["1", "2.0", ""], ("1", "2", "3")).tolist(), read_labels(["1", "0"], ("a", "b")).tolist()
        ([0, 1, -1], [1, 0])
    """
    place = {name: index for index, name in enumerate(classes)}
    written = {text: clean_name(text) for text in set(texts)}
    stripped = [written[text] for text in texts]
    known = [text for text in dict.fromkeys(stripped) if text in place or text not in _MISSING]
    # Many programs write a column with missing values with decimals: "2.0" is the class "2".
    whole = {text: text if text in place else _whole(text) for text in known}
    if all(name in place for name in whole.values()):
        return np.array([place[whole[text]] if text in whole else -1 for text in stripped], dtype=np.int64)
    truth = {"true": 1, "false": 0} if len(classes) == 2 else {}
    indices = {text: truth.get(text.lower(), whole[text]) for text in known}
    unknown = [text for text, index in indices.items() if not str(index).removeprefix("-").isdecimal()]
    if unknown:
        raise EvaluationError(f"`labels` holds {sorted(unknown)[:5]}, which are not among the classes {classes}.")
    return check_labels([int(indices.get(text, -1)) for text in stripped], classes, len(stripped))


def _whole(text: str) -> str:
    """Return "2" for "2.0", and other text as it is."""
    number, point, decimals = text.partition(".")
    return number if point and not decimals.strip("0") else text


def check_share(value: float | None, name: str) -> float | None:
    """Return a fraction in 0..1, or None."""
    if value is not None and not 0 <= value <= 1:
        raise EvaluationError(f"`{name}` is {value}; it must lie in 0..1.")
    return value


def check_names(values: Any, name: str, rows: int, *, required: bool = False) -> npt.NDArray[np.object_] | None:
    """Return names as an object array of str (n,) (missing ones ""), or None where nothing was given.

    They are formatted as those of a dataset, so that equal names match; see `format_names`.
    """
    return _check_text(values, name, rows, required=required, write=format_names)


def check_paths(values: Any, rows: int) -> npt.NDArray[np.object_] | None:
    """Return unchanged paths as an object array of str (n,) (missing ones ""), or None where nothing was given."""
    return _check_text(values, "paths", rows, required=False, write=lambda series: series.astype(TEXT))


def _check_text(
    values: Any, name: str, rows: int, *, required: bool, write: Callable[[pd.Series], pd.Series]
) -> npt.NDArray[np.object_] | None:
    if values is None:
        return None
    raw = to_array(values, name)
    if raw.shape != (rows,):
        raise _wrong_shape(raw, name, rows)
    series = write(pd.Series(raw, dtype=object)).fillna("")
    missing = series == ""
    if missing.all() and rows:
        return None
    if required and missing.any():
        raise EvaluationError(
            f"`{name}` is missing in {int(missing.sum())} of {format_count(rows, 'row')}, first in row "
            f"{int(missing.to_numpy().argmax())}. Every image needs one, since confidence intervals are over cases."
        )
    return series.to_numpy(dtype=object)


def check_magnifications(values: Any, rows: int) -> npt.NDArray[np.int64] | None:
    """Return magnifications as int64 (n,), -1 where not known, or None where nothing was given."""
    if values is None:
        return None
    raw = pd.Series(to_array(values, "magnifications"), dtype=object, name="magnifications")
    if len(raw) != rows:
        raise EvaluationError(
            f"`magnifications` has {format_count(len(raw), 'value')}; `probabilities` has {format_count(rows, 'row')}."
        )
    numbers = parse_numbers(raw.replace("", None), "The predictions", EvaluationError)
    if not (numbers.dropna() == numbers.dropna().round()).all():
        raise EvaluationError("`magnifications` must be whole numbers, such as 200.")
    if numbers.isna().all() and rows:
        return None
    return np.asarray(numbers.fillna(-1), dtype=np.int64)


def check_threshold(threshold: float | None, classes: tuple[str, ...]) -> float | None:
    """Return the threshold of the positive class, which is only defined for two classes."""
    if threshold is None:
        return None
    if len(classes) != 2:
        raise EvaluationError(f"A threshold needs two classes; these predictions have {len(classes)}: {classes}.")
    value = float(threshold)
    if not 0.0 <= value <= 1.0:
        raise EvaluationError(f"`threshold` is {value}; it must be a probability in 0..1.")
    return value
