"""Reliability diagram, distribution of the predicted probability, and decision curve, read back from the axes."""

import numpy as np
import pandas as pd
import pytest

from breastcls.evaluation.figures.decision_curve_figure import describe_decision_curve, plot_decision_curve
from breastcls.evaluation.figures.reliability_figure import describe_reliability, plot_reliability
from breastcls.evaluation.figures.risk_figures import (
    describe_risk_histogram,
    plot_cumulative_risk,
    plot_risk_histogram,
)
from breastcls.intervals.score_values import Score

BINS = pd.DataFrame(
    {"probability": [0.1, 0.5, 0.9], "frequency": [0.0, 0.6, 1.0], "low": [np.nan, 0.4, 0.8], "high": [np.nan, 0.7, 1]}
)
ERROR = Score(0.05, 0.02, 0.1)


@pytest.fixture(scope="module")
def found(whole):
    return whole(threshold=0.4)


def line(axes, label):
    return next(item for item in axes.get_lines() if item.get_label() == label)


def test_the_reliability_diagram_has_a_point_per_bin_and_an_interval_where_it_is_known():
    axes = plot_reliability(BINS, positive="malignant", error=ERROR).axes[0]
    drawn = line(axes, "model")
    np.testing.assert_allclose(drawn.get_xdata(), BINS["probability"])
    np.testing.assert_allclose(drawn.get_ydata(), BINS["frequency"])
    (intervals,) = axes.collections
    assert [segment.tolist() for segment in intervals.get_segments()] == [
        [[0.5, 0.4], [0.5, 0.7]],
        [[0.9, 0.8], [0.9, 1.0]],
    ]
    assert axes.get_xlabel() == "Predicted probability of malignant"
    assert axes.get_ylabel() == "Observed frequency of malignant"
    assert axes.texts[0].get_text() == "ECE 0.050\n(0.020 to 0.100)"


def test_with_more_classes_it_is_about_the_predicted_class():
    axes = plot_reliability(BINS).axes[0]
    assert axes.get_xlabel() == "Probability of the predicted class"
    assert axes.get_ylabel() == "Observed accuracy"


def test_the_reliability_diagram_in_words():
    words = describe_reliability(BINS, error=ERROR, confidence=0.95, unit="case")
    assert words.alt.startswith(
        "Reliability diagram of 3 bins. Expected calibration error 0.050, 95% CI 0.020 to 0.100. "
        "Predicted 0.10, observed 0.00."
    )
    assert "about as many cases" in words.caption


def test_bars_are_as_high_as_the_shares(found):
    table = found.risk_histogram
    axes = plot_risk_histogram(table, positive="malignant", threshold=0.4).axes[0]
    for bars, (name, rows) in zip(axes.containers, table.groupby("group", sort=False), strict=True):
        assert bars.get_label() == name
        np.testing.assert_allclose([bar.get_height() for bar in bars], rows["share"])
        assert min(bar.get_x() for bar in bars) >= 0
        assert max(bar.get_x() + bar.get_width() for bar in bars) <= 1 + 1e-9
    assert axes.get_ylim()[1] >= table["share"].max()
    assert line(axes, "threshold 0.40").get_xdata()[0] == 0.4


def test_the_cumulative_curves_run_from_zero_to_one_and_the_threshold_is_marked(found):
    axes = plot_cumulative_risk(found.risk_histogram, positive="malignant", threshold=0.4).axes[0]
    assert [item.get_label() for item in axes.get_lines()] == ["benign", "malignant", "threshold 0.40"]
    for name in ("benign", "malignant"):
        points = line(axes, name).get_xydata()
        np.testing.assert_allclose(points[[0, -1]], [[0, 0], [1, 1]])
    assert len(axes.collections) == 2, "the bands"


def test_a_threshold_outside_the_axis_is_not_drawn(found):
    axes = plot_cumulative_risk(found.risk_histogram, positive="malignant", threshold=1.5).axes[0]
    assert [item.get_label() for item in axes.get_lines()] == ["benign", "malignant"]


def test_the_distribution_in_words(found):
    table = pd.DataFrame(
        {"group": ["a", "a", "b", "b"], "lower": [0, 0.5] * 2, "upper": [0.5, 1] * 2, "share": [0.9, 0.1, 0.25, 0.75]}
    )
    spread = "a: 90% below 0.5, 10% from 0.5 on. b: 25% below 0.5, 75% from 0.5 on."
    assert describe_risk_histogram(table, positive="b").alt == f"Histogram of the predicted probability. {spread}"
    assert "class " not in describe_risk_histogram(table, positive=None).caption.replace("predicted class ", "")


def test_the_decision_curve_shows_the_model_and_both_simple_rules(found):
    table = found.decision_curve
    axes = plot_decision_curve(table, positive="malignant").axes[0]
    np.testing.assert_allclose(axes.get_lines()[0].get_xdata(), table.index)
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), table["model"])
    assert [item.get_label() for item in axes.get_lines()] == [
        "model, 95% band",
        "all predicted malignant",
        "none predicted malignant",
    ]
    low, high = axes.get_ylim()
    assert high > table[["model", "all", "high"]].max().max()
    assert -0.3 < low < 0


def test_where_the_model_is_of_use_in_words(found):
    table = found.decision_curve
    useful = table.query("model > all and model > 0").index
    words = describe_decision_curve(table, positive="malignant", confidence=0.95)
    assert f"from {useful.min():.2f} to {useful.max():.2f}" in words.alt
    useless = table.assign(model=-0.1, low=-0.2, high=0.0)
    assert "at none" in describe_decision_curve(useless, positive="malignant", confidence=0.95).alt
