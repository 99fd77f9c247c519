import numpy as np
import pandas as pd
import pytest

from breastcls.comparison.comparison import Comparison
from breastcls.comparison.comparison_tables import comparison_table, format_p
from breastcls.errors import EvaluationError
from breastcls.intervals.table_export import to_latex, to_markdown


@pytest.fixture
def comparison():
    metrics = pd.DataFrame(
        {"my_net": [0.9, np.nan], "other": [0.8, np.nan]},
        index=pd.Index(["roc_auc", "patient_recognition_rate"], name="metric"),
    )
    pair = pd.MultiIndex.from_tuples([("my_net", "other", "roc_auc")], names=["first", "second", "metric"])
    differences = pd.DataFrame(
        {"difference": 0.1, "low": 0.02, "high": 0.17, "p": 0.00002, "p_holm": 0.041}, index=pair
    )
    tests = pd.DataFrame(
        {"delong_p": 0.03, "delong_p_holm": 0.06, "mcnemar_p": np.nan, "mcnemar_p_holm": np.nan},
        index=pair.droplevel("metric"),
    )
    return Comparison(metrics, differences, tests, ("a verdict",), {}, {})


def cells(text):
    lines = [line for line in text.splitlines() if not line.startswith("| :")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_model_a_row_and_no_metric_that_none_has(comparison):
    assert cells(to_markdown(comparison_table(comparison.tables, "metrics"), digits=2)) == [
        ["Model", "ROC AUC"],
        ["my_net", "0.90"],
        ["other", "0.80"],
    ]


def test_differences_with_their_interval_in_one_cell(comparison):
    head, row = cells(to_markdown(comparison_table(comparison.tables, "differences")))
    assert head == ["First", "Second", "Metric", "Difference", "P", "P (Holm)"]
    assert row == ["my_net", "other", "Area under the ROC curve", "0.100 (0.020 to 0.170)", "<0.001", "0.041"]
    assert comparison.differences["p"].item() == 0.00002, "the comparison stays as it is"


def test_tests_that_are_not_defined_say_so(comparison):
    head, row = cells(to_markdown(comparison_table(comparison.tables, "tests")))
    assert head[2:] == ["DeLong p", "DeLong p (Holm)", "McNemar p", "McNemar p (Holm)"]
    assert row[2:] == ["0.030", "0.060", "not defined", "not defined"]
    assert "my\\_net & other & 0.030" in to_latex(comparison_table(comparison.tables, "tests"))


def test_there_is_no_other_table(comparison):
    with pytest.raises(EvaluationError, match="its tables: metrics, differences, tests"):
        comparison_table(comparison.tables, "verdicts")


def test_p_values_are_never_written_as_zero():
    assert [format_p(0.0004, digits) for digits in (2, 3, 4)] == ["<0.01", "<0.001", "0.0004"]
    assert format_p(1.0) == "1.000"
