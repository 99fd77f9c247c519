import numpy as np

from breastcls.evaluation.report.chart import Axis, Chart, band_between, level_line, path_through, to_drawing

AXES = (Axis("x", 10, 30, ((10, "10"), (30, "30"))), Axis("y", -1, 1, ((0, "0"),)))


def test_points_of_other_axes_than_the_unit_square():
    assert to_drawing(10, -1, AXES) == (54, 344)
    assert to_drawing(20, 0, AXES) == (221, 177)
    assert path_through(np.array([10, 30]), np.array([1, -1]), AXES) == "M54,10L388,344"
    assert level_line(0, AXES) == "M54,177L388,177"


def test_ticks_stand_where_their_values_are():
    chart = Chart("key", "", "", "", *AXES, ())
    assert chart.x_ticks == [(54, "10"), (388, "30")]
    assert chart.y_ticks == [(177, "0")]


def test_a_band_is_cut_at_the_frame_and_absent_where_nothing_is_known():
    x, nothing = np.array([10.0, 30.0]), np.full(2, np.nan)
    assert band_between(x, nothing, nothing, AXES) == ""
    assert band_between(x, np.array([-5.0, 0.0]), np.array([5.0, 1.0]), AXES) == "M54,344L388,177L388,10L54,10Z"
