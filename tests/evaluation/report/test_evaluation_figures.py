"""What is drawn is what the tables hold; each test reads it back from the axes."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.evaluation.report import evaluation_figures as plots
from breastcls.evaluation.report.curve_figures import MOST_POINTS, operating_point, read_roc

EIGHT = ("A", "F", "PT", "TA", "DC", "LC", "MC", "PC")


def counts(rows):
    return pd.DataFrame(rows, index=["benign", "malignant"], columns=["benign", "malignant"])


def line(figure, label):
    return next(item for item in figure.axes[0].get_lines() if item.get_label() == label)


def test_the_roc_curve_is_that_of_the_table(evaluate):
    evaluation = evaluate()
    drawn = line(plots.plot_roc(evaluation), "malignant")
    np.testing.assert_allclose(drawn.get_xdata(), evaluation.roc["fpr"])
    np.testing.assert_allclose(drawn.get_ydata(), evaluation.roc["tpr"])


def test_the_point_of_the_decisions_is_that_of_the_confusion_matrix(evaluate):
    evaluation = evaluate(confusion=counts([[70, 30], [10, 40]]))
    assert operating_point(evaluation) == (0.3, 0.8, 40 / 70)
    point = line(plots.plot_roc(evaluation), "decisions")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (0.3, 0.8)
    point = line(plots.plot_precision_recall(evaluation), "decisions")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (0.8, 40 / 70)


def test_chance_in_precision_recall_is_the_share_of_the_class(evaluate):
    evaluation = evaluate(confusion=counts([[70, 30], [10, 40]]))
    assert set(line(plots.plot_precision_recall(evaluation), "chance").get_ydata()) == {50 / 150}


def test_one_curve_a_class_beyond_two(evaluate):
    evaluation = evaluate(EIGHT)
    for figure in (plots.plot_roc(evaluation), plots.plot_precision_recall(evaluation)):
        labels = [item.get_label() for item in figure.axes[0].get_lines()]
        assert [label for label in labels if label != "chance"] == list(EIGHT)


def test_long_curves_are_thinned_but_keep_their_ends(evaluate):
    steps = np.linspace(0, 1, 50_000)
    roc = pd.DataFrame({"threshold": steps[::-1], "fpr": steps, "tpr": np.sqrt(steps), "low": np.nan, "high": np.nan})
    (curve,) = read_roc(evaluate(roc=roc))
    assert len(curve.x) == MOST_POINTS
    assert (curve.x[0], curve.x[-1]) == (0.0, 1.0)
    assert not curve.has_band


def test_the_confusion_matrix_shows_every_count(evaluate):
    evaluation = evaluate()
    texts = [text.get_text().split("\n")[0] for text in plots.plot_confusion(evaluation).axes[0].texts]
    assert texts == [f"{count}" for count in evaluation.confusion.to_numpy().ravel()]


def test_a_class_without_images_leaves_the_matrix_standing(evaluate):
    figure = plots.plot_confusion(evaluate(confusion=counts([[0, 0], [3, 9]])))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0\n–", "0\n–", "3\n25%", "9\n75%"]


def test_scores_are_drawn_with_their_intervals_and_losses_are_not(evaluate):
    evaluation = evaluate(colour_baseline=None)
    axes = plots.plot_metrics(evaluation).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert "ROC AUC" in names
    assert "Brier" not in names
    drawn = [(item.get_xdata()[0], item.get_xdata()[-1]) for item in axes.get_lines() if len(item.get_xdata()) == 2]
    row = evaluation.metrics.loc["balanced_accuracy"]
    assert drawn[0] == pytest.approx((row["low"], row["high"]))


def test_undefined_scores_are_said_to_be_so(evaluate):
    metrics = pd.DataFrame(
        {"value": [np.nan, 0.7], "low": [np.nan, np.nan], "high": [np.nan, np.nan]},
        index=["roc_auc", "accuracy"],
    )
    figure = plots.plot_metrics(evaluate(metrics=metrics, colour_baseline=None))
    assert [text.get_text() for text in figure.axes[0].texts] == ["not defined", "0.700"]


def test_no_score_at_all_is_an_error(evaluate):
    with pytest.raises(EvaluationError, match="No score to draw among"):
        plots.plot_metrics(
            evaluate(metrics=pd.DataFrame({"value": [1.0], "low": [0.5], "high": [2.0]}, index=["log_loss"]))
        )


@pytest.mark.parametrize("classes", [("benign", "malignant"), EIGHT])
def test_the_whole_figure_has_four_panels(evaluate, classes):
    figure = plots.plot_evaluation(evaluate(classes))
    assert isinstance(figure, Figure)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["ROC curve", "Precision–recall curve", "Confusion matrix", "Scores"]


def test_plots_leave_the_settings_and_figures_of_pyplot_alone():
    code = (
        "import sys, matplotlib; before = dict(matplotlib.rcParams)\n"
        "import breastcls.evaluation.report.evaluation_figures\n"
        "assert dict(matplotlib.rcParams) == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_reliability_diagram_shows_its_bins(whole):
    found = whole()
    axes = plots.plot_reliability(found).axes[0]
    line = next(line for line in axes.get_lines() if line.get_label() == "found")
    np.testing.assert_allclose(line.get_xdata(), found.calibration.equal_mass["probability"])
    np.testing.assert_allclose(line.get_ydata(), found.calibration.equal_mass["frequency"])


def test_cumulative_risk_has_one_curve_a_class_and_the_threshold(whole):
    axes = plots.plot_risk_histogram(whole(threshold=0.4)).axes[0]
    assert [line.get_label() for line in axes.get_lines()] == ["benign", "malignant", "threshold"]
    assert axes.get_lines()[2].get_xdata()[0] == 0.4


def test_the_decision_curve_shows_the_model_and_both_simple_ways(whole):
    found = whole()
    axes = plots.plot_decision_curve(found).axes[0]
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), found.decision_curve["model"])
    assert [line.get_label() for line in axes.get_lines()][1:] == ["call all malignant", "call none"]


def test_scores_against_strength_are_those_attached(whole):
    found = whole()
    figure = plots.draw_figure(found, "robustness")
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(found.robustness["perturbation"].unique())
    table = found.robustness[(found.robustness["perturbation"] == "stain") & (found.robustness["metric"] == "roc_auc")]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), table["value"])
    assert plots.plot_robustness(found, "balanced_accuracy").axes[0].get_ylabel() == "Balanced accuracy"
    with pytest.raises(EvaluationError, match="'f1' was not measured"):
        plots.plot_robustness(found, "f1")


def test_what_an_evaluation_lacks_cannot_be_drawn(evaluate):
    for name in ("reliability", "risk-histogram", "decision-curve", "risk-coverage", "robustness"):
        with pytest.raises(EvaluationError, match="This evaluation holds no"):
            plots.draw_figure(evaluate(), name)


@pytest.mark.parametrize("name", plots.FIGURES)
@pytest.mark.parametrize("classes", [("benign", "malignant"), EIGHT])
def test_every_figure_is_drawn(whole, name, classes):
    if len(classes) == 2:
        found = whole(classes)
    else:
        with pytest.warns(EvaluationWarning, match="only 3 cases"):
            found = whole(classes)
    if found.decision_curve is None and name == "decision-curve":
        return
    assert plots.draw_figure(found, name).axes
