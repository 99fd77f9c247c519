"""Comparison of geometry with SciPy and of colour with the formulas, and bounds of the random numbers."""

import numpy as np
import pytest
from scipy import ndimage

from breastcls.augmentation.policy import Policy
from breastcls.augmentation.resampling import DRAWS, augment_batch, compose_geometry

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
SMOOTH = np.stack(
    [
        ndimage.gaussian_filter(image.astype(float), (2, 2, 0)).astype(np.uint8)
        for image in IMAGES[:8].repeat(2, 1).repeat(3, 2)
    ]
)


def draws(count, value=None):
    if value is None:
        return np.random.default_rng(5).random((count, DRAWS)).astype(np.float32)
    return np.full((count, DRAWS), value, np.float32)


def eight(image):
    turned = [np.rot90(image, turns) for turns in range(4)]
    return [*turned, *(view[:, ::-1] for view in turned)]


def test_dihedral_draws_all_eight_and_nothing_else():
    out = augment_batch(Policy("p", "", dihedral=True), IMAGES, draws(40))
    found = {
        next(number for number, view in enumerate(eight(image)) if np.array_equal(view, result))
        for image, result in zip(IMAGES, out, strict=True)
    }
    assert found == set(range(8))


def test_images_that_are_not_square_are_turned_by_half_only():
    images = IMAGES[:, :10]
    out = augment_batch(Policy("p", "", dihedral=True), images, draws(40))
    for image, result in zip(images, out, strict=True):
        assert any(np.array_equal(view, result) for view in (image, image[::-1], image[:, ::-1], image[::-1, ::-1]))


def test_turns_by_matrix_are_the_exact_turns():
    """A shift of almost nothing sends every turn through the matrix; it must be the same turn."""
    numbers = draws(40)
    exact = augment_batch(Policy("p", "", dihedral=True), IMAGES, numbers)
    by_matrix = augment_batch(Policy("p", "", dihedral=True, shift=1e-9), IMAGES, numbers)
    np.testing.assert_array_equal(by_matrix, exact)


def test_the_middle_of_every_draw_changes_nothing():
    policy = Policy(
        "p", "", rotation=30, zoom=0.3, shift=0.2, shear=0.2, brightness=0.3, contrast=0.3, saturation=0.4, hue=0.1
    )
    assert np.abs(augment_batch(policy, SMOOTH, draws(8, 0.5)).astype(int) - SMOOTH).max() <= 1


def test_resampling_is_that_of_scipy():
    policy = Policy("p", "", flip=True, rotation=25, zoom=0.2, shift=0.1, shear=0.1)
    numbers = draws(8)
    out = augment_batch(policy, SMOOTH, numbers)
    height, width = SMOOTH.shape[1:3]
    turns = (numbers[:, 1] * 2).astype(int) + 2 * (numbers[:, 2] * 2).astype(int)
    matrices = compose_geometry(policy, numbers.astype(float), turns, height, width)
    for image, result, matrix in zip(SMOOTH, out, matrices, strict=True):
        # SciPy counts (row, column) where OpenCV counts (x, y).
        swapped = matrix[::-1, [1, 0]]
        for channel in range(3):
            expected = ndimage.affine_transform(
                image[..., channel].astype(float), swapped, matrix[::-1, 2], order=1, mode="mirror"
            )
            # OpenCV places samples on a grid of 1/32 of a pixel.
            assert np.abs(result[..., channel] - expected).max() < 3


@pytest.mark.parametrize(
    ("policy", "start", "end"),
    [
        (Policy("p", "", rotation=90), (16, 20), (20, 16)),
        (Policy("p", "", zoom=0.5), (14, 18), (13, 19)),
        (Policy("p", "", shift=0.25), (18, 20), (18 + 8.25, 20 + 8.25)),
    ],
)
def test_where_a_point_goes_at_the_largest_draw(policy, start, end):
    """The middle of the image is (16, 16)."""
    image = np.zeros((1, 33, 33, 3), np.uint8)
    image[0][start] = 255
    out = augment_batch(policy, image, draws(1, 1.0))[0, ..., 0].astype(float)
    np.testing.assert_allclose(ndimage.center_of_mass(out), end, atol=0.1)


def test_brightness_contrast_and_saturation():
    image = SMOOTH[:1].astype(float)
    brighter = augment_batch(Policy("p", "", brightness=0.1), SMOOTH[:1], draws(1, 1.0))
    np.testing.assert_allclose(brighter, np.clip(image + 25.5, 0, 255), atol=1)
    grey = image.mean(axis=(1, 2)) @ [0.299, 0.587, 0.114]
    contrast = augment_batch(Policy("p", "", contrast=0.5), SMOOTH[:1], draws(1, 1.0))
    np.testing.assert_allclose(contrast, np.clip((image - grey) * 1.5 + grey, 0, 255), atol=1)
    luma = (image @ [0.299, 0.587, 0.114])[..., None]
    saturation = augment_batch(Policy("p", "", saturation=0.5), SMOOTH[:1], draws(1, 0.0))
    np.testing.assert_allclose(saturation, np.clip(luma + 0.5 * (image - luma), 0, 255), atol=1)


def test_hue_keeps_grey_and_luminance():
    grey = np.repeat(np.arange(0, 256, 4, dtype=np.uint8).reshape(1, 8, 8, 1), 3, axis=3)
    policy = Policy("p", "", hue=0.3)
    assert np.abs(augment_batch(policy, grey, draws(1, 1.0)).astype(int) - grey).max() <= 1
    muted = (SMOOTH[:1] // 4 + 96).astype(np.uint8)
    out = augment_batch(policy, muted, draws(1, 1.0))
    assert np.abs(out.astype(int) - muted).max() > 10
    np.testing.assert_allclose(out @ [0.299, 0.587, 0.114], muted @ [0.299, 0.587, 0.114], atol=1.5)


def test_stain_jitter_without_shift_keeps_the_background_white():
    white = np.full((1, 4, 4, 3), 255, np.uint8)
    numbers = draws(1)
    numbers[:, 16:19] = 0.5
    np.testing.assert_array_equal(augment_batch(Policy("p", "", stain=0.5), white, numbers), white)


def test_stain_jitter_multiplies_the_concentrations():
    from breastcls.stain.optical_density import HAEMATOXYLIN_EOSIN_RESIDUAL

    amounts = np.array([[0.8, 0.3, 0.1], [0.2, 1.0, 0.05]])
    light = 256 * np.exp(-amounts @ HAEMATOXYLIN_EOSIN_RESIDUAL) - 1
    image = np.round(light).astype(np.uint8).reshape(1, 1, 2, 3)
    numbers = draws(1, 0.5)
    numbers[:, 13] = 1.0
    out = augment_batch(Policy("p", "", stain=0.5), image, numbers)[0, 0]
    amounts[:, 0] *= 1.5
    np.testing.assert_allclose(out, 256 * np.exp(-amounts @ HAEMATOXYLIN_EOSIN_RESIDUAL) - 1, atol=1.5)


def test_a_colour_change_does_not_change_the_geometry_drawn():
    plain = augment_batch(Policy("p", "", dihedral=True), IMAGES, draws(40))
    lit = augment_batch(Policy("p", "", dihedral=True, brightness=1e-9), IMAGES, draws(40))
    np.testing.assert_array_equal(plain, lit)
