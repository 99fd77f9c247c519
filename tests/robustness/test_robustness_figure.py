import pandas as pd
import pytest

from breastcls.robustness.robustness_figure import plot_strengths


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
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["blur", "noise", "hue", "jpeg"]
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
