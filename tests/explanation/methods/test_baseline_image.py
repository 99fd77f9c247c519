import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.baseline_image import BASELINES, make_baseline

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3)).astype(np.float32)


@pytest.mark.parametrize("kind", BASELINES)
def test_size_and_dtype_are_kept_and_the_input_is_not_changed(kind):
    before = IMAGES.copy()
    made = make_baseline(IMAGES, kind)
    assert made.shape == IMAGES.shape
    assert made.dtype == np.float32
    np.testing.assert_array_equal(IMAGES, before)


def test_the_mean_is_computed_per_image():
    made = make_baseline(IMAGES, "mean")
    np.testing.assert_allclose(made[1, 5, 7], IMAGES[1].mean(axis=(0, 1)), rtol=1e-5)


def test_blur_removes_detail_and_keeps_the_mean():
    made = make_baseline(IMAGES, "blur")
    assert made.std() < 0.15 * IMAGES.std()
    assert made.mean() == pytest.approx(IMAGES.mean(), rel=0.05)


def test_the_error_for_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(ExplanationError, match="white, black, mean, blur"):
        make_baseline(IMAGES, "grey")
