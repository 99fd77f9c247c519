import cv2
import numpy as np
import pytest

from breastcls.explanation.methods.superpixels import find_superpixels


@pytest.mark.parametrize("size", [(16, 16), (50, 70), (224, 224)])
@pytest.mark.parametrize("count", [2, 9, 49])
def test_every_pixel_is_in_one_connected_region(size, count):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    regions = find_superpixels(image, count)
    assert regions.shape == size
    assert np.array_equal(np.unique(regions), np.arange(regions.max() + 1))
    assert 0.5 * count <= regions.max() + 1 <= 1.5 * count
    for region in range(regions.max() + 1):
        assert cv2.connectedComponents((regions == region).astype(np.uint8), connectivity=8)[0] == 2


def test_regions_follow_the_edges_of_the_image():
    """A diagonal edge: far fewer regions cross it than squares would."""
    image = np.full((96, 96, 3), 230, np.uint8)
    dark = np.add.outer(np.arange(96), np.arange(96) * 0.6) > 70
    image[dark] = (90, 40, 120)
    regions = find_superpixels(image, 36)
    rows, columns = np.indices((96, 96)) // 16
    mixed = [
        np.bincount(labels.ravel(), dark.ravel()) / np.bincount(labels.ravel())
        for labels in (regions, rows * 6 + columns)
    ]
    wrong = [float(np.minimum(share, 1 - share).sum()) for share in mixed]
    assert wrong[0] < 0.5 * wrong[1]
