"""Conversion to optical density and back."""

import numpy as np

from breastcls.stain.optical_density import (
    HAEMATOXYLIN_EOSIN_RESIDUAL,
    density_table,
    recolour_density,
    to_density,
)


def test_density_is_the_negative_logarithm():
    image = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    np.testing.assert_allclose(to_density(image), -np.log((image + 1.0) / 256), atol=1e-6)
    np.testing.assert_allclose(to_density(image, density_table(240)), -np.log((image + 1.0) / 240), atol=1e-6)


def test_there_and_back_changes_nothing():
    image = np.arange(768, dtype=np.uint16).reshape(16, 16, 3).astype(np.uint8)
    np.testing.assert_array_equal(recolour_density(image, np.eye(3), np.zeros(3)), image)


def test_any_change_stays_in_range():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    matrix, offset = np.array([[1.2, 0.1, 0], [0, 0.7, 0.2], [0.1, 0, 1.5]]), np.array([-0.3, 0.2, 0.0])
    density = -np.log((image + 1.0) / 256) @ matrix + offset
    expected = np.clip(256 * np.exp(-density) - 1, 0, 255)
    np.testing.assert_allclose(recolour_density(image, matrix, offset), expected, atol=0.52)


def test_stain_vectors_have_length_one():
    np.testing.assert_allclose(np.linalg.norm(HAEMATOXYLIN_EOSIN_RESIDUAL, axis=1), 1)
