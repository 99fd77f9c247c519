import os

import cv2
import numpy as np
import pytest

import breastcls as bc
from breastcls.datasets.near_duplicates import HASH_DISTANCE
from breastcls.images.perceptual_hash import find_near_pairs, oriented_hashes, perceptual_hash


@pytest.fixture(scope="module")
def tissue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tissue")
    root = bc.datasets.make_breakhis(folder, slides_per_subtype=2, magnifications=(200,), image_size=(92, 140), seed=3)
    return bc.load_breakhis(root)


def _dataset(paths, case):
    names = [f"{case}{number}" for number in range(len(paths))]
    return bc.Dataset.from_columns(("b", "m"), path=paths, label=["b"] * len(paths), case=names)


CHANGES = {
    "halved": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "brightened": lambda image: np.clip(image * 0.85 + 20, 0, 255).astype(np.uint8),
    "recoloured": lambda image: (255 * (image / 255.0) ** np.array([0.8, 1.2, 1.0])).astype(np.uint8),
    "mirrored": lambda image: image[:, ::-1],
    "turned": lambda image: np.rot90(image),
    "turned, mirrored and halved": lambda image: np.rot90(image[::2, ::-2]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_a_leak(tmp_path, tissue, change):
    original = cv2.imread(tissue.paths[3])
    copy = str(tmp_path / "copy.jpg")
    cv2.imwrite(copy, np.ascontiguousarray(CHANGES[change](original)), [cv2.IMWRITE_JPEG_QUALITY, 80])
    report = bc.audit_leakage(_dataset(tissue.paths[:8], "a"), _dataset([tissue.paths[9], copy], "b"))
    assert report.near_duplicates == ((tissue.paths[3], copy),)
    assert not report.clean
    assert f"{os.path.basename(tissue.paths[3])} ~ {os.path.basename(tmp_path)}/copy.jpg" in str(report)
    # A listing is shared, so it has no absolute paths of the user.
    assert copy not in str(report)
    ((first, second),) = report.to_dict()["near_duplicates"]
    assert (tissue.paths[3].endswith(first), copy.endswith(second)) == (True, True)


def test_identical_files_and_pixels_are_not_listed_again(tmp_path, tissue):
    copy = str(tmp_path / "copy.bmp")
    cv2.imwrite(copy, cv2.imread(tissue.paths[0]))
    report = bc.audit_leakage(_dataset(tissue.paths[:4], "a"), _dataset([copy], "b"))
    assert report.identical_pixels == ((tissue.paths[0], copy),)
    assert report.near_duplicates == ()


def test_different_images_and_almost_constant_ones_are_not_reported(tmp_path, tissue):
    rng = np.random.default_rng(0)
    glass = []
    for number in range(4):
        glass.append(str(tmp_path / f"{number}.png"))
        cv2.imwrite(glass[-1], np.clip(245 + rng.normal(0, 1, (64, 64, 3)), 0, 255).astype(np.uint8))
    half = len(tissue) // 2
    report = bc.audit_leakage(
        _dataset([*tissue.paths[:half], *glass[:2]], "a"), _dataset([*tissue.paths[half:], *glass[2:]], "b")
    )
    assert report.clean, str(report)


def test_pairs_between_two_sets_equal_brute_force():
    rng = np.random.default_rng(1)
    first = rng.integers(0, 2**64, 300, dtype=np.uint64)
    second = np.concatenate([first[:40] ^ np.uint64(0b1011), rng.integers(0, 2**64, 200, dtype=np.uint64)])
    expected = {
        (row, column)
        for row, a in enumerate(first.tolist())
        for column, b in enumerate(second.tolist())
        if (a ^ b).bit_count() <= HASH_DISTANCE
    }
    assert len(expected) >= 40
    assert set(map(tuple, find_near_pairs(first, HASH_DISTANCE, second).tolist())) == expected


def test_the_first_orientation_is_the_image_itself():
    image = np.random.default_rng(2).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    hashes = oriented_hashes(image)
    assert int(hashes[0]) == perceptual_hash(image)
    assert perceptual_hash(np.ascontiguousarray(np.rot90(image))) == int(hashes[1])
    assert len(set(hashes.tolist())) == 8
