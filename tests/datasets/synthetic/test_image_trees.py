import hashlib
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from breastcls.datasets.synthetic.image_trees import make_breakhis, make_idc
from breastcls.errors import DatasetError, OutputError

BREAKHIS = re.compile(
    r"SOB_(?P<letter>[BM])_(?P<subtype>A|F|PT|TA|DC|LC|MC|PC)-(?P<year>\d{2})-(?P<slide>\d+[A-Z]*)"
    r"-(?P<magnification>40|100|200|400)-(?P<number>\d{3})\.png"
)
IDC = re.compile(r"(?P<patient>\d+)_idx5_x(?P<x>\d+)_y(?P<y>\d+)_class(?P<label>[01])\.png")
FOLDERS = {
    "A": "benign/SOB/adenosis",
    "F": "benign/SOB/fibroadenoma",
    "PT": "benign/SOB/phyllodes_tumor",
    "TA": "benign/SOB/tubular_adenoma",
    "DC": "malignant/SOB/ductal_carcinoma",
    "LC": "malignant/SOB/lobular_carcinoma",
    "MC": "malignant/SOB/mucinous_carcinoma",
    "PC": "malignant/SOB/papillary_carcinoma",
}
TINY = {"image_size": (32, 48), "magnifications": [40], "images_per_slide": 1}


def contents(tree: Path) -> dict[str, str]:
    return {
        path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in tree.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def breakhis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_breakhis(
        tmp_path_factory.mktemp("synthetic"),
        images_per_slide=2,
        magnifications=(40, 400),
        image_size=(32, 48),
        seed=4,
    )


@pytest.fixture(scope="module")
def idc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_idc(tmp_path_factory.mktemp("synthetic"), patients=3, patches_per_patient=20, seed=4)


def test_breakhis_layout_and_names(breakhis: Path) -> None:
    files = list(breakhis.rglob("*.png"))
    assert breakhis.name == "BreaKHis_v1"
    assert len(files) == 8 * 4 * 2 * 2 == len(contents(breakhis))
    for path in files:
        name = BREAKHIS.fullmatch(path.name)
        assert name is not None, path.name
        slide = f"SOB_{name['letter']}_{name['subtype']}_{name['year']}-{name['slide']}"
        folder = f"histology_slides/breast/{FOLDERS[name['subtype']]}/{slide}/{name['magnification']}X"
        assert path.parent.relative_to(breakhis).as_posix() == folder


def test_breakhis_cases_and_slides(breakhis: Path) -> None:
    slides = {BREAKHIS.fullmatch(path.name)["slide"] for path in breakhis.rglob("*.png")}
    cases = {re.sub(r"[A-Z]+$", "", slide) for slide in slides}
    assert (len(slides), len(cases)) == (32, 24)
    blocks = sorted(slide[-2:] for slide in slides if slide[-1].isalpha())
    assert blocks == ["AB"] * 8 + ["CD"] * 8


def test_breakhis_images_have_the_requested_size(breakhis: Path) -> None:
    for path in breakhis.rglob("*.png"):
        assert cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED).shape == (32, 48, 3)


def test_colours_are_not_swapped(breakhis: Path) -> None:
    # Eosin is pink: more red than blue. In BGR order it would be the opposite.
    colours = [cv2.imread(os.fspath(path)).mean(axis=(0, 1)) for path in breakhis.rglob("SOB_B_F*.png")]
    assert np.median([blue_green_red[2] - blue_green_red[0] for blue_green_red in colours]) > 0


@pytest.mark.real
def test_synthetic_slides_have_other_numbers_than_real_ones(breakhis: Path, real_data: Path) -> None:
    official = (real_data / "breakhis_folds" / "dsfold1.txt").read_text(encoding="utf-8")
    real = {name["slide"] for name in BREAKHIS.finditer(official)}
    synthetic = {BREAKHIS.fullmatch(path.name)["slide"] for path in breakhis.rglob("*.png")}
    assert len(real) > 70
    assert not real & synthetic


def test_same_seed_same_bytes_for_any_number_of_threads(tmp_path: Path) -> None:
    one, four, other = (
        contents(make_breakhis(tmp_path / name, slides_per_subtype=2, threads=threads, seed=seed, **TINY))
        for name, threads, seed in (("one", 1, 0), ("four", 4, 0), ("other", None, 1))
    )
    assert one == four
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())


def test_requesting_more_images_does_not_change_the_others(tmp_path: Path) -> None:
    few = contents(make_breakhis(tmp_path / "few", slides_per_subtype=2, **TINY))
    many = contents(
        make_breakhis(
            tmp_path / "many",
            slides_per_subtype=3,
            images_per_slide=2,
            magnifications=(400, 40),
            image_size=(32, 48),
        )
    )
    assert few.items() < many.items()
    assert len(set(many.values())) == len(many)


def test_idc_layout_and_names(idc: Path) -> None:
    files = list(idc.rglob("*.png"))
    assert len(files) == 60 == len(contents(idc))
    for path in files:
        name = IDC.fullmatch(path.name)
        assert name is not None, path.name
        assert path.parent.relative_to(idc).as_posix() == f"{name['patient']}/{name['label']}"
        assert cv2.imread(os.fspath(path)).shape == (50, 50, 3)


def _connected(cells: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the cells that are connected with the first one."""
    found: set[tuple[int, int]] = set()
    todo = [min(cells)]
    while todo:
        cell = todo.pop()
        if cell in cells and cell not in found:
            found.add(cell)
            todo += [(cell[0] + x, cell[1] + y) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    return found


def test_idc_patches_tile_an_area_with_the_tumour_in_one_part(idc: Path) -> None:
    for patient in idc.iterdir():
        names = [IDC.fullmatch(path.name) for path in patient.rglob("*.png")]
        assert all(int(name["x"]) % 50 == int(name["y"]) % 50 == 0 for name in names)
        label = {(int(name["x"]) // 50, int(name["y"]) // 50): int(name["label"]) for name in names}
        assert len(label) == 20
        assert _connected(set(label)) == set(label)
        assert set(label.values()) == {0, 1}
        # Scattered labels would agree with a neighbour no more often than chance, about half of the time.
        pairs = [label[x, y] == label[near] for x, y in label for near in ((x + 1, y), (x, y + 1)) if near in label]
        assert np.mean(pairs) > 0.6


def test_adjacent_patches_are_continuous(idc: Path) -> None:
    patient = next(idc.iterdir())
    tiles = {}
    for path in patient.rglob("*.png"):
        name = IDC.fullmatch(path.name)
        tiles[int(name["x"]), int(name["y"])] = cv2.imread(os.fspath(path)).astype(float)
    seams, elsewhere = [], []
    for (x, y), tile in tiles.items():
        if (x + 50, y) in tiles:
            right = tiles[x + 50, y]
            seams.append(np.abs(tile[:, -1] - right[:, 0]).mean())
            elsewhere.append(np.abs(tile[:, -1] - right[:, 25]).mean())
    assert np.mean(seams) < 0.6 * np.mean(elsewhere)


def test_requesting_more_patients_does_not_change_the_others(tmp_path: Path) -> None:
    few = contents(make_idc(tmp_path / "few", patients=1, patches_per_patient=5, threads=1))
    many = contents(make_idc(tmp_path / "many", patients=2, patches_per_patient=5, threads=3))
    assert few.items() < many.items()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"slides_per_subtype": 0}, "slides_per_subtype"),
        ({"images_per_slide": 1.5}, "images_per_slide"),
        ({"images_per_slide": True}, "images_per_slide"),
        ({"images_per_slide": 1000}, "images_per_slide"),
        ({"magnifications": (40, 50)}, "magnifications"),
        ({"magnifications": ()}, "magnifications"),
        ({"magnifications": 40}, r"\[40\]"),
        ({"magnifications": "40"}, "magnifications"),
        ({"image_size": 224}, "image_size"),
        ({"image_size": (8, 700)}, "height"),
        ({"image_size": (460, 700, 3)}, "image_size"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
        ({"threads": 0}, "threads"),
    ],
)
def test_breakhis_arguments(tmp_path: Path, arguments: dict[str, object], word: str) -> None:
    with pytest.raises(DatasetError, match=word):
        make_breakhis(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"patients": 0}, "patients"), ({"patches_per_patient": 1}, "patches_per_patient"), ({"seed": "a"}, "seed")],
)
def test_idc_arguments(tmp_path: Path, arguments: dict[str, object], word: str) -> None:
    with pytest.raises(DatasetError, match=word):
        make_idc(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_a_folder_is_replaced_only_if_requested(tmp_path: Path) -> None:
    tree = make_idc(tmp_path, patients=2, patches_per_patient=3)
    before = contents(tree)
    with pytest.raises(OutputError, match="overwrite=True"):
        make_idc(tmp_path, patients=1, patches_per_patient=3, seed=1)
    assert contents(tree) == before
    make_idc(tmp_path, patients=1, patches_per_patient=3, seed=1, overwrite=True)
    assert len(contents(tree)) == 3
    assert not before.items() & contents(tree).items()
    assert [path.name for path in tmp_path.iterdir()] == [tree.name]


def test_an_empty_folder_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "BreaKHis_v1" / "histology_slides").mkdir(parents=True)
    assert len(contents(make_breakhis(tmp_path, slides_per_subtype=1, **TINY))) == 8


def test_real_images_are_never_replaced(tmp_path: Path) -> None:
    real = tmp_path / "BreaKHis_v1" / "SOB_B_A-14-22549AB-40-001.png"
    real.parent.mkdir()
    real.write_bytes(b"an image")
    with pytest.raises(OutputError, match="SOB_B_A-14-22549AB-40-001"):
        make_breakhis(tmp_path, overwrite=True, **TINY)
    assert real.read_bytes() == b"an image"


def test_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="file"):
        make_breakhis(tmp_path / "file", **TINY)
    (tmp_path / "IDC_regular_ps50_idx5").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file"):
        make_idc(tmp_path, patients=1, patches_per_patient=2)


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        make_breakhis(tmp_path, slides_per_subtype=1, **TINY)
    assert list(tmp_path.iterdir()) == []
