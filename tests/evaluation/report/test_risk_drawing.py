import dataclasses

import numpy as np
import pytest

from breastcls.errors import EvaluationWarning
from breastcls.evaluation.report.chart import LEFT, SIDE, TOP, to_drawing
from breastcls.evaluation.report.risk_drawing import (
    draw_cumulative_risk,
    draw_decision_curve,
    draw_reliability,
    draw_risk_histogram,
)


def points(path):
    return [tuple(map(float, point.split(","))) for point in path.strip("MZ").split("L")]


@pytest.fixture(scope="module")
def found(whole):
    return whole(threshold=0.4)


def test_the_reliability_diagram_has_a_point_and_a_whisker_a_bin(found):
    table = found.calibration.equal_mass
    (curve,) = draw_reliability(found).curves
    assert len(curve.points) == len(table)
    for (x, y, low, high), row in zip(curve.points, table.to_dict("records"), strict=True):
        assert (x, y) == to_drawing(row["probability"], row["frequency"])
        assert low == to_drawing(0, row["low"])[1]
        assert high == to_drawing(0, row["high"])[1]
        assert high <= y <= low


def test_columns_are_as_high_as_the_shares(found):
    chart = draw_risk_histogram(found)
    table = found.risk_histogram
    for curve in chart.curves:
        shares = table.loc[(table["group"] == curve.name) & (table["share"] > 0), "share"].to_numpy()
        heights = np.array([height for *_, height in curve.columns])
        np.testing.assert_allclose(heights / SIDE * chart.y.high, shares, atol=chart.y.high / SIDE)
        assert all(top + height == pytest.approx(TOP + SIDE) for _, top, _, height in curve.columns)
        assert all(LEFT <= left <= LEFT + SIDE for left, *_ in curve.columns)
    assert chart.y.high >= table["share"].max()


def test_the_cumulative_curves_end_at_one_and_the_threshold_is_marked(found):
    chart = draw_cumulative_risk(found)
    for curve in chart.curves:
        assert points(curve.path)[0] == to_drawing(0, 0)
        assert points(curve.path)[-1] == to_drawing(1, 1)
    ((name, path),) = chart.references
    assert name == "threshold 0.40"
    assert points(path) == [to_drawing(0.4, 0), to_drawing(0.4, 1)]
    assert draw_cumulative_risk(dataclasses.replace(found, risk_histogram=None)) is None


def test_with_more_classes_it_is_about_right_and_wrong(whole):
    with pytest.warns(EvaluationWarning, match="only 3 cases"):
        found = whole(("A", "F", "PT", "TA", "DC", "LC", "MC", "PC"))
    for chart in (draw_risk_histogram(found), draw_cumulative_risk(found)):
        assert [curve.name for curve in chart.curves] == ["right", "wrong"]
        assert "class " not in chart.caption
    assert draw_decision_curve(found) is None


def test_the_decision_curve_stays_in_its_frame(found):
    chart = draw_decision_curve(found)
    drawn = [*points(chart.curves[0].path), *points(chart.curves[0].band)]
    drawn += [point for _, path in chart.references for point in points(path)]
    assert all(LEFT <= x <= LEFT + SIDE and TOP <= y <= TOP + SIDE for x, y in drawn)
    row = found.decision_curve.iloc[20]
    assert to_drawing(row.name, row["model"], (chart.x, chart.y)) in points(chart.curves[0].path)
    useful = found.decision_curve.query("model > all and model > 0").index
    assert f"from {useful.min():.2f} to {useful.max():.2f}" in chart.description


def test_a_model_that_is_of_no_use_is_said_to_be(found):
    table = found.decision_curve.assign(model=-0.1, low=-0.2, high=0.0)
    assert "at none" in draw_decision_curve(dataclasses.replace(found, decision_curve=table)).description
