"""ROC and precision–recall curves: what is drawn is what the tables hold; each test reads it back from the axes."""

import numpy as np
import pandas as pd
import pytest

from breastcls.evaluation.figures.curves import MOST_POINTS, operating_point, read_curves
from breastcls.evaluation.figures.precision_recall_figure import describe_precision_recall, plot_precision_recall
from breastcls.evaluation.figures.roc_figure import describe_roc, plot_roc

NAN = float("nan")
CLASSES = ["benign", "malignant"]


def counts(rows, classes=CLASSES):
    return pd.DataFrame(rows, index=classes, columns=classes)


CONFUSION = counts([[70, 30], [10, 40]])
ROC = pd.DataFrame({"fpr": [0, 0.5, 1], "tpr": [0, 0.8, 1], "low": [NAN, 0.6, 0.9], "high": [NAN, 0.9, 1]})
PRECISION_RECALL = pd.DataFrame({"recall": [0, 0.5, 1], "precision": [1, 0.8, 0.3], "low": NAN, "high": NAN})
METRICS = pd.DataFrame(
    {"value": [0.9, 0.7], "low": [0.8, NAN], "high": [0.95, NAN]}, index=["roc_auc", "average_precision"]
)


def line(figure, label):
    return next(item for item in figure.axes[0].get_lines() if item.get_label() == label)


def labels(figure):
    return [item.get_label() for item in figure.axes[0].get_lines()]


def test_the_roc_curve_is_that_of_the_table():
    drawn = line(plot_roc(ROC, confusion=CONFUSION), "malignant")
    np.testing.assert_allclose(drawn.get_xdata(), ROC["fpr"])
    np.testing.assert_allclose(drawn.get_ydata(), ROC["tpr"])


def test_the_band_is_drawn_where_both_edges_are_known():
    (band,) = plot_roc(ROC, confusion=CONFUSION).axes[0].collections
    drawn = {tuple(point) for point in band.get_paths()[0].vertices.round(6).tolist()}
    assert drawn == {(0.5, 0.6), (1, 0.9), (1, 1), (0.5, 0.9)}
    without = ROC.assign(low=NAN, high=NAN)
    assert not plot_roc(without, confusion=CONFUSION).axes[0].collections


def test_the_operating_point_is_that_of_the_confusion_matrix():
    assert operating_point(CONFUSION) == (0.3, 0.8, 40 / 70)
    assert operating_point(counts(np.eye(3), ["A", "F", "PT"])) is None
    point = line(plot_roc(ROC, confusion=CONFUSION), "operating point")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (0.3, 0.8)
    point = line(plot_precision_recall(PRECISION_RECALL, confusion=CONFUSION), "operating point")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (0.8, 40 / 70)


def test_a_point_that_is_not_defined_is_not_drawn():
    never = counts([[100, 0], [50, 0]])
    assert "operating point" in labels(plot_roc(ROC, confusion=never))
    assert "operating point" not in labels(plot_precision_recall(PRECISION_RECALL, confusion=never))


def test_chance_in_precision_recall_is_the_share_of_the_class():
    figure = plot_precision_recall(PRECISION_RECALL, confusion=CONFUSION)
    assert set(line(figure, "chance").get_ydata()) == {50 / 150}


def test_one_curve_per_class_for_more_than_two():
    names = ["A", "F", "PT"]
    roc = pd.concat([ROC.assign(**{"class": name}) for name in reversed(names)])
    curve = pd.concat([PRECISION_RECALL.assign(**{"class": name}) for name in reversed(names)])
    confusion = counts(np.eye(3), names)
    assert labels(plot_roc(roc, confusion=confusion, metrics=METRICS)) == ["chance", *names]
    assert labels(plot_precision_recall(curve, confusion=confusion, metrics=METRICS)) == names
    words = describe_roc(roc, confusion=confusion, metrics=METRICS, confidence=0.95)
    assert words.alt.startswith("ROC curve of 3 classes. Area under the ROC curve: 0.900, 95% CI 0.800 to 0.950.")
    assert words.caption == "Each class against the rest, at every threshold."


def test_long_curves_are_thinned_but_keep_their_ends():
    steps = np.linspace(0, 1, 50_000)
    roc = pd.DataFrame({"threshold": steps[::-1], "fpr": steps, "tpr": np.sqrt(steps), "low": NAN, "high": NAN})
    (curve,) = read_curves(roc, CLASSES, "fpr", "tpr")
    assert len(curve.x) == MOST_POINTS
    assert (curve.x[0], curve.x[-1]) == (0.0, 1.0)
    assert not curve.has_band


def test_an_empty_curve_leaves_a_figure_without_one():
    empty = pd.DataFrame({"threshold": [], "fpr": [], "tpr": [], "low": [], "high": []})
    assert labels(plot_roc(empty, confusion=CONFUSION)) == ["chance", "operating point"]


def test_the_metric_is_written_into_the_figure_of_two_classes():
    (text,) = plot_roc(ROC, confusion=CONFUSION, metrics=METRICS).axes[0].texts
    assert text.get_text() == "ROC AUC 0.900\n(0.800 to 0.950)"
    (text,) = plot_precision_recall(PRECISION_RECALL, confusion=CONFUSION, metrics=METRICS).axes[0].texts
    assert text.get_text() == "Average precision 0.700\n(not estimable)"


def test_curves_are_described_in_words():
    words = describe_roc(ROC, confusion=CONFUSION, metrics=METRICS, confidence=0.9)
    assert words.alt == (
        "ROC curve of the class malignant. Area under the ROC curve: 0.900, 90% CI 0.800 to 0.950. The operating point "
        "has a sensitivity of 0.800 at a false positive rate of 0.300."
    )
    assert words.caption.endswith("The band is the 90% confidence band over cases.")
    words = describe_precision_recall(PRECISION_RECALL, confusion=CONFUSION, metrics=METRICS[:0], confidence=0.95)
    assert words.alt == (
        "Precision–recall curve of the class malignant. Chance reaches a precision of 0.333. The operating point has a "
        "precision of 0.571 at a recall of 0.800."
    )
    assert "band" not in words.caption


@pytest.mark.parametrize("draw", [plot_roc, plot_precision_recall])
def test_a_figure_is_drawn_into_axes_that_are_given(draw):
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    table = ROC if draw is plot_roc else PRECISION_RECALL
    assert draw(table, confusion=CONFUSION, axes=axes) is axes.figure
