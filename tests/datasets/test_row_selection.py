"""Rows that satisfy conditions."""

import numpy as np
import pandas as pd
import pytest

from breastcls.datasets.row_selection import describe_conditions, require_column, select_rows
from breastcls.errors import DatasetError

TABLE = pd.DataFrame(
    {
        "path": pd.array(["a.png", "b.png", "c.png"], dtype="string"),
        "case": pd.array(["7", "8", pd.NA], dtype="string"),
        "magnification": pd.array([40, pd.NA, 200], dtype="Int64"),
    }
)


@pytest.mark.parametrize(
    ("equals", "expected"),
    [
        ({"case": 7}, [True, False, False]),
        ({"case": [7.0, "8 "]}, [True, True, False]),
        ({"magnification": "40"}, [True, False, False]),
        ({"magnification": np.array([40, 200])}, [True, False, True]),
        ({"magnification": "forty"}, [False, False, False]),
        ({"case": "7", "magnification": 200}, [False, False, False]),
        ({}, [True, True, True]),
    ],
)
def test_values_are_compared_as_the_table_has_them(equals, expected):
    assert select_rows(TABLE, None, equals).tolist() == expected


def test_a_function_gets_a_copy_and_is_combined_with_values():
    def condition(table):
        table["case"] = "changed"
        return (table["path"] != "b.png").to_numpy(dtype=bool)

    assert select_rows(TABLE, condition, {"magnification": 200}).tolist() == [False, False, True]
    assert TABLE["case"].iloc[0] == "7"


@pytest.mark.parametrize("mask", [[True], [1, 0, 1], [[True] * 3], ["a", "b", "c"]])
def test_masks_of_other_lengths_and_types_are_refused(mask):
    with pytest.raises(DatasetError, match="must be 3 booleans"):
        select_rows(TABLE, mask, {})


def test_a_missing_column_lists_those_there_are():
    with pytest.raises(DatasetError, match=r"no column 'centre'\. Existing columns: path, case, magnification"):
        require_column(TABLE, "centre")


def test_conditions_as_text():
    assert describe_conditions(len, {"case": "7"}) == "case='7', the mask"
    assert describe_conditions(None, {}) == "the condition"
