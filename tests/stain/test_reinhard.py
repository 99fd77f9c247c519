"""Comparison with torchstain and with the definition."""

import numpy as np
import pytest

from breastcls.images.decode import read_image
from breastcls.stain.reinhard import Reinhard, _to_rgb, to_lab


def muted(seed):
    """Colours far from the borders of the range, so that nothing is cut off."""
    generator = np.random.default_rng(seed)
    return (generator.normal((170, 120, 160), (14, 12, 10), (40, 50, 3))).clip(90, 220).astype(np.uint8)


def test_there_and_back():
    levels = np.array([0, 1, 10, 60, 128, 200, 254, 255], np.uint8)
    image = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(8, 64, 3)
    np.testing.assert_allclose(_to_rgb(to_lab(image)), image, atol=1)


def test_lab_of_known_colours():
    image = np.array([[[255, 255, 255], [255, 0, 0], [0, 0, 0]]], np.uint8)
    np.testing.assert_allclose(to_lab(image)[0], [[100, 0, 0], [53.24, 80.09, 67.20], [0, 0, 0]], atol=0.05)


def test_mean_and_spread_become_those_of_the_reference():
    normalizer = Reinhard.fit(muted(0))
    lab = to_lab(normalizer.transform(muted(1)[:20]))
    np.testing.assert_allclose(lab.mean(axis=(0, 1)), normalizer.means, atol=0.3)
    np.testing.assert_allclose(lab.std(axis=(0, 1)), normalizer.spreads, rtol=0.05)


def compare(reference, images):
    torchstain = pytest.importorskip("torchstain.numpy.normalizers")
    peer = torchstain.NumpyReinhardNormalizer()
    peer.fit(reference)
    ours = Reinhard.fit(reference)
    for image in images:
        assert np.abs(ours.transform(image).astype(int) - peer.normalize(image)).max() <= 2


def test_equal_to_torchstain():
    compare(muted(0), [muted(1), muted(2)])


@pytest.mark.real
def test_equal_to_torchstain_on_real_images(real_data):
    images = [read_image(path) for path in sorted((real_data / "BreaKHis_200X_224").rglob("*.png"))[::60]]
    compare(images[0], images[1:])
