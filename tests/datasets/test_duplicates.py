import pandas as pd

from breastcls.datasets.duplicates import drop_identical_images, drop_repeated_names


def test_repeated_names_by_file_size(tmp_path, draw):
    paths = [draw(tmp_path / folder / "a.png", 1) for folder in ("one", "two")]
    table = pd.DataFrame({"path": [str(path) for path in paths], "name": ["a.png"] * 2})
    kept, notes = drop_repeated_names(table, "drop", content=False)
    assert kept["path"].tolist() == [str(paths[0])]
    assert notes == ["1 copy under the same name in another folder was left out."]


def test_only_cases_of_several_subtypes_are_read(tmp_path):
    table = pd.DataFrame(
        {
            "path": ["gone.png"] * 2,
            "name": ["a", "b"],
            "label": "malignant",
            "case": ["1", "1"],
            "subtype": ["DC", "DC"],
        }
    )
    kept, notes = drop_identical_images(table, "drop")
    assert (len(kept), notes) == (2, [])
