"""A CSV file of predictions: written, and read into the arguments of `Predictions.from_arrays`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.files import atomic_path
from breastcls.models.calibration_identity import UNCALIBRATED, name_calibration, parse_calibration
from breastcls.predictions import array_arguments as arrays

PROBABILITY = "probability_"
# Columns that hold one value, the same in every row.
CONSTANT_COLUMNS = ("level", "aggregation_method", "threshold", "part", "calibration")


def read_columns(
    path: str | os.PathLike[str],
    classes: Sequence[str] | None,
    probabilities: str | Sequence[str] | None,
    named: Mapping[str, str],
    given: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read predictions from a CSV file; see `Predictions.from_csv`.

    Args:
        path: The file.
        classes: Class names, or None.
        probabilities: Columns of the probabilities, or None.
        named: The column of each argument of `from_arrays` that has one value per row.
        given: `threshold` and `part` of the caller, None where the file is to tell.

    Returns:
        Arguments of `Predictions.from_arrays`, and the fields that it does not take.

    Raises:
        EvaluationError: If the file cannot be read, a column is missing, or a constant column is not constant.
    """
    text = [*(named[name] for name in ("cases", "slides", "paths", "subtypes")), *CONSTANT_COLUMNS]
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(text, str))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"Cannot read predictions from {path}: {error}") from error
    if classes is None:
        classes = [str(name).removeprefix(PROBABILITY) for name in table if str(name).startswith(PROBABILITY)]
    if probabilities is None:
        columns = [f"{PROBABILITY}{name}" for name in classes]
    else:
        columns = [probabilities] if isinstance(probabilities, str) else list(probabilities)
    label = named["labels"]
    missing = [name for name in (*columns, label) if name not in table]
    if missing or not columns:
        raise EvaluationError(
            f"{path} has no columns {missing or [PROBABILITY + '<class>']}; it has {list(table.columns)}. "
            "Name them with `probabilities=`, `classes=` and `label=`."
        )
    # A constant column that the caller gave a value for, or another meaning, is not read.
    written = {
        name: _constant(table, name, path)
        for name in CONSTANT_COLUMNS
        if given.get(name) is None and name not in {*named.values(), *columns}
    }
    # The labels are read again as text without missing values: a class may be called "1", "NA" or "None".
    labels = pd.read_csv(path, usecols=[label], dtype=str, na_filter=False)[label].tolist()
    threshold = given["threshold"]
    if "threshold" in written:
        threshold = arrays.to_number(written["threshold"], "threshold")
    arguments = {
        **{name: table[column].to_numpy() if column in table else None for name, column in named.items()},
        "labels": arrays.read_labels(labels, arrays.check_classes(classes)),
        "probabilities": table[columns].to_numpy(),
        "classes": classes,
        "threshold": threshold,
        "part": written.get("part", given["part"]),
    }
    record = {
        "level": written.get("level") or "image",
        "aggregation_method": written.get("aggregation_method"),
        "calibration": parse_calibration(written.get("calibration")),
    }
    return arguments, record


def write_columns(frame: pd.DataFrame, predictions: Any, path: str | os.PathLike[str]) -> Path:
    """Write a table of predictions with relative paths and constant columns; see `Predictions.to_csv`."""
    if predictions.relative_paths is not None:
        frame = frame.assign(path=predictions.relative_paths)
    for name in CONSTANT_COLUMNS:
        value = name_calibration(predictions.calibration) if name == "calibration" else getattr(predictions, name)
        if value not in (None, "image", UNCALIBRATED):
            frame[name] = value
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False)
    return Path(path)


def _constant(table: pd.DataFrame, name: str, path: Any) -> str | None:
    """Return the one value of a constant column, or None where there is no such column or it is empty."""
    if name not in table or table[name].isna().all():
        return None
    values = sorted(set(table[name].fillna("").tolist()))
    if len(values) > 1:
        raise EvaluationError(
            f"The column `{name}` of {path} holds {values[:5]}; expected one value, the same in every row. Keep the "
            "rows that belong together, or give the column another name if it means something else."
        )
    return str(values[0])
