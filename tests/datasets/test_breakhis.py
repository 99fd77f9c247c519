import shutil
import tarfile
from pathlib import Path

import pytest

import breastcls as bc
from breastcls.datasets.breakhis import parse_breakhis_name
from breastcls.errors import DatasetError, DatasetWarning, LayoutError

FOLDERS = {"A": "adenosis", "F": "fibroadenoma", "DC": "ductal_carcinoma", "MC": "mucinous_carcinoma"}


def _official(name: str) -> Path:
    p = parse_breakhis_name(name)
    stem = name.split("-", 1)[0] + "_" + p.slide
    return Path("histology_slides/breast", p.malignancy, "SOB", FOLDERS[p.subtype], stem, f"{p.magnification}X", name)


LAYOUTS = {
    "official": lambda n: Path("BreaKHis_v1") / _official(n),
    "nested twice": lambda n: Path("BreaKHis_v1/BreaKHis_v1") / _official(n),
    "flat": lambda n: Path(n),
    "train and test": lambda n: Path("train" if n[-5] == "1" else "test", parse_breakhis_name(n).malignancy, n),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_reads_the_same(tmp_path, flat, names, layout):
    for name in names:
        target = tmp_path / "copy" / LAYOUTS[layout](name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(flat / name, target)
    data = bc.load_breakhis(tmp_path / "copy")
    assert sorted(Path(p).name for p in data.paths) == sorted(names)
    assert data.summary().total == {"images": 24, "slides": 6, "cases": 5}
    row = data.where(slide="15-5EF", magnification=200).table.iloc[0]
    assert (row["label"], row["case"], row["subtype"]) == ("malignant", "15-5", "MC")


def test_the_folder_of_one_slide_or_magnification(tmp_path, flat, names):
    for name in names:
        target = tmp_path / "all" / _official(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(flat / name, target)
    slide = tmp_path / "all/histology_slides/breast/benign/SOB/adenosis/SOB_B_A_14-1AB"
    assert len(bc.load_breakhis(slide)) == 4
    assert len(bc.load_breakhis(slide / "40X")) == 2


def test_magnification_and_target(flat):
    assert set(bc.load_breakhis(flat, magnification=200).table["magnification"]) == {200}
    assert len(bc.load_breakhis(flat, magnification=[40, 200])) == 24
    subtypes = bc.load_breakhis(flat, target="subtype")
    assert subtypes.classes == ("A", "F", "PT", "TA", "DC", "LC", "MC", "PC")
    with pytest.raises(DatasetError, match=r"No image of magnification 100(.|\n)*\[40, 200\]"):
        bc.load_breakhis(flat, magnification=100)
    with pytest.raises(DatasetError, match="must be 40, 100, 200 or 400"):
        bc.load_breakhis(flat, magnification=20)
    with pytest.raises(DatasetError, match="target"):
        bc.load_breakhis(flat, target="grade")
    with pytest.raises(DatasetError, match="duplicates"):
        bc.load_breakhis(flat, duplicates="ignore")


def test_other_files_are_counted(flat):
    (flat / "Folds.csv").write_text("fold,mag,grp,filename\n", encoding="utf-8")
    (flat / "notes.txt").write_text("", encoding="utf-8")
    data = bc.load_breakhis(flat)
    assert any("2 other files" in note and ".csv" in note for note in data.notes)
    assert "2 other files" in str(data.summary())
    (flat / "holiday.png").write_bytes(b"x")
    with pytest.warns(DatasetWarning, match=r"1 image .* without a name of BreakHis was skipped.*holiday\.png"):
        bc.load_breakhis(flat)


def test_folders_without_images(tmp_path, flat):
    with pytest.raises(LayoutError, match="does not exist"):
        bc.load_breakhis(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LayoutError, match=r"No BreakHis image(.|\n)*Supported layouts(.|\n)*Kaggle"):
        bc.load_breakhis(tmp_path / "empty")
    archive = tmp_path / "packed" / "BreaKHis_v1.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as stream:
        stream.add(flat, "BreaKHis_v1")
    with pytest.raises(LayoutError, match=r"tar -xzf BreaKHis_v1\.tar\.gz"):
        bc.load_breakhis(archive.parent)
    with pytest.raises(LayoutError, match=r"tar -xzf BreaKHis_v1\.tar\.gz"):
        bc.load_breakhis(archive)
    (tmp_path / "BreaKHis.zip").write_bytes(b"PK")
    with pytest.raises(LayoutError, match=r"unzip BreaKHis\.zip"):
        bc.load_breakhis(tmp_path / "BreaKHis.zip")


def test_copies_of_one_name(tmp_path, flat, draw):
    shutil.copytree(flat, flat / "again")
    data = bc.load_breakhis(flat)
    assert len(data) == 24
    assert any("24 copies" in note for note in data.notes)
    assert len(bc.load_breakhis(flat, duplicates="keep")) == 48
    with pytest.raises(DatasetError, match="24 files are copies"):
        bc.load_breakhis(flat, duplicates="error")
    draw(flat / "again" / "SOB_B_F-14-2-40-001.png", seed=999)
    with pytest.raises(LayoutError, match=r"1 name is that of different images, first SOB_B_F-14-2-40-001\.png"):
        bc.load_breakhis(flat)


@pytest.fixture
def double(flat, draw) -> Path:
    """Case 14-9 as DC and as LC, with one image of three in both."""
    for n, seed in ((1, 100), (2, 101), (3, 102)):
        draw(flat / f"SOB_M_DC-14-9-40-{n:03}.png", seed)
    for n, seed in ((1, 200), (2, 101)):
        draw(flat / f"SOB_M_LC-14-9-40-{n:03}.png", seed)
    return flat


def test_an_image_under_two_names(double):
    data = bc.load_breakhis(double)
    kept = [Path(p).name for p in data.where(case="14-9").paths]
    assert sorted(kept) == [f"SOB_M_DC-14-9-40-00{n}.png" for n in (1, 2, 3)] + ["SOB_M_LC-14-9-40-001.png"]
    assert any("1 image occurs under two names (case 14-9)" in note for note in data.notes)
    assert len(bc.load_breakhis(double, target="subtype").where(case="14-9")) == 3
    assert len(bc.load_breakhis(double, duplicates="keep").where(case="14-9")) == 5
    with pytest.raises(DatasetError, match=r"14-9.*drop"):
        bc.load_breakhis(double, duplicates="error")
    assert bc.load_breakhis(double).summary().total["slides"] == 8


def test_contradictory_names_are_not_parsed():
    assert parse_breakhis_name("SOB_M_A-14-1-40-001.png") is None
    assert parse_breakhis_name("SOB_B_A-14-1-50-001.png") is None
    assert parse_breakhis_name("SOB_M_PC-15-190EF-400-012.png").case == "15-190"


@pytest.mark.real
def test_every_official_name_parses(real_data):
    lines = (real_data / "breakhis_folds/dsfold1.txt").read_text(encoding="utf-8").split()
    parsed = [parse_breakhis_name(line.split("|")[0]) for line in lines]
    assert None not in parsed
    assert len(parsed) == 7909
    assert len({p.case for p in parsed}) == 70
    assert len({(p.subtype, p.slide) for p in parsed}) == 82


@pytest.mark.real
def test_the_real_folders(real_data):
    data = bc.load_breakhis(real_data / "BreaKHis_v1")
    assert (len(data), data.summary().total["slides"]) == (79, 31)
    data = bc.load_breakhis(real_data / "BreaKHis_200X_224")
    assert data.summary().by_class["images"].tolist() == [122, 449]
    assert data.summary().by_class["cases"].tolist() == [6, 24]
    with pytest.warns(DatasetWarning, match="skipped"), pytest.raises(LayoutError, match="two versions"):
        bc.load_breakhis(real_data)
