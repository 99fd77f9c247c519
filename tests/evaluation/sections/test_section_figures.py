"""Every figure of a section, for papers and in the report, with its words."""

import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.evaluation.report.section_parts import section_parts
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.evaluation.sections.robustness_section import perturbation_figures

EIGHT = ("A", "F", "PT", "TA", "DC", "LC", "MC", "PC")
FIGURES = {figure.name: (section.name, figure) for section in SECTIONS.values() for figure in section.figures}
DESCRIBED = [name for name, (_, figure) in FIGURES.items() if figure.describe]


@pytest.fixture(scope="module")
def two(whole):
    return whole(threshold=0.4)


@pytest.fixture(scope="module")
def eight(whole):
    with pytest.warns(EvaluationWarning, match="8 of 8 classes have fewer than 5 cases"):
        return whole(EIGHT)


def line(axes, label):
    return next(item for item in axes.get_lines() if item.get_label() == label)


def fragments(evaluation):
    """Return the figures of the report as HTML."""
    blocks = [block for part in section_parts(evaluation) for block in part.blocks]
    rows = [block.figures for block in blocks if block.macro == "figure_row"]
    return [str(figure) for row in rows for figure in row] + [
        str(block.figure) for block in blocks if block.macro == "beside"
    ]


@pytest.mark.parametrize("classes", [("benign", "malignant"), EIGHT])
def test_the_whole_figure_has_four_panels(evaluate, classes):
    figure = evaluate(classes).plot()
    assert isinstance(figure, Figure)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["ROC curve", "Precision–recall curve", "Confusion matrix", "Metrics"]


def test_figures_leave_the_settings_and_figures_of_pyplot_alone():
    code = (
        "import sys, matplotlib; before = dict(matplotlib.rcParams)\n"
        "import breastcls.evaluation.figures.overview_figure, breastcls.evaluation.report.section_parts\n"
        "assert dict(matplotlib.rcParams) == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_curves_and_point_are_those_of_the_evaluation(two):
    axes = two.plot(figure="roc").axes[0]
    np.testing.assert_allclose(line(axes, "malignant").get_xdata(), two.roc["fpr"])
    row = two.confusion.to_numpy()
    assert line(axes, "operating point").get_ydata()[0] == pytest.approx(row[1, 1] / row[1].sum())


def test_the_reliability_diagram_has_the_bins_of_the_calibration(two):
    drawn = line(two.plot(figure="reliability").axes[0], "model")
    np.testing.assert_allclose(drawn.get_xdata(), two.calibration.equal_mass["probability"])
    np.testing.assert_allclose(drawn.get_ydata(), two.calibration.equal_mass["frequency"])


def test_the_threshold_is_that_of_the_predictions(two):
    for name in ("risk-histogram", "cumulative-risk"):
        assert line(two.plot(figure=name).axes[0], "threshold 0.40").get_xdata()[0] == 0.4


def test_values_against_strength_are_those_attached(two):
    figure = two.plot(figure="robustness")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Stain", "Blur", "Jpeg", "Brightness"]
    table = two.robustness[(two.robustness["perturbation"] == "stain") & (two.robustness["metric"] == "roc_auc")]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), table["value"])


def test_an_evaluation_without_a_section_has_no_figure_of_it(evaluate):
    bare = evaluate()
    for name in ("reliability", "risk-histogram", "cumulative-risk", "decision-curve", "risk-coverage", "robustness"):
        with pytest.raises(EvaluationError, match=r"does not have the section '\w+'"):
            bare.plot(figure=name)
    assert len(fragments(bare)) == 3
    with pytest.raises(EvaluationError, match="no figure 'rok'; expected one of overview, metrics, roc"):
        bare.plot(figure="rok")


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("task", ["two", "eight"])
def test_every_figure_is_drawn(request, name, task):
    found = request.getfixturevalue(task)
    if found.decision_curve is None and name == "decision-curve":
        return
    assert found.plot(figure=name).axes


@pytest.mark.parametrize("task", ["two", "eight"])
def test_every_figure_of_the_report_has_words_and_a_value_in_them(request, task):
    found = request.getfixturevalue(task)
    shown = fragments(found)
    for name in DESCRIBED:
        if found.decision_curve is None and name == "decision-curve":
            continue
        section, figure = FIGURES[name]
        words = figure.describe(found.value_of(section), found)
        assert re.search(r"\d", words.alt)
        assert words.alt.endswith(".")
        assert words.caption.endswith(".")
        (fragment,) = [one for one in shown if f'id="{name}-' in one]
        assert str(words.caption) in fragment


def test_one_figure_per_perturbation_with_every_metric(two):
    drawn = perturbation_figures(two.robustness)
    assert len(drawn) == 4
    for fragment, name in zip(drawn, ("Stain", "Blur", "Jpeg", "Brightness"), strict=True):
        assert f">{name}</text>" in fragment
        assert ">Balanced accuracy</text>" in fragment
        assert ">ROC AUC</text>" in fragment
        assert "Balanced accuracy is 0.900 at 0 and 0.700 at 2." in fragment
