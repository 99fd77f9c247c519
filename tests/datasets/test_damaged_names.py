import warnings

import pandas as pd
import pytest

from breastcls.datasets.damaged_names import check_names
from breastcls.datasets.table_reader import load_table
from breastcls.errors import DatasetError, DatasetWarning


@pytest.mark.parametrize("value", ["#REF!", "#N/A", " #Value! "])
@pytest.mark.parametrize("column", ["label", "case", "slide"])
def test_error_values_of_a_spreadsheet_are_refused_as_names(column, value):
    with pytest.raises(DatasetError, match=rf"column '{column}' has .* in 2 rows, first in row 1"):
        check_names(pd.DataFrame({column: ["a", value, "b", value]}), "The table")


@pytest.mark.parametrize("value", ["NA", "n/a", " nan ", "NULL", "None", "?", "-"])
def test_what_usually_marks_a_missing_value_gives_a_warning(value):
    with pytest.warns(DatasetWarning, match="in 1 row, first in row 1, which is read as a name"):
        check_names(pd.DataFrame({"case": ["a", value]}), "The table")


@pytest.mark.parametrize("value", ["NA-1", "Nancy", "N", "0", "1e5x", "B-12", "E10", None])
def test_other_names_are_taken(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_names(pd.DataFrame({"case": ["a", value]}), "The table")


@pytest.mark.parametrize("value", ["1E+05", "1.23E+11", "1,5e+06"])
def test_numbers_that_a_spreadsheet_rounded_give_a_warning(value):
    with pytest.warns(DatasetWarning, match="scientific notation"):
        check_names(pd.DataFrame({"case": ["100000", value]}), "The table")


def test_a_table_is_checked_when_it_is_read(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("path,label,case\na.png,benign,7\nb.png,malignant,#REF!\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="an error value of a spreadsheet"):
        load_table(file, files=False)


def test_a_folder_is_no_image_file(tmp_path):
    (tmp_path / "a.png").mkdir()
    frame = pd.DataFrame({"path": ["a.png"], "label": ["benign"], "case": ["7"]})
    with pytest.raises(DatasetError, match="is a folder"):
        load_table(frame, root=tmp_path, classes=("benign", "malignant"))
