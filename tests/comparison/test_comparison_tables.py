import numpy as np
import pandas as pd
import pytest

from breastcls.comparison.comparison import Comparison
from breastcls.comparison.comparison_tables import comparison_rows, format_p
from breastcls.errors import EvaluationError


@pytest.fixture
def comparison():
    metrics = pd.DataFrame(
        {"my_net": [0.9, np.nan], "other": [0.8, np.nan]},
        index=pd.Index(["roc_auc", "patient_recognition_rate"], name="metric"),
    )
    pair = pd.MultiIndex.from_tuples([("my_net", "other", "roc_auc")], names=["first", "second", "metric"])
    differences = pd.DataFrame(
        {
            "difference": 0.1,
            "low": 0.02,
            "high": 0.17,
            "p": 0.00002,
            "low_adjusted": 0.02,
            "high_adjusted": 0.17,
            "p_holm": 0.041,
        },
        index=pair,
    )
    values = metrics.T.rename_axis(index="model").stack(future_stack=True).rename("value")
    scores = values.to_frame().assign(low=[0.8, np.nan, np.nan, np.nan], high=[0.95, np.nan, np.nan, np.nan])
    tests = pd.DataFrame(
        {"delong_p": 0.03, "delong_p_holm": 0.06, "mcnemar_p": np.nan, "mcnemar_p_holm": np.nan},
        index=pair.droplevel("metric"),
    )
    return Comparison(metrics, scores, differences, tests, ("a verdict",), {}, {})


def test_a_model_a_row_and_no_metric_that_none_has(comparison):
    assert comparison_rows(comparison.tables, "metrics", digits=2) == [
        ["Model (95% CI)", "ROC AUC"],
        ["my_net", "0.90 (0.80–0.95)"],
        ["other", "0.80 (CI not estimable)"],
    ]


def test_differences_with_their_interval_in_one_cell(comparison):
    head, row = comparison_rows(comparison.tables, "differences", confidence=0.9)
    assert head == ["First", "Second", "Metric", "Difference (90% CI)", "p"]
    assert row == ["my_net", "other", "Area under the ROC curve", "0.100 (0.020–0.170)", "<0.001"]


def test_several_pairs_have_interval_and_p_of_one_correction(comparison):
    more = comparison.differences.rename(index={"other": "third"}).assign(low_adjusted=-0.01)
    tables = {**comparison.tables, "differences": pd.concat([comparison.differences, more])}
    head, _, row = comparison_rows(tables, "differences")
    assert head[5:] == ["95% CI (Holm)", "p (Holm)"]
    assert row[5:] == ["−0.010 to 0.170", "0.041"]


def test_tests_that_are_not_defined_say_so(comparison):
    head, row = comparison_rows(comparison.tables, "tests")
    assert head[2:] == ["DeLong p", "DeLong p (Holm)", "McNemar p", "McNemar p (Holm)"]
    assert row[2:] == ["0.030", "0.060", "not defined", "not defined"]
    assert "my\\_net & other & 0.030" in comparison.to_latex(table="tests")


def test_there_is_no_other_table(comparison):
    with pytest.raises(EvaluationError, match="its tables: metrics, differences, tests"):
        comparison.to_markdown(table="verdicts")


def test_p_values_are_never_written_as_zero():
    assert [format_p(0.0004, digits) for digits in (2, 3, 4)] == ["<0.01", "<0.001", "0.0004"]
    assert format_p(1.0) == "1.000"
