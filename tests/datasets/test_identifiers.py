import numpy as np
import pandas as pd
import pytest

from breastcls.datasets.identifiers import format_names


@pytest.mark.parametrize(
    "given",
    [
        pd.Series([7, 8]),
        pd.Series([7.0, 8.0]),
        pd.Series([7.0, 8.0], dtype="float32"),
        pd.Series([7.0, 8.0], dtype="Float64"),
        pd.Series(["7", "8"]),
        pd.Series(["7.0", " 8 "], dtype="string"),
        pd.Series(["7.0", np.float64(8)], dtype=object),
        pd.Series([7, "8\n"], dtype=object),
    ],
    ids=repr,
)
def test_equal_names_of_any_type_become_equal(given):
    found = format_names(given)
    assert found.tolist() == ["7", "8"]
    assert found.dtype == "string"


def test_other_names_are_unchanged():
    names = ["14-22549AB", "007", "7.5", "7.00", "v7.0", ".0", "-1.0", "", "NA", "inf"]
    assert format_names(pd.Series(names)).tolist() == names
    assert format_names(pd.Series([7.5, np.inf, -2.0])).tolist() == ["7.5", "inf", "-2"]


def test_missing_values_and_the_index_are_kept():
    found = format_names(pd.Series([None, 7.0, np.nan, pd.NA, "a "], index=[5, 4, 3, 2, 1], dtype=object))
    assert found.isna().tolist() == [True, False, True, True, False]
    assert found.dropna().to_dict() == {4: "7", 1: "a"}
