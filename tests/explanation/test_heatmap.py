import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.heatmap import make_heatmaps
from breastcls.explanation.methods.method import Attribution


def make(values, **options):
    return make_heatmaps(Attribution(np.asarray(values, np.float32)), np.shape(values)[1:], **options)


def test_negative_evidence_is_left_out_and_each_map_ends_at_one():
    made = make([[[-2.0, 1.0], [0.0, 4.0]], [[0.1, 0.0], [0.0, 0.0]]])
    np.testing.assert_allclose(made.values, [[[0, 0.25], [0, 1]], [[1, 0], [0, 0]]])
    np.testing.assert_allclose(made.positive_share, [5 / 7, 1.0])
    assert made.flags == ("", "")
    assert made.values.dtype == np.float32


def test_all_negative_and_all_zero_maps_are_flagged_and_blank():
    made = make([[[-2.0, -1.0]], [[0.0, 0.0]], [[-2.0, 1e-9]]])
    assert made.flags == ("negative", "empty", "")
    assert made.values[:2].max() == 0
    np.testing.assert_allclose(made.positive_share, [0, 0, 5e-10], rtol=1e-3)


def test_a_large_residual_is_flagged():
    attribution = Attribution(np.ones((2, 2, 2), np.float32), np.array([0.01, 0.2], np.float32))
    assert make_heatmaps(attribution, (2, 2)).flags == ("", "incomplete")


def test_with_a_percentile_one_pixel_does_not_darken_the_rest():
    values = np.ones((1, 20, 20))
    values[0, 3, 3] = 1000.0
    assert np.median(make(values).values) < 0.01
    assert np.median(make(values, upper_percentile=99.0).values) == 1.0


def test_a_percentile_of_zero_is_replaced_by_the_maximum():
    values = np.zeros((1, 20, 20))
    values[0, 3, 3] = 5.0
    made = make(values, upper_percentile=99.0)
    assert made.values[0, 3, 3] == 1.0
    assert made.values.sum() == 1.0


def test_enlarging_keeps_positions_and_the_range():
    """Pixel centres are kept: a spot in the middle of a map remains in the middle."""
    spot = np.zeros((1, 5, 5), np.float32)
    spot[0, 2, 1] = 3.0
    large = make_heatmaps(Attribution(spot), (50, 100)).values[0]
    assert large.min() == 0
    assert large.max() == 1
    rows, columns = np.mgrid[:50, :100] + 0.5
    assert (large * rows).sum() / large.sum() == pytest.approx(25, abs=0.1)
    assert (large * columns).sum() / large.sum() == pytest.approx(30, abs=0.5)


def test_smoothing_cancels_evidence_for_and_against_the_class():
    checkers = np.indices((40, 40)).sum(axis=0) % 2 * 2.0 - 1.0
    checkers[:, 20:] += 0.5
    raw = make(checkers[None])
    smooth = make(checkers[None], smoothing=0.05)
    assert raw.values[0, :, :20].mean() == pytest.approx(0.5 / 1.5, abs=0.01)
    assert smooth.values[0, 8:-8, 8:12].max() < 0.02
    assert smooth.values[0, 8:-8, 28:32].min() > 0.7
    assert smooth.positive_share[0] > raw.positive_share[0]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_nan_and_infinite_values_are_refused(wrong):
    with pytest.raises(ExplanationError, match="NaN or infinite"):
        make([[[wrong, 1.0]]])
