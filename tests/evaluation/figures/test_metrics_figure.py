import numpy as np
import pandas as pd
import pytest

from breastcls.errors import EvaluationError
from breastcls.evaluation.figures.metrics_figure import describe_metrics, plot_metrics

METRICS = pd.DataFrame(
    {"value": [0.8, 0.9, 0.1], "low": [0.7, np.nan, 0.05], "high": [0.85, np.nan, 0.2]},
    index=["balanced_accuracy", "roc_auc", "brier"],
)
BASELINE = METRICS.assign(value=[0.6, 0.7, 0.2], low=[0.5, 0.6, 0.1], high=[0.7, 0.8, 0.3])


def intervals(axes):
    return [(item.get_xdata()[0], item.get_xdata()[-1]) for item in axes.get_lines() if len(item.get_xdata()) == 2]


def test_metrics_are_drawn_with_their_intervals_and_losses_are_not():
    axes = plot_metrics(METRICS).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Balanced accuracy", "ROC AUC"]
    assert intervals(axes) == [(0.7, 0.85)]
    assert axes.get_legend() is None


def test_the_baseline_is_beside_the_model():
    axes = plot_metrics(METRICS, baseline=BASELINE, confidence=0.9).axes[0]
    assert intervals(axes) == [(0.7, 0.85), (0.5, 0.7), (0.6, 0.8)]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["model", "colour-only baseline"]
    assert axes.get_xlabel() == "Value and 90% CI over cases\n(open mark: CI not estimable)"


def test_metrics_of_other_ranges_do_not_stretch_the_axis():
    table = pd.DataFrame(
        {"value": [0.7, -0.1, 0.7, 1.9], "low": [0.6, -0.4, 0.6, 1.1], "high": [0.8, 0.2, 0.8, 2.9]},
        index=["accuracy", "mcc", "image_recognition_rate", "log_loss"],
    )
    axes = plot_metrics(table).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Accuracy"]
    assert axes.get_xlim() == (-0.02, 1.02)


def test_values_that_are_not_defined_are_named_so():
    table = pd.DataFrame({"value": [np.nan, 0.7], "low": np.nan, "high": np.nan}, index=["roc_auc", "accuracy"])
    assert [text.get_text() for text in plot_metrics(table).axes[0].texts] == ["not defined", "0.700"]


def test_no_metric_to_draw_is_an_error():
    with pytest.raises(EvaluationError, match=r"No metric to draw among \['brier'\]: expected one whose range"):
        plot_metrics(METRICS.loc[["brier"]])


def test_the_words_have_every_value():
    assert describe_metrics(METRICS, confidence=0.95).alt == (
        "Metrics of the model with 95% confidence intervals. Balanced accuracy 0.800 (0.700 to 0.850). "
        "Area under the ROC curve 0.900 (not estimable)."
    )
    words = describe_metrics(METRICS, baseline=BASELINE, confidence=0.95).alt
    assert "Balanced accuracy 0.800 (0.700 to 0.850), colour-only baseline 0.600." in words
