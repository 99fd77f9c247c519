import os
import sqlite3
import threading

import cv2
import numpy as np
import pytest

from breastcls.datasets import file_fingerprints as fingerprints
from breastcls.datasets.file_fingerprints import describe_files, fingerprint_files
from breastcls.errors import ImageError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fingerprints, "_hashes", {})


def _forget(monkeypatch):
    monkeypatch.setattr(fingerprints, "_hashes", {})


def test_pixels_and_bytes_are_distinguished(tmp_path, draw):
    png = draw(tmp_path / "a.png", 1)
    bmp = tmp_path / "a.bmp"
    cv2.imwrite(str(bmp), cv2.imread(str(png)))
    found = fingerprint_files([str(png), str(bmp)])
    assert found["bytes"].nunique() == 2
    assert found["pixels"].nunique() == 1


def test_a_changed_file_is_hashed_again(tmp_path, draw, monkeypatch):
    path = draw(tmp_path / "a.png", 1)
    first = fingerprint_files([str(path)])["pixels"][0]
    draw(path, 2)
    _forget(monkeypatch)
    assert fingerprint_files([str(path)])["pixels"][0] != first


def test_results_are_stored_on_disk(tmp_path, draw, monkeypatch):
    path = str(draw(tmp_path / "a.png", 1))
    first = fingerprint_files([path])
    _forget(monkeypatch)
    monkeypatch.setattr(fingerprints, "_hash", lambda key: pytest.fail("hashed again"))
    assert fingerprint_files([path]).equals(first)


def test_a_damaged_database_is_reported_and_not_used(tmp_path, draw, monkeypatch):
    path = str(draw(tmp_path / "a.png", 1))
    first = fingerprint_files([path])
    _forget(monkeypatch)
    fingerprints._database_path().write_bytes(b"no database" * 100)
    with pytest.warns(UserWarning, match="computed again"):
        assert fingerprint_files([path]).equals(first)


def test_threads_give_the_same_result(tmp_path, draw):
    paths = [str(draw(tmp_path / f"{n}.png", n)) for n in range(20)]
    results = []
    threads = [threading.Thread(target=lambda: results.append(fingerprint_files(paths))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result.equals(results[0]) for result in results)
    with sqlite3.connect(fingerprints._database_path()) as connection:
        assert connection.execute("SELECT COUNT(*) FROM prints").fetchone() == (20,)


def test_one_colour_has_no_fingerprint(tmp_path):
    path = str(tmp_path / "white.png")
    cv2.imwrite(path, np.full((5, 5, 3), 255, np.uint8))
    assert fingerprint_files([path])["pixels"][0] is None
    assert os.path.exists(path)


def test_files_are_described_without_reading_them(tmp_path, draw, monkeypatch):
    path = draw(tmp_path / "a.png", 1)
    size = path.stat().st_size
    assert describe_files([str(path)]).to_dict("records") == [{"size": size, "sha256": ""}]
    digest = fingerprint_files([str(path)])["bytes"][0]
    _forget(monkeypatch)
    assert describe_files([str(path), str(path)])["sha256"].tolist() == [digest, digest]
    path.write_bytes(path.read_bytes() + b"more")
    assert describe_files([str(path)]).to_dict("records") == [{"size": size + 4, "sha256": ""}]
    with pytest.raises(ImageError, match=r"gone\.png"):
        describe_files([str(tmp_path / "gone.png")])
