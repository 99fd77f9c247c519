"""The image cache: images are decoded once, and damage to the cache never changes the pixels."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastcls.errors import DatasetWarning, ImageError, OutputError
from breastcls.images import cache_writer as preparing
from breastcls.images import image_source as source_module
from breastcls.images.cached_source import find_images
from breastcls.images.image_cache import cache_folder, cache_size, clear_cache, open_cached, open_images, prepare_images
from breastcls.images.image_source import FileSource, ReadSettings, file_states
from support.platforms import NOT_SUPERUSER, POSIX

SETTINGS = ReadSettings((16, 16))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def plain(paths, settings=SETTINGS):
    return FileSource(paths, file_states(paths), settings).read(np.arange(len(paths)))


def everything(source):
    return source.read(np.arange(len(source)))


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that were decoded."""
    names = []
    original = source_module.decode_image

    def count(data, name, max_pixels):
        names.append(Path(name).name)
        return original(data, name, max_pixels)

    monkeypatch.setattr(source_module, "decode_image", count)
    return names


def segments(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.images"))


def test_each_image_is_decoded_once(make_folder, cache, decoded):
    paths = make_folder(6)
    expected = plain(paths)
    decoded.clear()
    for _ in range(3):
        source = open_images(paths, SETTINGS, cache_dir=cache)
        np.testing.assert_array_equal(everything(source), expected)
        np.testing.assert_array_equal(everything(source), expected)
    assert sorted(decoded) == [f"{number:03d}.png" for number in range(6)]


def test_another_selection_and_order_needs_no_preparing(make_folder, cache, decoded):
    paths = make_folder(6)
    open_cached(paths, SETTINGS, cache_dir=cache)
    decoded.clear()
    chosen = [paths[number] for number in (5, 1, 1, 3)]
    found = everything(open_cached(chosen, SETTINGS, cache_dir=cache))
    assert not decoded
    np.testing.assert_array_equal(found, plain(chosen))


def test_only_new_and_changed_files_are_prepared(make_folder, cache, decoded):
    paths = make_folder(5)
    open_cached(paths, SETTINGS, cache_dir=cache)
    decoded.clear()
    Image.new("RGB", (31, 30), (7, 7, 7)).save(paths[4])
    new = str(Path(paths[0]).with_name("new.png"))
    Image.new("RGB", (30, 30), (8, 8, 8)).save(new)
    found = everything(open_cached([*paths, new], SETTINGS, cache_dir=cache))
    assert sorted(decoded) == ["004.png", "new.png"]
    np.testing.assert_array_equal(found, plain([*paths, new]))


def test_settings_do_not_mix(make_folder, cache):
    paths = make_folder(3)
    for settings in (ReadSettings((16, 16)), ReadSettings((16, 16), "crop"), ReadSettings((8, 24), "pad")):
        found = everything(open_cached(paths, settings, cache_dir=cache))
        np.testing.assert_array_equal(found, plain(paths, settings))
    assert len(list((cache / "prepared").iterdir())) == 3


def test_many_segments(make_folder, cache, monkeypatch):
    monkeypatch.setattr(preparing, "_SEGMENT_BYTES", 2 * 16 * 16 * 3)
    paths = make_folder(7)
    source = open_cached(paths, SETTINGS, cache_dir=cache)
    assert len(segments(cache)) == 4
    np.testing.assert_array_equal(everything(source), plain(paths))


def test_a_damaged_image_in_the_cache_is_noticed_and_made_again(make_folder, cache, decoded):
    paths = make_folder(4)
    expected = plain(paths)
    open_cached(paths, SETTINGS, cache_dir=cache)
    (segment,) = segments(cache)
    content = bytearray(segment.read_bytes())
    content[16 * 16 * 3 + 40] ^= 255
    segment.write_bytes(content)
    source = open_cached(paths, SETTINGS, cache_dir=cache)
    decoded.clear()
    with pytest.warns(DatasetWarning, match="damaged"):
        np.testing.assert_array_equal(everything(source), expected)
    assert decoded == ["001.png"]
    assert not segments(cache)
    np.testing.assert_array_equal(everything(open_cached(paths, SETTINGS, cache_dir=cache)), expected)
    assert len(segments(cache)) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "text"])
def test_a_damaged_segment_is_noticed_and_made_again(make_folder, cache, damage):
    paths = make_folder(4)
    open_cached(paths, SETTINGS, cache_dir=cache)
    (segment,) = segments(cache)
    content = segment.read_bytes()
    segment.write_bytes(
        {"cut": content[:-10], "empty": b"", "zeros": bytes(len(content)), "text": b"hello" * 999}[damage]
    )
    with pytest.warns(DatasetWarning, match="are damaged"):
        source = open_cached(paths, SETTINGS, cache_dir=cache)
    np.testing.assert_array_equal(everything(source), plain(paths))
    assert len(segments(cache)) == 1


def test_a_cache_deleted_under_an_open_source_still_reads(make_folder, cache):
    paths = make_folder(3)
    source = open_cached(paths, SETTINGS, cache_dir=cache)
    shutil.rmtree(cache)
    np.testing.assert_array_equal(everything(source), plain(paths))


def test_broken_files_are_all_named_and_the_others_kept(make_folder, cache, decoded):
    paths = make_folder(30)
    for number in range(12):
        Path(paths[number]).write_bytes(b"" if number % 2 else b"no image")
    with pytest.raises(ImageError) as caught:
        open_images(paths, SETTINGS, cache_dir=cache)
    text = str(caught.value)
    assert "12 of 30 images cannot be read" in text
    assert "000.png: not a PNG" in text
    assert "009.png: the file is empty" in text
    assert "... and 2 more" in text
    decoded.clear()
    open_cached(paths[12:], SETTINGS, cache_dir=cache)
    assert not decoded


def test_without_write_permission_images_are_decoded_with_a_warning(make_folder, tmp_path):
    paths = make_folder(3)
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="BREASTCLS_CACHE"):
        open_cached(paths, SETTINGS, cache_dir=tmp_path / "file")
    with pytest.warns(DatasetWarning, match="decoded whenever they are read"):
        source = open_images(paths, SETTINGS, cache_dir=tmp_path / "file")
    np.testing.assert_array_equal(everything(source), plain(paths))


def test_on_a_full_disk_images_are_decoded_with_a_warning(make_folder, cache, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(preparing.shutil, "disk_usage", lambda _: usage(10**6, 10**6, 100))
    paths = make_folder(3)
    with pytest.warns(DatasetWarning, match=r"needs 0\.0 MiB"):
        source = open_images(paths, SETTINGS, cache_dir=cache)
    np.testing.assert_array_equal(everything(source), plain(paths))


def test_a_disk_that_fills_up_meanwhile_leaves_no_half_segment(make_folder, cache, monkeypatch):
    paths = make_folder(4)
    open_cached(paths[:2], SETTINGS, cache_dir=cache)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(preparing.SegmentWriter, "write", fail)
    with pytest.warns(DatasetWarning, match="No space left"):
        source = open_images(paths, SETTINGS, cache_dir=cache)
    assert source.prepared == 2
    np.testing.assert_array_equal(everything(source), plain(paths))
    assert not list(cache.rglob("*.part"))


def test_without_the_cache_nothing_is_written(make_folder, cache):
    paths = make_folder(2)
    np.testing.assert_array_equal(everything(open_images(paths, SETTINGS, cache=False, cache_dir=cache)), plain(paths))
    assert not cache.exists()


def test_no_images_are_no_trouble(cache):
    assert everything(open_images([], SETTINGS, cache_dir=cache)).shape == (0, 16, 16, 3)


def test_preparing_ahead_of_time(make_folder, cache, decoded):
    paths = make_folder(3)
    source = prepare_images(paths, 16, resize="pad", cache_dir=cache)
    assert len(source) == source.prepared == 3
    decoded.clear()
    settings = ReadSettings((16, 16), "pad")
    np.testing.assert_array_equal(everything(open_images(paths, settings, cache_dir=cache)), everything(source))
    assert not decoded
    with pytest.raises(ValueError, match="image_size"):
        prepare_images(paths, 0, cache_dir=cache)


def test_clearing(make_folder, cache):
    assert clear_cache(cache) == 0
    open_cached(make_folder(2), SETTINGS, cache_dir=cache)
    size = cache_size(cache)
    assert size > 2 * 16 * 16 * 3
    assert clear_cache(cache) == size
    assert cache_size(cache) == 0


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a"
    assert cache_folder(tmp_path / "b") == tmp_path / "b"
    monkeypatch.delenv("BREASTCLS_CACHE")
    assert cache_folder().name == "breastcls"


PREPARE = """
import sys, time, pathlib
from breastcls.images import cache_writer as preparing
from breastcls.images.image_cache import open_cached
from breastcls.images.image_source import ReadSettings
preparing._SEGMENT_BYTES = 16 * 16 * 3
slow = float(sys.argv[3])
original = preparing.SegmentWriter.write
def write(self, position, image):
    time.sleep(slow)
    original(self, position, image)
preparing.SegmentWriter.write = write
paths = sorted(str(path) for path in pathlib.Path(sys.argv[1]).glob("*.png"))
print("begin", flush=True)
open_cached(paths, ReadSettings((16, 16)), cache_dir=sys.argv[2], workers=1)
"""


def start(folder, cache, slow):
    command = [sys.executable, "-c", PREPARE, str(folder), str(cache), str(slow)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")


@POSIX
def test_killed_while_preparing_then_run_again(make_folder, tmp_path, cache, decoded):
    paths = make_folder(8)
    process = start(tmp_path / "images", cache, 0.1)
    deadline = time.monotonic() + 30
    while len(segments(cache)) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    kept = len(segments(cache))
    assert 3 <= kept < 8
    source = open_cached(paths, SETTINGS, cache_dir=cache)
    # What was finished before the kill is not computed again.
    assert len(decoded) == 8 - kept
    np.testing.assert_array_equal(everything(source), plain(paths))
    assert not list(cache.rglob("*.part"))


def test_two_processes_at_once_equal_one(make_folder, tmp_path, cache):
    paths = make_folder(6)
    processes = [start(tmp_path / "images", cache, 0.02) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    # Each image once: the second waited and found all of it done.
    assert len(segments(cache)) == 6
    np.testing.assert_array_equal(everything(open_cached(paths, SETTINGS, cache_dir=cache)), plain(paths))


@NOT_SUPERUSER
def test_a_folder_without_write_permission(make_folder, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.warns(DatasetWarning, match="Permission denied"):
        open_images(make_folder(2), SETTINGS, cache_dir=locked)


@POSIX
def test_links_in_the_cache_are_not_followed(make_folder, tmp_path, cache):
    paths = make_folder(3)
    open_cached(paths, SETTINGS, cache_dir=cache)
    (segment,) = segments(cache)
    folder = segment.parent
    victim = tmp_path / "victim.txt"
    victim.write_text("keep", encoding="utf-8")
    (folder / "settings.txt").unlink()
    (folder / "settings.txt").symlink_to(victim)
    segment.rename(tmp_path / "moved")
    segment.symlink_to(tmp_path / "moved")
    with pytest.warns(DatasetWarning, match="symbolic link or not a regular file"):
        np.testing.assert_array_equal(everything(open_cached(paths, SETTINGS, cache_dir=cache)), plain(paths))
    assert victim.read_text(encoding="utf-8") == "keep"
    assert not (folder / "settings.txt").is_symlink()
    assert (tmp_path / "moved").exists()
    (folder / "more").symlink_to(tmp_path)
    assert cache_size(cache) < 100_000
    for file in folder.glob("*.images"):
        file.unlink()
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(tmp_path / "new")
    with pytest.warns(DatasetWarning, match="symbolic link"):
        np.testing.assert_array_equal(everything(open_images(paths, SETTINGS, cache_dir=cache)), plain(paths))
    assert not (tmp_path / "new").exists()


@POSIX
@pytest.mark.parametrize("code", [errno.EACCES, errno.ENAMETOOLONG, errno.EIO])
def test_a_folder_that_cannot_be_searched(make_folder, cache, monkeypatch, code):
    paths = make_folder(2)
    open_cached(paths, SETTINGS, cache_dir=cache)
    original = os.listdir

    def refuse(folder):
        if str(cache) in str(folder):
            raise OSError(code, os.strerror(code), str(folder))
        return original(folder)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(OutputError, match=os.strerror(code)):
        open_cached(paths, SETTINGS, cache_dir=cache)
    with pytest.warns(DatasetWarning, match="Images are decoded whenever they are read"):
        np.testing.assert_array_equal(everything(open_images(paths, SETTINGS, cache_dir=cache)), plain(paths))


@POSIX
def test_a_path_that_is_too_long(make_folder, tmp_path):
    paths = make_folder(2)
    long = tmp_path / ("x" * 300)
    with pytest.warns(DatasetWarning, match="File name too long"):
        np.testing.assert_array_equal(everything(open_images(paths, SETTINGS, cache_dir=long)), plain(paths))
    for function in (cache_size, clear_cache):
        with pytest.raises(OutputError, match="File name too long"):
            function(long)


@POSIX
def test_too_many_open_files_delete_no_segment(make_folder, cache, monkeypatch):
    paths = make_folder(4)
    monkeypatch.setattr(preparing, "_SEGMENT_BYTES", 16 * 16 * 3)
    open_cached(paths, SETTINGS, cache_dir=cache)
    original = os.open

    def refuse(path, *args, **options):
        if str(path).endswith(".images"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))
        return original(path, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    for repair in (False, True):
        with pytest.raises(ImageError, match="too many files are open; the file is not damaged"):
            find_images(segments(cache)[0].parent, file_states(paths), paths, SETTINGS, repair=repair)
    with pytest.raises(ImageError, match="too many files are open"):
        open_images(paths, SETTINGS, cache_dir=cache)
    assert len(segments(cache)) == 4
