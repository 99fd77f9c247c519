import matplotlib
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.overlay import OverlayStyle, colour_heatmap, draw_overlay

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_colours_are_those_of_matplotlib():
    heat = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    expected = matplotlib.colormaps["magma"]((heat * 255 + 0.5).astype(np.uint8))[..., :3] * 255
    np.testing.assert_allclose(colour_heatmap(heat, "magma"), expected, atol=1)


def test_tissue_without_evidence_keeps_its_colour():
    np.testing.assert_array_equal(draw_overlay(IMAGE, np.zeros((5, 7), np.float32)), IMAGE)


def test_a_value_of_one_has_the_opacity_alpha():
    heat = np.ones((5, 7), np.float32)
    np.testing.assert_array_equal(draw_overlay(IMAGE, heat, style=OverlayStyle(alpha=1.0)), colour_heatmap(heat))
    np.testing.assert_allclose(
        draw_overlay(IMAGE, heat, style=OverlayStyle(alpha=0.25)),
        0.75 * IMAGE + 0.25 * colour_heatmap(heat).astype(float),
        atol=0.51,
    )


def test_nan_is_grey():
    heat = np.zeros((5, 7), np.float32)
    heat[:, :2] = np.nan
    drawn = draw_overlay(IMAGE, heat)
    assert np.ptp(drawn[:, :2].astype(int), axis=-1).max() == 0
    np.testing.assert_array_equal(drawn[:, 2:], IMAGE[:, 2:])
    assert np.all(colour_heatmap(heat)[:, :2] == 128)


def test_glass_and_maps_of_little_evidence_keep_the_colour_of_the_image():
    heat = np.ones((5, 7), np.float32)
    glass = np.zeros((5, 7), bool)
    glass[:, 3:] = True
    drawn = draw_overlay(IMAGE, heat, opacity=0.04, glass=glass).astype(int)
    np.testing.assert_array_equal(drawn[:, 3:], IMAGE[:, 3:])
    full = draw_overlay(IMAGE, heat).astype(int)
    np.testing.assert_allclose(drawn[:, :3] - IMAGE[:, :3], 0.04 * (full - IMAGE)[:, :3], atol=0.51)


def test_contour_lines_are_at_their_levels_and_leave_the_rest():
    image = np.full((100, 100, 3), 200, np.uint8)
    heat = np.tile(np.linspace(0, 1, 100, dtype=np.float32), (100, 1))
    drawn = draw_overlay(image, heat, style=OverlayStyle(contours=True))
    changed = np.flatnonzero((drawn != image).any(axis=-1).all(axis=0))
    for level in (0.25, 0.5, 0.75):
        assert np.abs(changed - 99 * level).min() <= 2
    assert all(np.abs(heat[0, column] - np.array([0.25, 0.5, 0.75])).min() < 0.04 for column in changed if column < 97)
    # Without a map of full strength the lines are as weak as its colours would be.
    weak = draw_overlay(image, heat, style=OverlayStyle(contours=True), opacity=0.04)
    assert np.abs(weak.astype(int) - image).max() <= 9


def test_wrong_arguments_are_named():
    heat = np.zeros((5, 7), np.float32)
    with pytest.raises(ExplanationError, match="viridis"):
        OverlayStyle(colour_map="viridiss")
    with pytest.raises(ExplanationError, match="alpha is 2"):
        OverlayStyle(alpha=2)
    with pytest.raises(ExplanationError, match="expected equal sizes"):
        draw_overlay(IMAGE, heat[:3])
