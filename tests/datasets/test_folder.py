import pytest

import breastcls as bc
from breastcls.errors import DatasetError, DatasetWarning, LayoutError


@pytest.fixture
def tree(tmp_path, draw):
    for seed, path in enumerate(["b/P1_1.png", "b/P1_2.jpg", "b/deep/P2_1.png", "m/P3_1.tif", "m/P4_1.bmp"]):
        draw(tmp_path / "tree" / path, seed)
    return tmp_path / "tree"


def test_groups_by_pattern_and_function(tree):
    data = bc.load_folder(tree, group=r"(P\d+)_")
    assert data.classes == ("b", "m")
    assert data.labels.tolist() == [0, 0, 0, 1, 1]
    assert data.cases.tolist() == ["P1", "P1", "P2", "P3", "P4"]
    by_function = bc.load_folder(tree, group=lambda path: path.rsplit("/", 1)[-1].split("_")[0])
    assert by_function.cases.tolist() == data.cases.tolist()


def test_without_group_it_warns(tree):
    with pytest.warns(DatasetWarning, match="case of its own"):
        data = bc.load_folder(tree)
    assert len(set(data.cases)) == 5
    assert not data.has_cases
    assert any("cases are not known" in note for note in data.notes)


def test_classes_can_be_ordered_and_omitted(tree, draw):
    assert bc.load_folder(tree, group=r"(P\d)", classes=("m", "b")).labels.tolist() == [1, 1, 1, 0, 0]
    draw(tree / "unsure/P5_1.png", 9)
    data = bc.load_folder(tree, group=r"(P\d)", classes=("b", "m"))
    assert len(data) == 5
    assert any("'unsure'" in note for note in data.notes)
    with pytest.raises(DatasetError, match=r"no images of the classes \['benign'\].*\['b', 'm', 'unsure'\]"):
        bc.load_folder(tree, classes=("benign", "m"))


def test_other_files_are_counted(tree, draw):
    (tree / "b/notes.txt").write_text("", encoding="utf-8")
    draw(tree / "loose.png", 9)
    with pytest.warns(DatasetWarning, match="1 images directly in tree"):
        data = bc.load_folder(tree, group=r"(P\d)")
    assert any("1 other files" in note for note in data.notes)


def test_folders_without_classes_and_wrong_groups_are_refused(tree, tmp_path):
    with pytest.raises(LayoutError, match=r"two class folders with images; found none and 2"):
        bc.load_folder(tree / "m", group="P")
    (tmp_path / "one").mkdir()
    with pytest.raises(LayoutError, match="two class folders"):
        bc.load_folder(tmp_path / "one")
    with pytest.raises(DatasetError, match="does not match"):
        bc.load_folder(tree, group=r"Q(\d)")
    with pytest.raises(DatasetError, match="not a valid regular expression"):
        bc.load_folder(tree, group="(")
    with pytest.raises(DatasetError, match="non-empty string"):
        bc.load_folder(tree, group=lambda path: 7)
