import numpy as np
import pandas as pd
import pytest

from breastcls.evaluation.report.fixed_parts import reading_part
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.predictions import Predictions

BREAKHIS = ("A", "F", "PT", "TA", "DC", "LC", "MC", "PC")


def table_of(section, evaluation):
    """Return the table that the report shows of a section."""
    (table,) = (
        block for block in SECTIONS[section].report(evaluation.value_of(section), evaluation) if block.macro == "table"
    )
    return table


def test_every_metric_is_a_row_sorted_by_its_number(evaluate):
    evaluation = evaluate()
    table = table_of("metrics", evaluation)
    values = [float(row[1].value) for row in table.rows]
    assert values == evaluation.metrics["value"].tolist()
    assert [row[1].detail.split()[0] for row in table.rows] == [f"{low:.3f}" for low in evaluation.metrics["low"]]


def test_one_metric_under_two_names_is_one_row(evaluate):
    metrics = evaluate().metrics
    both = pd.concat([metrics, metrics.loc[["accuracy"]].rename(index={"accuracy": "image_recognition_rate"})])
    names = [row[0].text for row in table_of("metrics", evaluate(metrics=both)).rows]
    assert len(names) == len(metrics)
    assert "Accuracy (image recognition rate)" in names


@pytest.mark.parametrize(("classes", "end"), [(("benign", "malignant"), "0 to 1"), (BREAKHIS, "0 to 2")])
def test_the_scale_of_the_brier_score_ends_where_the_worst_model_is(evaluate, classes, end):
    """Certain of a wrong class, everywhere: 1 with two classes, 2 with more."""
    labels = np.arange(16) % len(classes)
    wrong = Predictions.from_arrays(
        probabilities=np.eye(len(classes))[(labels + 1) % len(classes)], labels=labels, classes=classes
    )
    assert float(end.split()[-1]) == compute_metrics(wrong)["brier"]
    (terms,) = reading_part(evaluate(classes)).blocks
    shown = dict(terms.pairs)
    assert shown["Brier score"].endswith(f"Scale: {end}.")
    assert shown["Log loss"].endswith("Scale: no upper end.")
    assert "Scale" not in shown["Accuracy"]


def test_undefined_values_are_named_and_sorted_last(evaluate):
    metrics = evaluate().metrics.copy()
    metrics.loc["roc_auc"] = np.nan
    row = next(row for row in table_of("metrics", evaluate(metrics=metrics)).rows if "ROC" in row[0].text)
    assert [(cell.text, cell.value, cell.undefined) for cell in row[1:2]] == [("not defined", "", True)]


def test_a_missing_interval_is_named(evaluate):
    baseline = evaluate().colour_baseline.copy()
    baseline[["low", "high"]] = np.nan
    table = table_of("colour_baseline", evaluate(colour_baseline=baseline))
    assert {row[2].detail for row in table.rows} == {"CI not estimable"}


def test_the_difference_from_the_baseline_is_shown_where_it_is_known(evaluate):
    assert [column.title for column in table_of("colour_baseline", evaluate()).columns] == [
        "Metric",
        "Model",
        "Colour-only baseline",
    ]
    difference = evaluate().metrics * 0 + 0.11
    table = table_of("colour_baseline", evaluate(colour_difference=difference))
    assert [column.title for column in table.columns] == ["Metric", "Model", "Colour-only baseline", "Difference"]
    assert {row[3].text for row in table.rows} == {"0.110"}
    assert {len(row) for row in table.rows} == {4}
    assert "paired" in table.caption


def test_classes_keep_their_order_with_their_counts(evaluate):
    evaluation = evaluate()
    table = table_of("per_class", evaluation)
    assert [row[0].text for row in table.rows] == ["benign", "malignant"]
    assert [row[1].text for row in table.rows] == [str(count) for count in evaluation.per_class["images"]]


def test_subtypes_are_named_and_metrics_that_none_has_are_left_out(evaluate):
    table = table_of("by_subtype", evaluate())
    assert table.rows[0][0].text == "A, adenosis"
    assert "ROC AUC" not in [column.title for column in table.columns]
    assert "ROC AUC" in [column.title for column in table_of("by_magnification", evaluate()).columns]
