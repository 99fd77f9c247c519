import matplotlib
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.overlay import colour_heatmap, draw_overlay

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_colours_are_those_of_matplotlib():
    heat = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    expected = matplotlib.colormaps["magma"]((heat * 255 + 0.5).astype(np.uint8))[..., :3] * 255
    np.testing.assert_allclose(colour_heatmap(heat, "magma"), expected, atol=1)


def test_tissue_without_evidence_keeps_its_colour():
    np.testing.assert_array_equal(draw_overlay(IMAGE, np.zeros((5, 7), np.float32)), IMAGE)


def test_a_value_of_one_has_the_opacity_alpha():
    heat = np.ones((5, 7), np.float32)
    np.testing.assert_array_equal(draw_overlay(IMAGE, heat, alpha=1.0), colour_heatmap(heat))
    np.testing.assert_allclose(
        draw_overlay(IMAGE, heat, alpha=0.25), 0.75 * IMAGE + 0.25 * colour_heatmap(heat).astype(float), atol=0.51
    )


def test_nan_is_grey():
    heat = np.zeros((5, 7), np.float32)
    heat[:, :2] = np.nan
    drawn = draw_overlay(IMAGE, heat)
    assert np.ptp(drawn[:, :2].astype(int), axis=-1).max() == 0
    np.testing.assert_array_equal(drawn[:, 2:], IMAGE[:, 2:])
    assert np.all(colour_heatmap(heat)[:, :2] == 128)


def test_wrong_arguments_are_named():
    heat = np.zeros((5, 7), np.float32)
    with pytest.raises(ExplanationError, match="viridis"):
        draw_overlay(IMAGE, heat, colour_map="viridiss")
    with pytest.raises(ExplanationError, match="alpha is 2"):
        draw_overlay(IMAGE, heat, alpha=2)
    with pytest.raises(ExplanationError, match="expected equal sizes"):
        draw_overlay(IMAGE, heat[:3])
