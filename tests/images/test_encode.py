from pathlib import Path

import numpy as np
import pytest

from breastcls.errors import OutputError
from breastcls.images.decode import read_image
from breastcls.images.encode import encode_image, write_image


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize("name", ["b.png", "B.PNG"])
def test_an_image_is_written_as_rgb(tmp_path, image, name):
    path = write_image(tmp_path / "a" / name, image)
    np.testing.assert_array_equal(read_image(path), image)
    assert path.read_bytes() == encode_image(image, ".png")
    assert [one.name for one in path.parent.iterdir()] == [name]


def test_one_channel_is_written_as_grey(tmp_path, image):
    grey = image[..., 0]
    np.testing.assert_array_equal(read_image(write_image(tmp_path / "grey.png", grey))[..., 1], grey)


def test_what_cannot_be_encoded_is_named(image):
    with pytest.raises(OutputError, match=r"of the shape \(5, 7, 5\) cannot be encoded as PNG"):
        encode_image(np.zeros((5, 7, 5), np.uint8), ".png")
    with pytest.raises(OutputError, match=r"none\.png: An image of the shape"):
        write_image(Path("none.png"), np.zeros((5, 7, 5), np.uint8))
