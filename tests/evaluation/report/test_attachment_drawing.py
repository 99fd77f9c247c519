import dataclasses

import numpy as np
import pytest

from breastcls.evaluation.report.attachment_drawing import draw_risk_coverage, draw_robustness
from breastcls.evaluation.report.chart import LEFT, SIDE, TOP, to_drawing


def points(path):
    return [tuple(map(float, point.split(","))) for point in path.strip("MZ").split("L")]


def test_one_chart_a_perturbation_one_line_a_metric(whole, attached):
    found = whole()
    charts = draw_robustness(found)
    assert [chart.title for chart in charts] == ["Stain", "Blur", "Jpeg", "Brightness"]
    assert len({chart.key for chart in charts}) == 4
    for chart in charts:
        assert [curve.name for curve in chart.curves] == ["Balanced accuracy", "ROC AUC"]
        expected = [to_drawing(at, value, (chart.x, chart.y)) for at, value in ((0, 0.9), (1, 0.8), (2, 0.7))]
        assert points(chart.curves[0].path) == expected
        assert "is 0.900 at 0 and 0.700 at 2" in chart.description
    assert draw_robustness(found.with_sections(robustness=None)) == []


@pytest.mark.parametrize("strengths", [[1.0], list(np.linspace(0, 5, 12))])
def test_one_strength_and_many(whole, attached, strengths):
    table = attached["robustness"].query("perturbation == 'blur' and metric == 'roc_auc' and strength == 1")
    table = table.loc[table.index.repeat(len(strengths))].assign(strength=strengths)
    (chart,) = draw_robustness(whole().with_sections(robustness=table))
    assert len(chart.x_ticks) <= 6
    assert all(LEFT <= place <= LEFT + SIDE for place, _ in chart.x_ticks)


def test_strengths_are_drawn_in_their_order_and_gaps_left_out(whole, attached):
    table = attached["robustness"].query("perturbation == 'blur' and metric == 'roc_auc'")[::-1].copy()
    table.loc[table["strength"] == 1, ["value", "low", "high"]] = np.nan
    (chart,) = draw_robustness(whole().with_sections(robustness=table))
    assert [x for x, _ in points(chart.curves[0].path)] == [LEFT, LEFT + SIDE]


def test_risk_against_coverage(whole):
    found = whole()
    chart = draw_risk_coverage(found)
    expected = [to_drawing(at, risk, (chart.x, chart.y)) for at, risk in ((0.2, 0.02), (0.6, 0.1), (1.0, 0.2))]
    assert points(chart.curves[0].path) == expected
    assert all(TOP <= y <= TOP + SIDE for _, y in points(chart.curves[0].band))
    assert "0.200 where all are decided" in chart.description
    assert draw_risk_coverage(dataclasses.replace(found, risk_coverage=None)) is None
