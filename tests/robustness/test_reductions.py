import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breastcls.errors import ImageError
from breastcls.robustness.reductions import shuffle_blocks, shuffle_pixels, to_grey, to_mean_colour


def image_of(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_grey_is_the_luminance():
    image = image_of(9, 7)
    grey = to_grey(image)
    np.testing.assert_allclose(grey, np.repeat((image @ [0.299, 0.587, 0.114])[..., None], 3, axis=2), atol=1)
    assert (grey[..., 0] == grey[..., 2]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(6, 40), st.integers(6, 40), st.integers(0, 99))
def test_blocks_one_by_one(grid, height, width, seed):
    """The same by a loop over the blocks, with the same order drawn."""
    image = image_of(height, width, seed)
    found = shuffle_blocks(image, grid, np.random.default_rng(seed))
    order = np.random.default_rng(seed).permutation(grid * grid)
    rows, columns = height // grid, width // grid
    top, left = (height - grid * rows) // 2, (width - grid * columns) // 2
    expected = image.copy()
    for place, source in enumerate(order):
        to_row, to_column = divmod(place, grid)
        from_row, from_column = divmod(int(source), grid)
        for y in range(rows):
            for x in range(columns):
                expected[top + to_row * rows + y, left + to_column * columns + x] = image[
                    top + from_row * rows + y, left + from_column * columns + x
                ]
    np.testing.assert_array_equal(found, expected)


def test_the_given_image_stays():
    image = image_of(16, 16)
    kept = image.copy()
    for changed in (
        shuffle_blocks(image, 4, np.random.default_rng(0)),
        shuffle_pixels(image, np.random.default_rng(0)),
    ):
        assert (changed != image).any()
        assert sorted(map(tuple, changed.reshape(-1, 3))) == sorted(map(tuple, image.reshape(-1, 3)))
    np.testing.assert_array_equal(image, kept)


def test_too_small_for_the_grid():
    with pytest.raises(ImageError, match="7x20 pixels cannot be cut into 8"):
        shuffle_blocks(image_of(7, 20), 8, np.random.default_rng(0))
    with pytest.raises(ImageError, match="smaller grid"):
        shuffle_blocks(image_of(7, 20), 0, np.random.default_rng(0))


def test_mean_colour():
    image = image_of(5, 6)
    flat = to_mean_colour(image)
    assert np.unique(flat.reshape(-1, 3), axis=0).shape == (1, 3)
    np.testing.assert_allclose(flat[0, 0], image.mean(axis=(0, 1)), atol=0.51)
    flat[0, 0] = 0
    assert flat[1, 1].any()
