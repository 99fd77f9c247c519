"""Finding images in the cache by path, size and modification time, for any order and number of segments."""

import os
import shutil

import numpy as np

from breastcls.images.cache_segment import KEY_BYTES, SegmentWriter
from breastcls.images.cached_source import CachedSource, find_images, image_keys
from breastcls.images.image_source import FileSource, ReadSettings, file_states

SETTINGS = ReadSettings((4, 4))
BYTES = 4 * 4 * 3


def write(folder, keys, values):
    writer = SegmentWriter(folder, keys, BYTES)
    for position, value in enumerate(values):
        writer.write(position, np.full((4, 4, 3), value, np.uint8))
    return writer.finish()


def split(keys):
    return [keys[start : start + KEY_BYTES] for start in range(0, len(keys), KEY_BYTES)]


def test_a_key_follows_from_path_size_and_time(make_folder, tmp_path):
    paths = make_folder(2)
    first = image_keys(paths, file_states(paths))
    assert first == image_keys(paths, file_states(paths))
    assert len(set(split(first))) == 2
    os.utime(paths[0], ns=(5, 5))
    changed = split(image_keys(paths, file_states(paths)))
    assert changed[0] != split(first)[0]
    assert changed[1] == split(first)[1]
    moved = str(tmp_path / "moved.png")
    shutil.copy2(paths[1], moved)
    assert image_keys([moved], file_states([moved])) != changed[1]


def test_relative_and_absolute_paths_are_the_same_file(make_folder, monkeypatch):
    paths = make_folder(1)
    monkeypatch.chdir(os.path.dirname(paths[0]))
    relative = [os.path.basename(paths[0])]
    assert image_keys(relative, file_states(relative)) == image_keys(paths, file_states(paths))


def test_images_of_several_segments_are_found(make_folder, tmp_path):
    paths = make_folder(5)
    states = file_states(paths)
    keys = split(image_keys(paths, states))
    folder = tmp_path / "cache"
    folder.mkdir()
    write(folder, [keys[3], keys[0]], [30, 0])
    write(folder, [keys[4]], [40])
    segments, places = find_images(folder, states, paths, SETTINGS)
    assert len(segments) == 2
    assert (places < 0).tolist() == [False, True, True, False, False]
    source = CachedSource(FileSource(paths, states, SETTINGS), segments, places)
    assert source.prepared == 3
    found = source.read(np.array([4, 1, 3, 0]))
    assert [image[0, 0, 0] for image in found[[0, 2, 3]]] == [40, 30, 0]
    # What is not stored comes from its file.
    np.testing.assert_array_equal(found[1], SETTINGS.prepare(paths[1], states[1]))


def test_no_folder_holds_no_images(make_folder, tmp_path):
    paths = make_folder(2)
    segments, places = find_images(tmp_path / "nothing", file_states(paths), paths, SETTINGS)
    assert not segments
    assert (places == -1).all()


def test_only_segments_with_a_wanted_image_stay_open(make_folder, tmp_path):
    paths = make_folder(3)
    states = file_states(paths)
    folder = tmp_path / "segments"
    folder.mkdir()
    for value, key in enumerate(split(image_keys(paths, states))):
        write(folder, [key], [value])
    segments, places = find_images(folder, states[1:2], paths[1:2], SETTINGS)
    assert len(segments) == 1
    assert CachedSource(FileSource(paths[1:2], states[1:2], SETTINGS), segments, places).read([0])[0, 0, 0, 0] == 1
