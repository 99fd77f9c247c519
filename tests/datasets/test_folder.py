import os

import pytest

import breastcls as bc
from breastcls.errors import DatasetError, DatasetWarning, LayoutError
from support.platforms import POSIX


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
    with pytest.warns(DatasetWarning, match="1 image directly in tree"):
        data = bc.load_folder(tree, group=r"(P\d)")
    assert any("1 other file was skipped" in note for note in data.notes)


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


@pytest.fixture
def split_tree(tmp_path, draw):
    for seed, path in enumerate(["train/b/P1_1.png", "train/m/P2_1.png", "test/b/P3_1.png", "test/m/P4_1.png"]):
        draw(tmp_path / "kaggle" / path, seed)
    for folder in (".git", "__MACOSX", "@eaDir"):
        draw(tmp_path / "kaggle" / folder / "x.png", 9)
    return tmp_path / "kaggle"


def test_a_split_is_no_class_and_can_be_kept_as_a_column(split_tree, tmp_path):
    with pytest.raises(LayoutError, match=r"probably not classes but parts of a split \(test, train\).*'split/class'"):
        bc.load_folder(split_tree)
    data = bc.load_folder(split_tree, layout="split/class", group=r"(P\d+)_")
    assert data.classes == ("b", "m")
    assert sorted(data.where(split="train").cases) == ["P1", "P2"]
    assert bc.audit_leakage(data.where(split="train"), data.where(split="test")).clean
    again = bc.load_table(data.to_csv(tmp_path / "table.csv"), root=data.root)
    assert again.where(split="test").cases.tolist() == ["P3", "P4"]
    # Whoever has classes of these names says so.
    assert bc.load_folder(split_tree, layout="class", group=".+").classes == ("test", "train")


def test_levels_become_columns(tmp_path, draw):
    for seed, path in enumerate(["40X/Lyon/P1/b/1.png", "40X/Oslo/P2/m/1.png", "100X/Lyon/P1/b/1.png"]):
        draw(tmp_path / path, seed)
    data = bc.load_folder(tmp_path, layout="magnification/centre/case/class")
    assert data.table["magnification"].tolist() == [100, 40, 40]
    assert data.table["centre"].tolist() == ["Lyon", "Lyon", "Oslo"]
    assert data.cases.tolist() == ["P1", "P1", "P2"]
    assert bc.load_folder(tmp_path, layout="*/*/case/class").table.columns.tolist()[-1] == "source"
    with pytest.raises(LayoutError, match="not classes but magnifications"):
        bc.load_folder(tmp_path.parent / tmp_path.name)
    for layout in ("split/split", "class//case", "path/class"):
        with pytest.raises(DatasetError, match="layout="):
            bc.load_folder(tmp_path, layout=layout)
    with pytest.raises(DatasetError, match="gives the case of each image already"):
        bc.load_folder(tmp_path, layout="case/class", group="x")


def test_folders_without_classes_have_no_labels(tmp_path, draw):
    for seed, path in enumerate(["P1/1.png", "P2/1.png"]):
        draw(tmp_path / "new" / path, seed)
    data = bc.load_folder(tmp_path / "new", layout="case")
    assert not data.has_labels
    assert data.cases.tolist() == ["P1", "P2"]
    assert not bc.load_folder(tmp_path / "new", layout="").has_cases
    assert "no labels" in repr(data)
    with pytest.raises(DatasetError, match="A split needs labels"):
        data.split()


def test_a_single_folder_around_the_classes_is_named(tree):
    inner = tree.parent / "outer" / "dataset"
    inner.parent.mkdir()
    tree.rename(inner)
    with pytest.raises(LayoutError, match=r"All images are in dataset: give that folder, '.*outer/dataset'"):
        bc.load_folder(inner.parent)


def test_a_split_below_the_classes_is_mentioned(tmp_path, draw):
    for seed, path in enumerate(["b/train/1.png", "b/test/2.png", "m/train/3.png", "m/test/4.png"]):
        draw(tmp_path / path, seed)
    with pytest.warns(DatasetWarning, match="layout='class/split' to keep"):
        bc.load_folder(tmp_path, group=".+")
    assert sorted(bc.load_folder(tmp_path, layout="class/split", group=".+").where(split="test").labels) == [0, 1]


def test_class_folders_that_differ_in_spelling_are_an_error(tree, draw):
    draw(tree / "B" / "P9_1.png", 30)
    with pytest.raises(DatasetError, match="classes 'B' and 'b' differ in spelling only"):
        bc.load_folder(tree, group=r"(P\d)")


def test_folders_in_two_unicode_compositions_are_one_class(tmp_path, draw):
    for seed, path in enumerate(["Krebs/1.png", "Gewa\u0308chs/2.png", "Gew\u00e4chs/3.png"]):
        draw(tmp_path / path, seed)
    assert bc.load_folder(tmp_path, group=".+").classes == ("Gew\u00e4chs", "Krebs")


def test_a_link_to_an_image_of_another_class_is_refused(tree):
    (tree / "m/P9_1.jpg").symlink_to(tree / "b/P1_2.jpg")
    with pytest.raises(DatasetError, match=r"One file is in 2 rows with different labels \(row 1: .*P1_2"):
        bc.load_folder(tree, group=r"(P\d)")


@POSIX
def test_file_names_that_are_not_utf8_are_read_audited_and_written(tree, tmp_path):
    folder = os.fsencode(tree / "b")
    try:
        os.rename(os.path.join(folder, sorted(os.listdir(folder))[0]), os.path.join(folder, b"\xff\xfe.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    data = bc.load_folder(tree, group=lambda path: path)
    assert any("\udcff" in path for path in data.paths)
    bc.audit_leakage(data[:1], data[1:])
    assert "udcff" in data.to_csv(tmp_path / "images.csv").read_text(encoding="utf-8")
