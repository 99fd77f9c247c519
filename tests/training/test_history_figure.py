import pandas as pd
import pytest

from breastcls.errors import TrainingError
from breastcls.training.history_figure import plot_history


@pytest.fixture
def history():
    return pd.DataFrame(
        {
            "epoch": [1, 2, 3, 1, 2],
            "phase": ["head", "head", "head", "fine-tune", "fine-tune"],
            "loss": [0.9, 0.7, 0.6, 0.5, 0.4],
            "val_loss": [0.95, 0.8, 0.75, 0.7, 0.72],
            "accuracy": [0.5, 0.6, 0.65, 0.7, 0.8],
            "learning_rate": [1e-3] * 5,
            "seconds": [3.0] * 5,
        }
    )


def test_each_metric_has_a_panel_with_its_validation(history):
    figure = plot_history(history)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Loss", "Accuracy"]
    lines = {item.get_label(): item for item in figure.axes[0].get_lines()}
    assert lines["training"].get_ydata().tolist() == history["loss"].tolist()
    assert lines["validation"].get_ydata().tolist() == history["val_loss"].tolist()
    assert "validation" not in {item.get_label() for item in figure.axes[1].get_lines()}


def test_epochs_that_each_phase_counts_from_one_are_numbered_on(history):
    axes = plot_history(history).axes[0]
    assert axes.get_lines()[0].get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert [text.get_text() for text in axes.texts] == ["head", "fine-tune"]


def test_a_history_without_phases_has_no_names_of_phases(history):
    axes = plot_history(history.drop(columns="phase").head(3)).axes[0]
    assert [text.get_text() for text in axes.texts] == []


@pytest.mark.parametrize("table", [pd.DataFrame({"loss": []}), pd.DataFrame({"epoch": [1], "note": ["x"]})])
def test_nothing_to_draw_is_an_error(table):
    with pytest.raises(TrainingError, match="expected at least one epoch and one metric"):
        plot_history(table)


def test_a_metric_of_validation_alone_has_its_panel(history):
    figure = plot_history(history.assign(val_roc_auc=0.9, val_case_balanced_accuracy=0.8))
    assert figure.axes[3].get_title(loc="left") == "Balanced accuracy over cases"
    panel = figure.axes[2]
    assert panel.get_title(loc="left") == "Area under the ROC curve"
    assert panel.get_lines()[0].get_ydata().tolist() == [0.9] * 5


ROW = {"epoch": 1, "phase": "head", "loss": 0.31, "accuracy": 0.9, "val_loss": 0.4, "learning_rate": None}
SCORES = [{"c": c, "log_loss": 0.5, "standard_error": 0.1} for c in (0.001, 0.01, 0.1)]


@pytest.mark.parametrize(
    ("exact_head", "titles", "text"),
    [
        (None, ["Values after one epoch"], "had one epoch"),
        ({"c": 0.01, "folds": 0, "scores": []}, ["Values with the fitted head"], "too few cases to choose C; 0.01"),
        ({"c": 0.01, "folds": 5, "scores": SCORES}, ["Penalty of the head", "Values with the fitted head"], "one step"),
    ],
)
def test_a_single_epoch_is_a_table_and_an_exact_head_has_the_penalties(exact_head, titles, text):
    figure = plot_history(pd.DataFrame([ROW]), exact_head)
    assert [axes.get_title(loc="left") for axes in figure.axes] == titles
    values = figure.axes[-1]
    cells = {place: cell.get_text().get_text() for place, cell in values.tables[0].get_celld().items()}
    assert [cells[1, column] for column in range(3)] == ["Loss", "0.310", "0.400"]
    assert [cells[2, column] for column in range(3)] == ["Accuracy", "0.900", "–"]
    assert text in " ".join(values.texts[0].get_text().split())
    if len(titles) == 2:
        means, chosen = figure.axes[0].get_lines()[0], figure.axes[0].get_lines()[-1]
        assert means.get_xdata().tolist() == [0.001, 0.01, 0.1]
        assert set(chosen.get_xdata()) == {0.01}


def test_fine_tuning_after_an_exact_head_has_its_curves():
    rows = [ROW, {**ROW, "epoch": 2, "phase": "fine-tune"}, {**ROW, "epoch": 3, "phase": "fine-tune"}]
    figure = plot_history(pd.DataFrame(rows), {"c": 0.01, "folds": 5, "scores": SCORES})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Penalty of the head", "Loss", "Accuracy"]
    assert figure.axes[1].get_lines()[0].get_xdata().tolist() == [1, 2, 3]
