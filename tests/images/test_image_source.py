"""Reading files at one size in parallel, and detecting changed files."""

import os

import numpy as np
import pytest
from PIL import Image

from breastcls.errors import ImageError
from breastcls.images.decode import read_image
from breastcls.images.image_source import FileSource, ReadSettings, file_states
from breastcls.images.resize import resize_image


def open_files(paths, **options):
    return FileSource(paths, file_states(paths), ReadSettings((16, 16), **options))


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_rows_come_in_the_order_asked_for(make_folder, resize):
    paths = make_folder(5)
    source = open_files(paths, resize=resize)
    rows = np.array([4, 0, 0, 2])
    expected = np.stack([resize_image(read_image(paths[row]), 16, resize) for row in rows])
    np.testing.assert_array_equal(source.read(rows), expected)
    assert source.shape == (16, 16, 3)
    assert len(source) == 5


def test_a_normalizer_sees_the_full_image_before_it_is_resized(make_folder):
    seen = []

    class Inverted:
        key = "inverted"

        def transform(self, image):
            seen.append(image.shape)
            return 255 - image

    paths = make_folder(1)
    out = open_files(paths, normalizer=Inverted()).read(np.array([0]))
    assert seen == [(40, 52, 3)]
    np.testing.assert_array_equal(out[0], resize_image(255 - read_image(paths[0]), 16))


def test_settings_that_differ_have_different_keys():
    class Other:
        key = "other"

        def transform(self, image):
            return image

    variants = [
        ReadSettings((8, 8)),
        ReadSettings((8, 9)),
        ReadSettings((8, 8), "crop"),
        ReadSettings((8, 8), normalizer=Other()),
    ]
    assert len({settings.key for settings in variants}) == 4


def test_a_file_changed_after_the_scan_is_named(make_folder):
    paths = make_folder(2)
    source = open_files(paths)
    Image.new("RGB", (9, 9)).save(paths[1])
    with pytest.raises(ImageError, match=r"001\.png: the file was changed"):
        source.read(np.array([0, 1]))


def test_a_file_touched_to_the_same_length_is_named(make_folder):
    paths = make_folder(1)
    source = open_files(paths)
    os.utime(paths[0], ns=(1, 1))
    with pytest.raises(ImageError, match="changed"):
        source.read(np.array([0]))


def test_a_file_deleted_after_the_scan_is_named(make_folder):
    paths = make_folder(2)
    source = open_files(paths)
    os.unlink(paths[1])
    with pytest.raises(ImageError, match=r"001\.png: the file does not exist"):
        source.read(np.array([0, 1]))


def test_a_file_missing_at_the_scan_is_named(make_folder):
    with pytest.raises(ImageError, match=r"gone\.png"):
        file_states([*make_folder(1), "gone.png"])
