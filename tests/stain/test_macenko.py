"""Comparison with torchstain, and with the stains of simulated images."""

import numpy as np
import pytest

from breastcls.images.decode import read_image
from breastcls.images.resize import resize_image
from breastcls.stain.macenko import Macenko, find_stains, find_strengths
from breastcls.stain.normalizer import UnfitImageError
from breastcls.stain.optical_density import density_table, to_density

TRUTH = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
TRUTH /= np.linalg.norm(TRUTH, axis=1, keepdims=True)


def mixed(seed=0, side=64, strength=(1.0, 1.0)):
    generator = np.random.default_rng(seed)
    amounts = generator.gamma(0.6, 0.6, (side, side, 2)) * strength + 0.05
    return np.clip(240 * np.exp(-amounts @ TRUTH) - 1, 0, 255).astype(np.uint8)


def test_the_stains_that_were_put_in_are_found():
    image = mixed(side=200)
    found = find_stains(image, to_density(image, density_table(240)))
    angles = np.rad2deg(np.arccos(np.einsum("ij,ij->i", found, TRUTH)))
    assert angles.max() < 4


def test_strengths_are_the_99th_percentiles():
    image = mixed()
    density = to_density(image, density_table(240))
    amounts = density.reshape(-1, 3) @ np.linalg.pinv(TRUTH)
    np.testing.assert_allclose(
        find_strengths(density, np.linalg.pinv(TRUTH.T)), np.percentile(amounts, 99, axis=0), rtol=1e-4
    )


def compare(reference, images):
    torchstain = pytest.importorskip("torchstain.numpy.normalizers")
    peer = torchstain.NumpyMacenkoNormalizer()
    peer.fit(reference)
    ours = Macenko.fit(reference)
    np.testing.assert_allclose(ours.stains.T, peer.HERef, atol=1e-3)
    np.testing.assert_allclose(ours.strengths, peer.maxCRef, rtol=1e-3)
    for image in images:
        expected = peer.normalize(image, stains=False)[0]
        assert np.abs(ours.transform(image).astype(int) - expected).max() <= 2
    assert ours.fallbacks.total == 0


def test_equal_to_torchstain():
    compare(mixed(0), [mixed(seed, strength=(seed / 2, 1.5 / seed)) for seed in (1, 2, 3)])


@pytest.mark.real
def test_equal_to_torchstain_on_real_images(real_data):
    paths = sorted((real_data / "BreaKHis_v1").rglob("*.png"))[::6]
    images = [resize_image(read_image(path), 224) for path in paths]
    compare(images[0], images[1:])


def test_one_stain_is_distinguished_from_two():
    generator = np.random.default_rng(0)
    amounts = generator.gamma(2, 0.5, (64, 64, 1))
    image = np.clip(240 * np.exp(-amounts * TRUTH[0]) - 1, 0, 255).astype(np.uint8)
    with pytest.raises(UnfitImageError, match="one stain only"):
        find_stains(image, to_density(image, density_table(240)))


def test_a_speck_of_tissue_is_too_little():
    image = np.full((100, 100, 3), 250, np.uint8)
    image[:3, :3] = mixed(side=3)
    with pytest.raises(UnfitImageError, match="too little tissue"):
        find_stains(image, to_density(image, density_table(240)))


def test_black_spots_do_not_matter_much():
    clean, spotted = mixed(side=100), mixed(side=100)
    spotted[:5, :5] = 0
    normalizer = Macenko.fit(clean)
    difference = normalizer.transform(spotted)[10:].astype(int) - normalizer.transform(clean)[10:]
    assert np.abs(difference).mean() < 6
