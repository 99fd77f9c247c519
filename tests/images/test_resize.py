"""Area averages for downscaling, the central part for cropping, white for padding."""

import numpy as np
import pytest

from breastcls.errors import ModelError
from breastcls.images.resize import check_image_size, empty_images, resize_image, shrink_image


def test_shrinking_averages_over_areas():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    expected = image.reshape(10, 4, 20, 3, 3).mean(axis=(1, 3))
    assert np.abs(resize_image(image, (10, 20)) - expected).max() <= 0.51


def test_shrinking_by_a_fraction_keeps_the_mean():
    image = np.random.default_rng(0).integers(0, 256, (46, 70, 3), dtype=np.uint8)
    small = resize_image(image, 22)
    assert small.shape == (22, 22, 3)
    assert abs(small.mean() - image.mean()) < 0.5


@pytest.mark.real
def test_shrinking_is_that_of_tensorflow(real_data):
    import tensorflow as tf

    from breastcls.images.decode import read_image

    image = read_image(next((real_data / "BreaKHis_v1").rglob("*.png")))
    expected = tf.image.resize(image, (224, 224), "area").numpy()
    # TensorFlow takes whole pixels at the borders of an area, OpenCV their covered part.
    assert np.abs(resize_image(image, 224) - expected).mean() < 3


def test_one_side_may_shrink_while_the_other_grows():
    image = np.zeros((100, 4, 3), np.uint8)
    image[::2] = 200
    out = resize_image(image, (25, 8))
    np.testing.assert_array_equal(out, np.full((25, 8, 3), 100))


def test_crop_keeps_the_middle_and_the_aspect_ratio():
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 20:60] = 255
    assert (resize_image(image, 20, "crop") == 255).all()


def test_pad_keeps_everything_on_white():
    image = np.zeros((40, 80, 3), np.uint8)
    out = resize_image(image, 20, "pad")
    assert (out[5:15] == 0).all()
    assert (out[:5] == 255).all()
    assert (out[15:] == 255).all()


def test_stretch_uses_the_whole_frame():
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 40:] = 255
    out = resize_image(image, 20)
    assert (out[:, :10] == 0).all()
    assert (out[:, 10:] == 255).all()


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (7, 50), (64, 3), (46, 70)])
def test_any_size_from_any_size(resize, size):
    for shape in ((46, 70, 3), (1, 1, 3), (3, 200, 3)):
        out = resize_image(np.full(shape, 255, np.uint8), size, resize)
        assert out.shape == (*size, 3)
        assert (out == 255).all()


def test_a_batch_is_its_images():
    images = np.random.default_rng(0).integers(0, 256, (5, 30, 44, 3), dtype=np.uint8)
    out = resize_image(images, (16, 16), "crop")
    np.testing.assert_array_equal(out, np.stack([resize_image(image, (16, 16), "crop") for image in images]))


def test_images_of_the_right_size_are_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_image(image, 16), image)


@pytest.mark.parametrize("error", [ValueError, ModelError])
@pytest.mark.parametrize(
    "size", [0, -1, 32.0, "32", True, None, (3,), (2, -1), (1, 2, 3), (2.5, 4), (32, 0), (True, 32)]
)
def test_wrong_sizes(size, error):
    with pytest.raises(error, match="image_size"):
        check_image_size(size, error)


def test_sizes_from_numpy_are_python_integers():
    for size in ((np.int64(3), np.int32(4)), np.array([3, 4]), [3, 4]):
        assert check_image_size(size) == (3, 4)
    assert type(check_image_size(np.int64(3))[0]) is int


def test_wrong_ways():
    with pytest.raises(ValueError, match="'stretch', 'crop', 'pad'"):
        resize_image(np.zeros((4, 4, 3), np.uint8), 2, "squeeze")
    with pytest.raises(ValueError, match="shape"):
        resize_image(np.zeros((4, 4), np.uint8), 2)


def test_empty_images_are_aligned_so_that_tensorflow_need_not_copy():
    for count, shape in ((1, (4, 4, 3)), (3, (5, 7, 3)), (32, (64, 64, 3))):
        images = empty_images(count, shape)
        assert images.shape == (count, *shape)
        assert images.ctypes.data % 64 == 0
        assert images.flags.c_contiguous


def test_only_a_larger_image_is_shrunk():
    image = np.zeros((5, 7, 3), np.uint8)
    assert shrink_image(image, 7) is image
    assert shrink_image(np.zeros((50, 70, 3), np.uint8), 7).shape == (5, 7, 3)
    assert shrink_image(np.zeros((1, 70), np.uint8), 7).shape == (1, 7)
