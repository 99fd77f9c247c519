import pandas as pd
import pytest

import breastcls as bc
from breastcls.errors import DatasetError, DatasetWarning


def test_round_trip(tmp_path, flat):
    for data in (bc.load_breakhis(flat), bc.load_breakhis(flat, target="subtype")):
        written = data.to_csv(tmp_path / "table.csv")
        assert str(flat) not in written.read_text(encoding="utf-8")
        again = bc.load_table(written, root=data.root)
        assert (again.classes, again.root) == (data.classes, data.root)
        pd.testing.assert_frame_equal(again.table, data.table)


def test_relative_paths_refer_to_the_folder_of_the_file(tmp_path, draw):
    draw(tmp_path / "images/a.png", 1)
    draw(tmp_path / "images/b.png", 2)
    (tmp_path / "list.csv").write_text("path,label,case\nimages/a.png,yes,1\nimages/b.png,no,NA\n", encoding="utf-8")
    data = bc.load_table(tmp_path / "list.csv")
    assert data.classes == ("no", "yes")
    assert data.cases.tolist() == ["1", "NA"]
    assert data.paths[0] == str(tmp_path / "images/a.png")
    assert len(bc.load_table(pd.read_csv(tmp_path / "list.csv", dtype=str, keep_default_na=False), root=tmp_path)) == 2


def test_without_cases_it_warns(tmp_path, draw):
    path = str(draw(tmp_path / "a.png", 1))
    with pytest.warns(DatasetWarning, match="column 'case'"):
        data = bc.load_table(pd.DataFrame({"path": [path], "label": ["yes"]}))
    assert not data.has_cases
    assert data.cases.tolist() == [path]


def test_invalid_tables_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="Cannot read"):
        bc.load_table(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"empty\.csv is empty"):
        bc.load_table(tmp_path / "empty.csv")
    with pytest.raises(DatasetError, match="no rows"):
        bc.load_table(pd.DataFrame({"path": [], "label": [], "case": []}))
    with pytest.raises(DatasetError, match=r"no column 'path'.*'filename' holds it, rename it to 'path'"):
        bc.load_table(pd.DataFrame({"Filename": ["a"], "case": ["1"]}).rename(columns=str.lower))
    with pytest.raises(DatasetError, match=r"2 of 2 image files do not exist, first .*a\.png"):
        bc.load_table(pd.DataFrame({"path": ["a.png", "b.png"], "label": ["x", "y"], "case": ["1", "2"]}))
