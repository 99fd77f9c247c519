import numpy as np
import pytest

import breastcls as bc
from breastcls.datasets.published_folds import read_fold
from breastcls.errors import DatasetWarning, LeakageWarning, SplitError

ROWS = {
    "SOB_B_A-14-1AB": "train",
    "SOB_B_A-14-1CD": "test",
    "SOB_B_F-14-2": "train",
    "SOB_M_DC-14-3": "train",
    "SOB_M_DC-14-4": "test",
}


@pytest.fixture
def text(tmp_path, names):
    path = tmp_path / "dsfold1.txt"
    groups = {n: g for n in names for slide, g in ROWS.items() if n.startswith(slide + "-")}
    path.write_text("".join(f"{n}|{n.split('-')[-2]}|1|{g}\n" for n, g in groups.items()), encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path, names, text):
    path = tmp_path / "Folds.csv"
    rows = [line.split("|") for line in text.read_text(encoding="utf-8").split()]
    lines = ["fold,mag,grp,filename"]
    for fold in (1, 2):
        for name, magnification, _, group in rows:
            swapped = group if fold == 1 else {"train": "test", "test": "train"}[group]
            lines.append(f"{fold},{magnification},{swapped},BreaKHis_v1/histology_slides/breast/{name}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_text_and_csv_give_the_same(flat, text, table):
    data = bc.load_breakhis(flat)
    with (
        pytest.warns(LeakageWarning, match=r"50% of the test images \(4 of 8\)"),
        pytest.warns(DatasetWarning, match="4 images"),
    ):
        train, test = data.official_fold(text)
    assert set(test.slides) == {"14-1CD", "14-4"}
    assert set(train.slides) == {"14-1AB", "14-2", "14-3"}
    assert any("50%" in note for note in test.notes)
    with pytest.warns(LeakageWarning), pytest.warns(DatasetWarning):
        again, _ = data.official_fold(table, fold=1)
    assert again.paths == train.paths
    with pytest.warns(LeakageWarning), pytest.warns(DatasetWarning):
        other, _ = data.official_fold(table, fold=2)
    assert other.paths == test.paths


def test_invalid_fold_files_are_refused(tmp_path, flat, text, table):
    data = bc.load_breakhis(flat)
    with pytest.raises(SplitError, match="choose one with fold="):
        data.official_fold(table)
    with pytest.raises(SplitError, match=r"no fold 3; it contains \[1\]"):
        data.official_fold(text, fold=3)
    with pytest.raises(SplitError, match="Cannot read"):
        data.official_fold(tmp_path / "none.txt")
    (tmp_path / "bad.txt").write_text("a.png|40|1|train\nwhat is this\n", encoding="utf-8")
    with pytest.raises(SplitError, match="line 2"):
        data.official_fold(tmp_path / "bad.txt")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SplitError, match="columns"):
        data.official_fold(tmp_path / "bad.csv", fold=1)
    (tmp_path / "both.txt").write_text("a.png|40|1|train\na.png|40|1|test\n", encoding="utf-8")
    with pytest.raises(SplitError, match="both train and test"):
        read_fold(tmp_path / "both.txt")
    (tmp_path / "other.txt").write_text("a.png|40|1|train\nb.png|40|1|test\n", encoding="utf-8")
    with pytest.raises(SplitError, match="Of 24 images"):
        data.official_fold(tmp_path / "other.txt")


@pytest.mark.real
@pytest.mark.parametrize("fold", range(1, 6))
def test_the_published_folds_leak_by_case(real_data, fold):
    from breastcls.datasets.breakhis import parse_breakhis_name
    from breastcls.datasets.published_folds import assign_fold

    path = real_data / f"breakhis_folds/dsfold{fold}.txt"
    names = [line.split("|")[0] for line in path.read_text(encoding="utf-8").split()]
    parsed = [parse_breakhis_name(name) for name in names]
    cases = np.array([p.case for p in parsed], dtype=object)
    slides = np.array([f"{p.subtype} {p.slide}" for p in parsed])
    with pytest.warns(LeakageWarning):
        train, test, _ = assign_fold(names, cases, path, fold)
    assert not set(slides[train]) & set(slides[test])
    assert 0.27 <= np.isin(cases[test].astype(str), cases[train].astype(str)).mean() < 0.395
    assert (len(set(slides[train])), len(set(slides[test]))) == (54, 28)
