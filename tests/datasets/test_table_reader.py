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
    with pytest.warns(DatasetWarning, match="has 'NA' in 1 row, first in row 1, which is read as a name"):
        data = bc.load_table(tmp_path / "list.csv")
    assert data.classes == ("no", "yes")
    assert data.cases.tolist() == ["1", "NA"]
    assert data.paths[0] == str(tmp_path / "images/a.png")
    frame = pd.DataFrame({"path": ["images/a.png"], "label": ["yes"], "case": ["1"]})
    assert len(bc.load_table(frame, root=tmp_path)) == 1


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


@pytest.fixture
def images(tmp_path, draw):
    for seed, name in enumerate(["M\u00fcller_1.png", "b.png", "c.png"]):
        draw(tmp_path / "images" / name, seed)
    return tmp_path


WRITTEN = "\ufeff PATH ;Label;Case ;MAGNIFICATION;X;Centre;Age\r\n{};Benign ;M\u00fcller;40X;1,0;Lyon;61,5\r\n" + (
    "images\\b.png;malignant;7.0;200;2;Oslo ;70\r\n;;;;;;\r\n images/c.png ;malignant\u00a0;7;200,0;;;\r\n"
)


@pytest.mark.parametrize("name", ["images\\M\u00fcller_1.png", "images/Mu\u0308ller_1.png"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_table_as_excel_writes_it(images, name, encoding):
    (images / "list.csv").write_bytes(WRITTEN.format(name).lstrip("\ufeff").encode(encoding))
    data = bc.load_table(images / "list.csv")
    assert data.classes == ("Benign", "malignant")
    assert data.cases.tolist() == ["M\u00fcller", "7", "7"]
    assert data.table["magnification"].tolist() == [40, 200, 200]
    assert data.table["x"].fillna(-1).tolist() == [1, 2, -1]
    assert data.table["Centre"].fillna("").tolist() == ["Lyon", "Oslo", ""]
    assert data.table["Age"].fillna(-1).tolist() == [61.5, 70, -1]
    assert data.relative_paths == ["images/M\u00fcller_1.png", "images/b.png", "images/c.png"]


def test_a_workbook_and_a_packed_table(images):
    frame = pd.DataFrame({"path": ["images/b.png", "images/c.png"], "label": [0.0, 1.0], "case": [1, 2]})
    frame.to_excel(images / "list.xlsx", index=False)
    frame.to_csv(images / "list.csv.gz", index=False)
    for name in ("list.xlsx", "list.csv.gz"):
        data = bc.load_table(images / name)
        assert data.classes == ("0", "1")
        assert data.cases.tolist() == ["1", "2"]
    pd.testing.assert_frame_equal(bc.load_table(frame, root=images).table, data.table)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["benign ", "benign", "malignant"], ("benign", "malignant")),
        (["benign", "\ufeffbenign", "malignant\u200b"], ("benign", "malignant")),
        ([0.0, 1.0, 1.0], ("0", "1")),
        ([0, 1, 1], ("0", "1")),
        (["0.0", "1.0", "1"], ("0", "1")),
        ([True, False, True], ("False", "True")),
    ],
)
def test_labels_that_look_the_same_are_one_class(images, labels, classes):
    paths = [f"images/{name}.png" for name in ("b", "c", "M\u00fcller_1")]
    assert (
        bc.load_table(pd.DataFrame({"path": paths, "label": labels, "case": list("123")}), root=images).classes
        == classes
    )


@pytest.mark.parametrize("other", ["Benign", "BENIGN", "b\u00e9nign", "beNign"])
def test_classes_that_differ_in_spelling_are_an_error(images, other):
    frame = pd.DataFrame({"path": ["images/b.png", "images/c.png"], "label": ["benign", other], "case": ["1", "2"]})
    with pytest.raises(DatasetError, match=r"differ in spelling only.*Images: .*1.*Write equal classes alike"):
        bc.load_table(frame, root=images)
    with pytest.raises(DatasetError, match=r"not among the classes .* These names differ in spelling only"):
        bc.load_table(frame, root=images, classes=("benign", "malignant"))


def test_similar_cases_warn_and_stay_together_until_they_are_distinct(images):
    frame = pd.DataFrame(
        {
            "path": [f"images/{n}.png" for n in ("b", "c", "M\u00fcller_1")],
            "label": list("xyx"),
            "case": ["01", "1", "2"],
        }
    )
    with pytest.warns(DatasetWarning, match=r"cases '01' and '1' differ in spelling only.*distinct=\[\('01', '1'\)\]"):
        data = bc.load_table(frame, root=images)
    assert not bc.audit_leakage(data[:1], data[1:], pixels=False).clean
    distinct = bc.load_table(frame, root=images, distinct=[("01", "1")])
    assert bc.audit_leakage(distinct[:1], distinct[1:], pixels=False).clean
    assert bc.audit_leakage((distinct[:1] + distinct[2:])[:1], distinct[1:2], pixels=False).clean
    more = pd.concat([frame] * 8, ignore_index=True).assign(
        path=[f"{n}.png" for n in range(24)], case=[c for n in range(8) for c in (f"0{n + 1}", f"{n + 1}", f"x{n}")]
    )
    with pytest.warns(DatasetWarning):
        columns = bc.Dataset.from_columns(("x", "y"), **more[["path", "label", "case"]].to_dict("list"))
    for seed in range(5):
        parts = columns.split((0.5, 0.5), seed=seed)
        assert bc.audit_leakage(*parts, pixels=False).clean
    # A column of numbers is no list of spellings.
    assert bc.load_table(frame.assign(case=[1, 1.0, 2]), root=images).cases.tolist() == ["1", "1", "2"]


def test_tables_without_labels_or_cases(images):
    (images / "list.csv").write_text("path\nimages/b.png\nimages/c.png\n", encoding="utf-8")
    data = bc.load_table(images / "list.csv")
    assert (data.has_labels, data.has_cases, data.classes) == (False, False, ())
    assert data.labels.tolist() == [-1, -1]
    assert "2 images, cases unknown, no labels" in repr(data)
    assert data.summary().total == {"images": 2, "slides": 0, "cases": 0}
    assert "2 images, cases not known" in str(data.summary())
    with pytest.raises(DatasetError, match=r"A split needs labels.*predict and explain need no labels"):
        data.split()
    pd.testing.assert_frame_equal(bc.load_table(data.to_csv(images / "again.csv"), root=data.root).table, data.table)
    labelled = pd.DataFrame({"path": ["images/b.png", "images/c.png"], "label": ["x", "y"], "Patient ID": ["7", "8"]})
    with pytest.warns(DatasetWarning, match=r"column 'case'.*'Patient ID' holds it, rename it to 'case'"):
        data = bc.load_table(labelled, root=images)
    with pytest.raises(DatasetError, match="case of these images is not known"):
        data.split((0.5, 0.5))
    with pytest.warns(DatasetWarning, match="no column 'label'.*'Diagnosis'"):
        bc.load_table(labelled.rename(columns={"label": "Diagnosis"}), root=images)
    with pytest.raises(DatasetError, match="'label' is empty in 1 row, first in row 1"):
        bc.load_table(labelled.assign(label=["x", None]), root=images)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["C:\\Users\\me\\a.png"], "absolute path of Windows"),
        (["\\\\server\\share\\a.png"], "absolute path of Windows"),
        (["https://host/a.png"], "an address and not a file"),
        (["images/b.png", None], "'path' is empty in 1 row, first in row 1"),
        (["images/b.png", "images/none.png"], r"1 of 2 image files do not exist, first images/none.png \(below"),
    ],
)
def test_paths_that_lead_nowhere_are_named(images, paths, message):
    with pytest.raises(DatasetError, match=message):
        bc.load_table(pd.DataFrame({"path": paths}), root=images)


def test_numbers_that_are_none_are_named(images):
    frame = pd.DataFrame({"path": ["images/b.png"], "magnification": ["high"]})
    with pytest.raises(DatasetError, match="'magnification' holds 'high' in row 0"):
        bc.load_table(frame, root=images)
    with pytest.raises(DatasetError, match=r"'label' more than once: \['Label', 'label '\]"):
        bc.load_table(pd.DataFrame([["images/b.png", "x", "y"]], columns=["path", "Label", "label "]), root=images)
