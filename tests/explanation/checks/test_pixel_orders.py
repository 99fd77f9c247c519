import numpy as np

from breastcls.explanation.checks.pixel_orders import centre_map, pixel_order, random_maps


def test_pixels_are_in_decreasing_order_and_equal_ones_in_random_order():
    heat = np.zeros((20, 20), np.float32)
    heat[3, 4], heat[10, 2] = 1.0, 0.5
    order = pixel_order(heat)
    assert order[:2].tolist() == [3 * 20 + 4, 10 * 20 + 2]
    assert np.array_equal(np.sort(order), np.arange(400))
    assert np.abs(np.diff(order[2:])).mean() > 50
    np.testing.assert_array_equal(order, pixel_order(heat))


def test_random_maps_are_smooth_and_repeat():
    maps = random_maps(3, (70, 56), seed=2)
    assert maps.shape == (3, 70, 56)
    np.testing.assert_array_equal(maps, random_maps(3, (70, 56), seed=2))
    assert np.abs(np.diff(maps, axis=1)).max() < 0.3
    assert not np.allclose(maps[0], maps[1])


def test_the_map_of_the_centre_decreases_outwards():
    made = centre_map((9, 15))
    assert np.unravel_index(made.argmax(), made.shape) == (4, 7)
    np.testing.assert_allclose(made, made[::-1, ::-1])
    assert np.all(np.diff(made[4, 7:]) < 0)
    assert made.min() >= 0
