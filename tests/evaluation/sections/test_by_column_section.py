import json

import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.evaluation_schema import read_schema
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.join_predictions import join_predictions
from breastcls.predictions.predictions import Predictions

CENTRES = ("Lyon", "Oslo", "Bonn")


@pytest.fixture(scope="module")
def predictions():
    generator = np.random.default_rng(3)
    case = np.repeat(np.arange(60), 3)
    labels = case % 2
    return Predictions.from_arrays(
        probabilities=np.clip(0.4 * labels + 0.6 * generator.random(180), 0, 1),
        labels=labels,
        classes=("b", "m"),
        cases=[f"case {number}" for number in case],
        columns={
            "centre": np.array(CENTRES, dtype=object)[case // 2 % 3],
            "age": 30 + case,
            "grade": [None if number == 0 else number % 4 for number in case],
            "scanner": np.tile(["one", "two", "one"], 60),
        },
    )


@pytest.fixture(scope="module")
def found(predictions):
    return evaluate(predictions, subgroups=["centre", "age", "grade"], bootstrap=Bootstrap(50))


def test_groups_of_each_column_are_scored_with_intervals(found, predictions):
    table = found.by_column
    assert list(table.loc["centre"].index) == ["Bonn", "Lyon", "Oslo"]
    assert list(table.loc["age"].index) == ["30 to 44", "45 to 59", "60 to 74", "75 to 89"]
    assert list(table.loc["grade"].index) == ["0", "1", "2", "3"]
    assert table.loc["centre", "cases"].tolist() == [20, 20, 20]
    assert table.loc["grade", "images"].sum() == 177
    lyon = predictions[predictions.columns["centre"] == "Lyon"]
    row = table.loc[("centre", "Lyon")]
    assert row["balanced_accuracy"] == pytest.approx(compute_metrics(lyon)["balanced_accuracy"])
    assert row["balanced_accuracy_low"] < row["balanced_accuracy"] < row["balanced_accuracy_high"]


def test_they_are_in_json_and_report(found, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    content = json.loads(found.to_json())
    jsonschema.validate(content, read_schema())
    assert content["by_column"]["index"][0] == ["centre", "Bonn"]
    text = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "45 to 59" in text
    assert "Lyon" in text


def test_columns_follow_the_cases(predictions, tmp_path):
    by_case = evaluate(predictions, aggregation="case", subgroups="centre", bootstrap=Bootstrap(20))
    assert by_case.by_column.loc["centre", "images"].tolist() == [20, 20, 20]
    aggregated = predictions.aggregate("case").columns
    assert aggregated["scanner"].isna().all()
    assert aggregated["age"].tolist() == list(range(30, 90))
    joined = join_predictions([predictions[:90], predictions[90:]])
    again = Predictions.from_csv(predictions.to_csv(tmp_path / "table.csv"))
    for other in (joined, again):
        assert other.columns.equals(predictions.columns)
    assert predictions[5].columns["age"].tolist() == [31]
    assert Predictions.from_csv(predictions[:9].to_csv(tmp_path / "table.csv")).to_dict()["columns"]["age"][3] == 31
    assert predictions.with_pseudonyms().columns is None


def test_columns_of_a_dataset_are_kept(tmp_path):
    data = Dataset.from_columns(
        ("b", "m"), path=["1", "2"], label=["b", "m"], case=["1", "2"], centre=["x", None], part=["a", "b"]
    )
    kept = predictions_of(data, [0.2, 0.8]).columns
    assert kept.columns.tolist() == ["centre", "part_of_image"]
    assert kept["centre"].fillna("").tolist() == ["x", ""]


def test_unknown_columns_are_named(predictions):
    with pytest.raises(EvaluationError, match=r"subgroups names 'center', .*Columns: centre, age, grade, scanner"):
        evaluate(predictions, subgroups=["center"])
    assert evaluate(predictions, bootstrap=Bootstrap(20)).by_column is None
    for columns, message in (({"case": [1]}, "meaning of its own"), ({"x1": [1, 2]}, "has 2 values")):
        with pytest.raises(EvaluationError, match=message):
            Predictions.from_arrays(probabilities=[0.5], labels=[1], classes=("b", "m"), columns=columns)
