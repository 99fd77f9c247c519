"""Every figure by its name, for papers and in the report, with its words."""

import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.evaluation.figures import evaluation_figures as plots

EIGHT = ("A", "F", "PT", "TA", "DC", "LC", "MC", "PC")
DESCRIBED = [name for name, figure in plots.FIGURES.items() if figure.describe]


@pytest.fixture(scope="module")
def two(whole):
    return whole(threshold=0.4)


@pytest.fixture(scope="module")
def eight(whole):
    with pytest.warns(EvaluationWarning, match="only 3 cases"):
        return whole(EIGHT)


def line(axes, label):
    return next(item for item in axes.get_lines() if item.get_label() == label)


@pytest.mark.parametrize("classes", [("benign", "malignant"), EIGHT])
def test_the_whole_figure_has_four_panels(evaluate, classes):
    figure = plots.draw_figure(evaluate(classes), "overview")
    assert isinstance(figure, Figure)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["ROC curve", "Precision–recall curve", "Confusion matrix", "Metrics"]


def test_plots_leave_the_settings_and_figures_of_pyplot_alone():
    code = (
        "import sys, matplotlib; before = dict(matplotlib.rcParams)\n"
        "import breastcls.evaluation.figures.evaluation_figures\n"
        "assert dict(matplotlib.rcParams) == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_curves_and_point_are_those_of_the_evaluation(two):
    axes = plots.draw_figure(two, "roc").axes[0]
    np.testing.assert_allclose(line(axes, "malignant").get_xdata(), two.roc["fpr"])
    row = two.confusion.to_numpy()
    assert line(axes, "operating point").get_ydata()[0] == pytest.approx(row[1, 1] / row[1].sum())


def test_the_reliability_diagram_has_the_bins_of_the_calibration(two):
    drawn = line(plots.draw_figure(two, "reliability").axes[0], "model")
    np.testing.assert_allclose(drawn.get_xdata(), two.calibration.equal_mass["probability"])
    np.testing.assert_allclose(drawn.get_ydata(), two.calibration.equal_mass["frequency"])


def test_the_threshold_is_that_of_the_predictions(two):
    for name in ("risk-histogram", "cumulative-risk"):
        assert line(plots.draw_figure(two, name).axes[0], "threshold 0.40").get_xdata()[0] == 0.4


def test_values_against_strength_are_those_attached(two):
    figure = plots.draw_figure(two, "robustness")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Stain", "Blur", "Jpeg", "Brightness"]
    table = two.robustness[(two.robustness["perturbation"] == "stain") & (two.robustness["metric"] == "roc_auc")]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), table["value"])


def test_an_evaluation_without_a_section_has_no_figure_of_it(evaluate):
    for name in ("reliability", "risk-histogram", "cumulative-risk", "decision-curve", "risk-coverage", "robustness"):
        with pytest.raises(EvaluationError, match=r"This evaluation holds no `\w+`, which the figure"):
            plots.draw_figure(evaluate(), name)
        assert plots.figure_html(evaluate(), name) is None
    assert plots.perturbations_html(evaluate()) == []
    with pytest.raises(EvaluationError, match="no figure 'rok'; expected one of overview, roc"):
        plots.draw_figure(evaluate(), "rok")


@pytest.mark.parametrize("name", plots.FIGURES)
@pytest.mark.parametrize("task", ["two", "eight"])
def test_every_figure_is_drawn(request, name, task):
    found = request.getfixturevalue(task)
    if found.decision_curve is None and name == "decision-curve":
        return
    assert plots.draw_figure(found, name).axes


@pytest.mark.parametrize("name", DESCRIBED)
@pytest.mark.parametrize("task", ["two", "eight"])
def test_every_figure_of_the_report_has_words_and_a_value_in_them(request, name, task):
    found = request.getfixturevalue(task)
    if found.decision_curve is None and name == "decision-curve":
        return
    words = plots.FIGURES[name].describe(found)
    assert re.search(r"\d", words.alt)
    assert words.alt.endswith(".")
    assert words.caption.endswith(".")
    fragment = plots.figure_html(found, name)
    assert str(words.caption) in fragment
    assert f'id="{name}-' in fragment
    assert plots.figure_html(found, name) == fragment


def test_one_figure_a_perturbation_with_every_metric(two):
    fragments = plots.perturbations_html(two)
    assert len(fragments) == 4
    for fragment, name in zip(fragments, ("Stain", "Blur", "Jpeg", "Brightness"), strict=True):
        assert f">{name}</text>" in fragment
        assert ">Balanced accuracy</text>" in fragment
        assert ">ROC AUC</text>" in fragment
        assert "Balanced accuracy is 0.900 at 0 and 0.700 at 2." in fragment
