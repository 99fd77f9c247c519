import matplotlib
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.colour_maps import COLOUR_MAPS, colour_table, find_colour_map


@pytest.mark.parametrize("name", [*COLOUR_MAPS, "viridis_r", "cubehelix"])
def test_uniform_maps_are_taken(name):
    assert find_colour_map(name).name == name


@pytest.mark.parametrize("name", ["jet", "turbo", "rainbow", "hsv", "coolwarm", "Spectral", "hot", "jet_r"])
def test_maps_that_are_not_uniform_are_refused(name):
    with pytest.raises(ExplanationError, match=f"'{name}' is not perceptually uniform.*cividis"):
        find_colour_map(name)


def test_a_registered_map_is_measured():
    straight = matplotlib.colors.LinearSegmentedColormap.from_list("own even", ["black", "0.5", "white"])
    bent = matplotlib.colors.LinearSegmentedColormap.from_list("own bent", ["black", "white", "black"])
    for colour_map in (straight, bent):
        matplotlib.colormaps.register(colour_map)
    try:
        assert colour_table("own even")[-1].tolist() == [255, 255, 255]
        with pytest.raises(ExplanationError, match="own bent"):
            find_colour_map("own bent")
    finally:
        matplotlib.colormaps.unregister("own even")
        matplotlib.colormaps.unregister("own bent")


def test_the_table_is_that_of_matplotlib():
    np.testing.assert_allclose(colour_table("cividis"), np.array(matplotlib.colormaps["cividis"].colors) * 255, atol=1)
