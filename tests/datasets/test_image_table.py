import pandas as pd
import pytest

from breastcls.datasets.image_table import COLUMNS, check_labels, make_table
from breastcls.errors import DatasetError


def test_columns_are_completed_ordered_and_typed():
    table = make_table(
        {"case": [1, 2], "label": ["b", "m"], "path": ["x", "y"], "magnification": ["40", None], "own": [1, 2]}
    )
    assert tuple(table.columns) == (*COLUMNS, "own")
    assert table["case"].tolist() == ["1", "2"]
    assert table["slide"].tolist() == ["1", "2"]
    assert table["magnification"].dtype == "Int64"
    assert pd.isna(table["magnification"][1])
    pd.testing.assert_frame_equal(make_table(table), table)


def test_empty_text_is_missing():
    with pytest.raises(DatasetError, match="'path' is empty in 1 row, first in row 1"):
        make_table({"path": ["x", ""], "label": ["a", "a"], "case": ["1", "1"]})


def test_names_of_cases_and_slides_are_uniform():
    whole = pd.DataFrame({"path": ["x", "y"], "label": ["b", "m"], "case": [1, 2], "slide": ["11", "12"]})
    gaps = pd.DataFrame({"case": [1, 2, None], "slide": [11, 12, None]}).dropna()  # floats
    assert (gaps.dtypes == "float64").all()
    expected = make_table(whole)
    for case, slide in ((gaps["case"], gaps["slide"]), (["1.0", " 2"], [11.0, "12\t"])):
        pd.testing.assert_frame_equal(make_table(whole.assign(case=list(case), slide=list(slide))), expected)
    # Paths are not changed.
    assert make_table(whole.assign(path=[" x", "1.0"]))["path"].tolist() == [" x", "1.0"]


def test_labels_must_be_classes():
    table = make_table({"path": ["x"], "label": ["b"], "case": ["1"]})
    assert check_labels(table, ["b", "m"]) == ("b", "m")
    with pytest.raises(DatasetError, match=r"labels \['b'\]"):
        check_labels(table, ["m"])
