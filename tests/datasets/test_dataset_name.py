import pandas as pd

from breastcls.datasets.breakhis import load_breakhis
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_name import name_collection
from breastcls.datasets.synthetic.image_trees import make_breakhis
from breastcls.datasets.table_reader import load_table


def test_a_name_has_the_folder_without_its_path_and_survives_selection_and_concatenation(tmp_path):
    root = make_breakhis(
        tmp_path, slides_per_subtype=1, images_per_slide=1, magnifications=(40,), image_size=(46, 70), threads=1
    )
    data = load_breakhis(root)
    assert data.name == "synthetic images in the layout of BreakHis, folder BreaKHis_v1"
    joined = data[:4] + data.where(label="malignant")
    assert joined.with_classes(("x", "y"), {"benign": "x", "malignant": "y"}).name == data.name
    joined.table.assign(path=joined.paths).to_csv(tmp_path / "mine.csv", index=False)
    table = load_table(tmp_path / "mine.csv")
    assert table.name == "table mine.csv"
    assert (data + table).name == f"{data.name} + table mine.csv"


def test_only_cases_that_are_all_synthetic_make_a_collection_synthetic():
    assert name_collection("IDC", "scans/IDC_sampled", ["9022", "16896"]) == "IDC, folder IDC_sampled"
    assert name_collection("IDC", "scans/IDC_sampled", ["90001"]).startswith("synthetic images in the layout of IDC")


def test_a_table_in_memory_has_no_name():
    frame = pd.DataFrame({"path": ["a.png"], "label": ["no"], "case": ["1"]})
    assert Dataset(frame, ("no", "yes")).name == ""
