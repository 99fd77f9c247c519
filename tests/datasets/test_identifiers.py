import numpy as np
import pandas as pd
import pytest

from breastcls.datasets.identifiers import write_names


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
def test_the_same_names_however_they_are_held(given):
    found = write_names(given)
    assert found.tolist() == ["7", "8"]
    assert found.dtype == "string"


def test_what_is_no_whole_number_stays_what_it_is():
    names = ["14-22549AB", "007", "7.5", "7.00", "v7.0", ".0", "-1.0", "", "NA", "inf"]
    assert write_names(pd.Series(names)).tolist() == names
    assert write_names(pd.Series([7.5, np.inf, -2.0])).tolist() == ["7.5", "inf", "-2"]


def test_gaps_stay_gaps_and_rows_in_their_place():
    found = write_names(pd.Series([None, 7.0, np.nan, pd.NA, "a "], index=[5, 4, 3, 2, 1], dtype=object))
    assert found.isna().tolist() == [True, False, True, True, False]
    assert found.dropna().to_dict() == {4: "7", 1: "a"}
