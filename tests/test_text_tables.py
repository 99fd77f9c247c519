import io

import pandas as pd
import pytest

from breastcls.text_tables import markdown_table, text_table

ROWS = [["case", "images"], ["14-22549", "16"], ["14-4659", "108"]]


@pytest.mark.parametrize("rule", [False, True])
def test_columns_are_aligned(rule):
    head, *body = text_table(ROWS, rule=rule).splitlines()
    assert head.index("images") == body[-1].index("108") == 10
    assert body[:1] == (["--------  ------"] if rule else ["14-22549  16"])
    assert all(line == line.rstrip() for line in (head, *body))


def test_a_markdown_table_is_read_back():
    text = markdown_table(ROWS)
    found = pd.read_csv(io.StringIO(text), sep="|", skipinitialspace=True, skiprows=[1], dtype=str)
    found = found.iloc[:, 1:-1].apply(lambda column: column.str.strip())
    assert [name.strip() for name in found.columns] == ROWS[0]
    assert found.to_numpy().tolist() == ROWS[1:]


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        text_table([["case"], ["14-22549", "16"]])
