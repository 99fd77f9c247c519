"""Glass is left unchanged by every normalizer, and counted."""

import numpy as np
import pytest

from breastcls.errors import ImageError
from breastcls.stain.fitting import fit_normalizer
from breastcls.stain.normalizer import UnfitImageError
from breastcls.stain.normalizer_registry import list_normalizers
from breastcls.stain.tissue_pixels import check_tissue, tissue_mask


def tissue(seed: int, height: int = 40, width: int = 50) -> np.ndarray:
    amounts = np.random.default_rng(seed).random((height, width, 2))
    return (240 * np.exp(-amounts @ [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])).astype(np.uint8)


def glass(seed: int = 0) -> np.ndarray:
    """Return nearly white pixels with the noise of a camera."""
    return np.random.default_rng(seed).integers(238, 252, (40, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize("method", list_normalizers())
def test_glass_is_left_unchanged_and_counted(method):
    normalizer = fit_normalizer(tissue(0), method)
    speck = glass()
    speck[:3, :3] = (120, 60, 140)  # nine dark pixels, as of dust
    for image in (glass(), speck):
        np.testing.assert_array_equal(normalizer.transform(image), image)
    assert normalizer.fallbacks.reasons == {"too little tissue": 2}
    assert not np.array_equal(normalizer.transform(tissue(1)), tissue(1))
    assert normalizer.fallbacks.total == 2
    with pytest.raises(ImageError, match="too little tissue"):
        fit_normalizer(glass(), method)


def test_reinhard_needs_more_tissue_since_it_tints_glass():
    image = glass()
    image[:1] = tissue(1)[:1]  # 2.5%
    reinhard, macenko = (fit_normalizer(tissue(0), method) for method in ("reinhard", "macenko"))
    np.testing.assert_array_equal(reinhard.transform(image), image)
    assert reinhard.fallbacks.total == 1
    assert macenko.transform(image)[5:].mean() > 235
    assert macenko.fallbacks.total == 0


def test_the_least_tissue_is_half_a_percent():
    image = np.full((100, 100, 3), 245, np.uint8)
    image[0, :49] = 100
    with pytest.raises(UnfitImageError):
        check_tissue(tissue_mask(image))
    image[0, :50] = 100
    check_tissue(tissue_mask(image))
    assert np.count_nonzero(tissue_mask(image)) == 50
