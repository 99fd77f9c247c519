import shutil

import pytest

import breastcls as bc
from breastcls.errors import LayoutError


@pytest.fixture
def tree(tmp_path, draw):
    for patient in ("1", "22"):
        for seed in range(4):
            label = seed % 2
            name = f"{patient}_idx5_x{50 * seed + 1}_y101_class{label}.png"
            draw(tmp_path / "idc" / patient / str(label) / name, seed, (50, 50))
    return tmp_path / "idc"


def test_reading(tree):
    data = bc.load_idc(tree)
    assert data.classes == ("negative", "positive")
    assert len(data) == 8
    row = data.where(x=51, case="22").table.iloc[0]
    assert (row["label"], row["slide"], row["y"]) == ("positive", "22", 101)


def test_the_doubled_folder_of_kaggle(tree):
    shutil.copytree(tree, tree / "IDC_regular_ps50_idx5", ignore=shutil.ignore_patterns("IDC_regular*"))
    data = bc.load_idc(tree)
    assert len(data) == 8
    assert any("8 copies" in note for note in data.notes)


def test_a_folder_without_patches(tmp_path, flat):
    with pytest.raises(LayoutError, match="No IDC patch was found among the 24 files"):
        bc.load_idc(flat)


@pytest.mark.real
def test_the_real_folder(real_data):
    summary = bc.load_idc(real_data / "IDC_regular_ps50_idx5").summary()
    assert summary.total == {"images": 5238, "slides": 11, "cases": 11}
    assert summary.by_class["cases"].tolist() == [4, 10]
