"""A CSV file of predictions: written, and read into the arguments of `Predictions.from_arrays`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from breastcls.csv_text import write_rows
from breastcls.datasets.table_columns import match_columns, parse_numbers
from breastcls.errors import EvaluationError
from breastcls.files import write_text
from breastcls.identifiers import TEXT, clean_name
from breastcls.models.calibration_identity import UNCALIBRATED, name_calibration, parse_calibration
from breastcls.predictions import array_arguments as arrays
from breastcls.predictions.prediction_columns import is_reserved
from breastcls.predictions.prediction_set_text import FLAGS, SETS, read_flags, read_sets
from breastcls.table_files import read_text_table

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
        given: `threshold`, `part` and `encoding` of the caller, None where the file is to tell.

    Returns:
        Arguments of `Predictions.from_arrays`, and the fields that it does not take.

    Raises:
        EvaluationError: If the file cannot be read, a column is missing, a value is no number where one is needed, or
            a constant column is not constant, or prediction sets or out-of-distribution flags cannot be read.
    """
    read = read_text_table(path, EvaluationError, encoding=given.get("encoding"), stacklevel=4)
    asked = [] if probabilities is None else [probabilities] if isinstance(probabilities, str) else list(probabilities)
    name = f"The table {os.path.basename(path)}"
    expected = list(dict.fromkeys([*named.values(), *CONSTANT_COLUMNS, SETS, FLAGS, *asked]))
    table = match_columns(read.frame, expected, name, EvaluationError)
    there = [str(one) for one in table]
    written_classes = [one[len(PROBABILITY) :] for one in there if one.lower().startswith(PROBABILITY)]
    columns = asked or _probability_columns(table, written_classes if classes is None else classes)
    label = named["labels"]
    missing = [one for one in (*columns, label) if one not in table]
    if missing or not columns:
        raise EvaluationError(
            f"{path} has no columns {missing or [PROBABILITY + '<class>']}; it has {list(table.columns)}. "
            "Name them with `probabilities=`, `classes=` and `label=`."
        )
    if classes is None:
        classes = written_classes
    used = {*named.values(), *columns}
    # A constant column that the caller gave a value for, or another meaning, is not read.
    written = {
        one: _constant(table, one, path) for one in CONSTANT_COLUMNS if given.get(one) is None and one not in used
    }
    marks = {one: table[one].fillna("").tolist() for one in (SETS, FLAGS) if one in table and one not in used}
    threshold = given["threshold"]
    if written.get("threshold") is not None:
        threshold = float(parse_numbers(table["threshold"], name, EvaluationError).iloc[0])
    numbers = {one: parse_numbers(table[one], name, EvaluationError) for one in columns}
    known = {argument: table.get(column) for argument, column in named.items()}
    if known["magnifications"] is not None:
        known["magnifications"] = parse_numbers(known["magnifications"], name, EvaluationError)
    arguments = {
        **{argument: None if values is None else _objects(values) for argument, values in known.items()},
        "labels": arrays.read_labels(table[label].fillna("").tolist(), arrays.check_classes(classes)),
        "probabilities": np.stack([values.to_numpy() for values in numbers.values()], axis=1),
        "classes": classes,
        "threshold": threshold,
        "part": written.get("part", given["part"]),
        "columns": table[[one for one in there if one not in used and not is_reserved(one)]],
    }
    record = {
        "level": written.get("level") or "image",
        "aggregation_method": written.get("aggregation_method"),
        "calibration": parse_calibration(written.get("calibration")),
        "prediction_sets": read_sets(marks[SETS], arrays.check_classes(classes), path) if SETS in marks else None,
        "ood": read_flags(marks[FLAGS], path) if FLAGS in marks else None,
    }
    return arguments, record


def _probability_columns(table: pd.DataFrame, classes: Sequence[Any]) -> list[str]:
    """Return the column of each class; letter case of the prefix, and what `clean_name` removes, is ignored."""
    there = {one.lower()[: len(PROBABILITY)] + one[len(PROBABILITY) :]: one for one in map(str, table)}
    wanted = [f"{PROBABILITY}{clean_name(str(name))}" for name in classes]
    return [there.get(one, one) for one in wanted]


def _objects(values: pd.Series) -> np.ndarray:
    return values.astype(object).where(values.notna(), None).to_numpy(dtype=object)


def write_columns(frame: pd.DataFrame, predictions: Any, path: str | os.PathLike[str]) -> Path:
    """Write a table of predictions with relative paths and constant columns; see `Predictions.to_csv`."""
    return write_text(path, write_rows(complete_columns(frame, predictions, predictions.relative_paths)))


def complete_columns(frame: pd.DataFrame, predictions: Any, paths: Any) -> pd.DataFrame:
    """Return a table of predictions with other paths and with the constant columns that are not the default."""
    changes = {} if paths is None else {"path": pd.array(paths, dtype=TEXT)}
    for name in CONSTANT_COLUMNS:
        value = name_calibration(predictions.calibration) if name == "calibration" else getattr(predictions, name)
        if value not in (None, "image", UNCALIBRATED):
            changes[name] = value
    return frame.assign(**changes)


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
