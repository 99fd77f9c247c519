import numpy as np
import pandas as pd
import pytest

from breastcls.robustness.robustness_figure import describe_perturbation, plot_perturbation, plot_strengths


@pytest.fixture
def table():
    rows = [
        {
            "perturbation": name,
            "strength": strength,
            "unit": "px, standard deviation",
            "metric": metric,
            "value": 0.9 - 0.1 * abs(strength) - shift,
            "low": 0.8 - 0.1 * abs(strength),
            "high": 0.95,
        }
        for name in ("blur", "noise", "hue", "jpeg")
        for strength in (1.0, 0.0, -1.0)
        for metric, shift in (("roc_auc", 0.0), ("f1", 0.05))
    ]
    return pd.DataFrame(rows)


def test_one_panel_a_perturbation_in_order_of_strength(table):
    figure = plot_strengths(table, "roc_auc")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Blur", "Noise", "Hue", "Jpeg"]
    for axes in figure.axes:
        curve, clean = axes.lines
        assert curve.get_xdata().tolist() == [-1, 0, 1]
        assert curve.get_ydata().tolist() == pytest.approx([0.8, 0.9, 0.8])
        assert set(clean.get_ydata()) == {0.9}
        assert len(axes.collections) == 1, "the band of the interval"
        assert axes.get_xlabel() == "px,\nstandard deviation"
    assert figure.axes[0].get_ylabel() == "ROC AUC"


def test_a_single_panel_has_room(table):
    figure = plot_strengths(table[table["perturbation"] == "hue"], "f1")
    assert len(figure.axes) == 1
    assert figure.get_size_inches()[0] > 4


def test_one_perturbation_with_every_metric(table):
    rows = table[table["perturbation"] == "blur"]
    axes = plot_perturbation(rows).axes[0]
    assert [line.get_label() for line in axes.lines] == ["ROC AUC", "F1"]
    assert axes.lines[1].get_ydata().tolist() == pytest.approx([0.75, 0.85, 0.75])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ROC AUC", "F1"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["−1", "0", "1"]
    assert describe_perturbation(rows) == (
        "Metrics against the strength of blur. ROC AUC is 0.800 at -1 and 0.800 at 1. F1 is 0.750 at -1 and 0.750 at 1."
    )


@pytest.mark.parametrize("strengths", [[1.0], list(np.linspace(0, 5, 12))])
def test_one_strength_and_many(table, strengths):
    rows = table[(table["perturbation"] == "blur") & (table["metric"] == "f1") & (table["strength"] == 1)]
    rows = rows.loc[rows.index.repeat(len(strengths))].assign(strength=strengths)
    axes = plot_perturbation(rows).axes[0]
    assert axes.lines[0].get_xdata().tolist() == strengths
    low, high = axes.get_xlim()
    assert 1 <= len([tick for tick in axes.get_xticks() if low <= tick <= high]) <= 8


def test_values_that_are_not_defined_are_left_out_of_the_line(table):
    rows = table[(table["perturbation"] == "blur") & (table["metric"] == "f1")].copy()
    rows.loc[rows["strength"] == 0, ["value", "low", "high"]] = np.nan
    assert plot_perturbation(rows).axes[0].lines[0].get_xdata().tolist() == [-1, 1]
