"""Writing the cache: each file once, in segments of bounded number and size."""

import numpy as np

from breastcls.images import cache_writer as preparing
from breastcls.images.cache_writer import write_images
from breastcls.images.image_source import FileSource, ReadSettings, file_states


def prepare(paths, folder, rows):
    folder.mkdir(exist_ok=True)
    files = FileSource(paths, file_states(paths), ReadSettings((8, 8)))
    write_images(folder, files, np.array(rows, np.int64), progress=False)
    return sorted(folder.glob("*.images"))


def test_a_file_that_is_listed_twice_is_written_once(make_folder, tmp_path):
    paths = make_folder(2) * 3
    (segment,) = prepare(paths, tmp_path / "cache", range(6))
    assert segment.stat().st_size < 3 * 8 * 8 * 3 + 200


def test_only_the_rows_asked_for_are_written(make_folder, tmp_path):
    paths = make_folder(3)
    assert not prepare(paths, tmp_path / "cache", [])
    (segment,) = prepare(paths, tmp_path / "cache", [1])
    assert segment.stat().st_size < 2 * 8 * 8 * 3


def test_segments_stay_few_however_many_images_there_are(make_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "_SEGMENT_BYTES", 1)
    monkeypatch.setattr(preparing, "_MAX_SEGMENTS", 3)
    assert len(prepare(make_folder(10), tmp_path / "cache", range(10))) == 3


def test_the_settings_are_written_to_a_file(make_folder, tmp_path):
    prepare(make_folder(1), tmp_path / "cache", [0])
    assert (tmp_path / "cache" / "settings.txt").read_text(encoding="utf-8") == "v1 8x8 stretch stain=none\n"
