"""Further columns of predictions, such as centre, scanner or age: by image, joined and aggregated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.further_columns import type_further_column
from breastcls.datasets.image_table import COLUMNS
from breastcls.errors import EvaluationError
from breastcls.identifiers import clean_name
from breastcls.predictions.prediction_set_text import FLAGS, SETS
from breastcls.text_tables import format_count

# Names of columns of a table of predictions that have a meaning of their own.
RESERVED = (
    *COLUMNS,
    *("decision", SETS, FLAGS),
    *("level", "aggregation_method", "threshold", "part", "calibration"),
)
PREFIX = "probability_"


def check_columns(columns: Mapping[str, Any] | pd.DataFrame | None, rows: int) -> pd.DataFrame | None:
    """Return further columns as a table of n rows, typed as those of a dataset; None if there are none.

    Raises:
        EvaluationError: If a column has another length, or a name that has another meaning.
    """
    if columns is None:
        return None
    given = {clean_name(str(name)): values for name, values in columns.items()}
    for name, values in given.items():
        if is_reserved(name) and name != "source":
            raise EvaluationError(f"`columns` holds {name!r}, which has a meaning of its own. Give it another name.")
        if len(values) != rows:
            raise EvaluationError(
                f"The column {name!r} has {format_count(len(values), 'value')}; `probabilities` has "
                f"{format_count(rows, 'row')}."
            )
    table = {name: type_further_column(pd.Series(values).reset_index(drop=True)) for name, values in given.items()}
    return pd.DataFrame(table) if table else None


def is_reserved(name: str) -> bool:
    """Return whether a column of a table of predictions has a meaning of its own."""
    return name in RESERVED or name.startswith(PREFIX)


def columns_of(data: Dataset) -> pd.DataFrame | None:
    """Return the further columns of a dataset, and `source` if there are several; "part" becomes "part_of_image"."""
    table = data.table
    own = [str(name) for name in table if name not in COLUMNS]
    own += ["source"] if table["source"].nunique() > 1 else []
    if not own:
        return None
    taken = {name: f"{name}_of_image" for name in own if is_reserved(name) and name != "source"}
    return table[own].rename(columns=taken)


def join_columns(tables: Sequence[pd.DataFrame | None]) -> pd.DataFrame | None:
    """Return the rows of several tables in one, with the columns that all have."""
    known = [table for table in tables if table is not None]
    shared = (
        [str(name) for name in known[0] if all(name in table for table in known)] if len(known) == len(tables) else []
    )
    if not shared:
        return None
    joined = pd.concat([table[shared].astype(object) for table in known], ignore_index=True)
    return pd.DataFrame({name: type_further_column(joined[name]) for name in shared})


def aggregate_columns(table: pd.DataFrame | None, groups: npt.NDArray[np.int64]) -> pd.DataFrame | None:
    """Return each group's value where all its rows agree, missing elsewhere."""
    if table is None:
        return None
    first = np.unique(groups, return_index=True)[1]
    result = table.iloc[first].reset_index(drop=True)
    for name in table:
        codes = pd.factorize(table[name])[0]
        disagree = np.zeros(len(first), dtype=bool)
        disagree[groups[codes != codes[first][groups]]] = True
        result[name] = result[name].mask(disagree, pd.NA)
    return result
