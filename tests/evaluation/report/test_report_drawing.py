import numpy as np
import pandas as pd

from breastcls.evaluation.report.chart import path_through, to_drawing
from breastcls.evaluation.report.report_drawing import draw_precision_recall, draw_roc, mark
from breastcls.intervals.score_values import Score

NAN = float("nan")


def points(path):
    return [tuple(map(float, point.split(","))) for point in path.strip("MZ").split("L")]


def test_the_corners_of_the_unit_square():
    assert to_drawing(0, 0) == (54, 344)
    assert to_drawing(1, 1) == (388, 10)


def test_a_path_visits_its_points():
    assert points(path_through(np.array([0, 0.5, 1]), np.array([0, 1, 1]))) == [
        (54, 344),
        (221, 10),
        (388, 10),
    ]


def test_the_roc_curve_is_drawn_where_its_table_says(evaluate):
    evaluation = evaluate()
    (curve,) = draw_roc(evaluation).curves
    expected = [to_drawing(x, y) for x, y in evaluation.roc[["fpr", "tpr"]].to_numpy()]
    np.testing.assert_allclose(points(curve.path), expected)


def test_the_band_runs_out_along_the_lower_edge_and_back_along_the_upper(evaluate):
    edges = {"low": [NAN, 0.6, 0.9], "high": [NAN, 0.9, 1]}
    roc = pd.DataFrame({"fpr": [0, 0.5, 1], "tpr": [0, 0.8, 1], **edges})
    (curve,) = draw_roc(evaluate(roc=roc)).curves
    assert points(curve.band) == [to_drawing(x, y) for x, y in [(0.5, 0.6), (1, 0.9), (1, 1), (0.5, 0.9)]]


def test_charts_are_described_in_words(evaluate):
    evaluation = evaluate()
    value = f"{evaluation.metrics.loc['roc_auc', 'value']:.3f}"
    assert value in draw_roc(evaluation).description
    assert "Chance reaches a precision of 0.500." in draw_precision_recall(evaluation).description


def test_an_empty_curve_leaves_a_chart_without_one(evaluate):
    empty = pd.DataFrame({"threshold": [], "fpr": [], "tpr": [], "low": [], "high": []})
    assert draw_roc(evaluate(roc=empty)).curves == ()


def test_marks_lie_on_their_scale():
    drawn = mark("model", Score(0.5, 0.25, 1.0), (0.0, 1.0))
    assert (drawn.value, drawn.low, drawn.high) == (50, 26.5, 97)
    assert mark("model", Score(0.0, -0.5, 0.5), (-1.0, 1.0)).value == 50


def test_a_mark_without_interval_is_a_point_and_without_value_nothing():
    drawn = mark("model", Score(0.5, NAN, 1.0), (0.0, 1.0))
    assert (drawn.value, drawn.low, drawn.high) == (50, None, None)
    assert mark("model", Score(NAN, NAN, NAN), (0.0, 1.0)).value is None
