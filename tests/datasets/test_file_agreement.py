import os

import pytest

import breastcls as bc
from breastcls.errors import DatasetError, DatasetWarning


def read(paths, labels, cases):
    return bc.Dataset.from_columns(("b", "m"), path=paths, label=labels, case=cases)


@pytest.mark.parametrize("kind", ["same", "spelled", "symbolic", "hard"])
def test_a_file_has_one_label_and_one_case(tmp_path, draw, kind):
    path = str(draw(tmp_path / "a.png", 1))
    other = {"same": path, "spelled": f"{tmp_path}/./x/../a.png"}.get(kind, str(tmp_path / "link.png"))
    if kind == "symbolic":
        os.symlink(path, other)
    elif kind == "hard":
        os.link(path, other)
    (tmp_path / "x").mkdir()
    more = str(draw(tmp_path / "b.png", 2))
    with pytest.raises(DatasetError, match=r"different labels \(row 0: .*a.png, label 'b'; row 2: .*label 'm'\)"):
        read([path, more, other], ["b", "b", "m"], ["1", "2", "1"])
    with pytest.raises(DatasetError, match=r"different cases \(row 0: .*case '1'; row 2: .*case '3'\)"):
        read([path, more, other], ["b", "m", "b"], ["1", "2", "3"])
    with pytest.warns(DatasetWarning, match="1 of 3 rows repeats a file"):
        assert len(read([path, more, other], ["b", "m", "b"], ["1", "2", "1"])) == 3


def test_files_that_do_not_exist_are_compared_by_path():
    with pytest.raises(DatasetError, match="One file is in 2 rows"):
        read(["x/a.png", "x/./a.png"], ["b", "m"], ["1", "1"])
