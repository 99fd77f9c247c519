import dataclasses
import json

import jsonschema
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from breastcls.errors import EvaluationWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.evaluation_schema import read_schema
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.score_tables import count_units, score, score_groups, score_levels, score_with_classes
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions

QUICK = Bootstrap(100)


def test_groups_are_the_metrics_of_their_rows(draw):
    some = draw(3, mixed=True)
    table = score_groups(some, some.magnifications, -1, "magnification", QUICK)
    assert table.index.tolist() == [40, 100]
    for group, row in table.iterrows():
        inside = some.magnifications == group
        y, p, d = some.labels[inside], some.positive[inside], some.decisions[inside]
        assert row["images"] == inside.sum()
        assert row["cases"] == len(set(some.cases[inside]))
        assert row["slides"] == len(set(zip(some.cases[inside], some.slides[inside], strict=True)))
        assert row["accuracy"] == pytest.approx((y == d).mean())
        assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, d))
        assert row["roc_auc"] == pytest.approx(roc_auc_score(y, p))
        for metric in ("accuracy", "balanced_accuracy", "roc_auc"):
            assert row[f"{metric}_low"] <= row[metric] <= row[f"{metric}_high"]


def test_the_cases_of_the_rarest_class_of_a_group_are_counted(draw):
    some = draw(3, images=60, cases=18, classes=("a", "b", "c"))
    frame = some.to_frame()
    for column, groups, missing in (("magnification", some.magnifications, -1), ("subtype", some.subtypes, "")):
        table = score_groups(some, groups, missing, column, QUICK)
        of_class = frame.groupby([column, "label"])["case"].nunique()  # a class that is not there has no row
        assert table["cases_of_rarest_class"].to_dict() == of_class.groupby(column).min().to_dict()


def test_a_group_is_scored_and_warned_of_as_it_would_be_alone():
    """At 40x nine cases, one of them benign; at 200x six of each class."""
    generator = np.random.default_rng(0)
    cases = np.repeat(np.arange(21), 10)
    labels = np.isin(cases, [0, *range(9, 15)]).astype(int) ^ 1
    some = Predictions.from_arrays(
        probabilities=np.clip(0.3 * labels + 0.7 * generator.random(210), 0, 1),
        labels=labels,
        cases=cases,
        classes=("benign", "malignant"),
        magnifications=np.where(cases < 9, 40, 200),
    )
    found = evaluate(some, bootstrap=Bootstrap(100))
    (limitation,) = [one for one in found.limitations if "groups" in one]
    assert "a class has fewer than 5 cases: by magnification 1 of 2 (see the tables). Their" in limitation
    row = found.by_magnification.loc[40]
    assert (row["cases"], row["cases_of_rarest_class"]) == (9, 1)
    with pytest.warns(EvaluationWarning, match="benign has only 1 case"):
        alone = evaluate(some[cases < 9], bootstrap=Bootstrap(100))
    for metric in ("accuracy", "balanced_accuracy", "roc_auc"):
        columns = [metric, f"{metric}_low", f"{metric}_high", f"{metric}_reason"]
        assert row[columns].astype(str).tolist() == alone.metrics.loc[metric].astype(str).tolist()
        assert row[f"{metric}_reason"] == "too-few-cases"
    assert not any("groups" in one for one in evaluate(some[cases >= 9], bootstrap=Bootstrap(100)).limitations)
    jsonschema.validate(json.loads(found.to_json()), read_schema())
    assert "Cases of rarest class" in found.to_markdown(table="by_magnification")


def test_a_subtype_has_one_class_and_so_only_accuracy(draw):
    some = draw(3)
    table = score_groups(some, some.subtypes, "", "subtype", QUICK)
    assert table["accuracy"].notna().all()
    assert table[["balanced_accuracy", "roc_auc", "roc_auc_low"]].isna().all().all()


def test_missing_groups_are_left_out(draw):
    some = draw(3)
    groups = np.where(some.labels == 1, "DC", "").astype(object)
    assert score_groups(some, groups, "", "subtype", QUICK).index.tolist() == ["DC"]
    assert score_groups(some, np.full(len(some), "", dtype=object), "", "subtype", QUICK) is None
    assert score_groups(some, None, "", "subtype", QUICK) is None


def test_counts(draw):
    some = draw(1)
    counts = count_units(some)
    assert counts["images"] == 300
    assert counts["cases"] == 24
    for index, name in enumerate(some.classes):
        inside = some.labels == index
        assert counts["classes"][name] == {"images": inside.sum(), "cases": len(set(some.cases[inside]))}


def test_classes_have_intervals_around_their_values(draw):
    some = draw(1, classes=("a", "b", "c"))
    table = score_with_classes(some, CaseStatistics.of(some), QUICK)[1]
    assert table.index.tolist() == ["a", "b", "c"]
    for metric in ("precision", "recall", "specificity", "f1"):
        assert (table[f"{metric}_low"] <= table[metric]).all()
        assert (table[metric] <= table[f"{metric}_high"]).all()


def test_levels_side_by_side(draw):
    some = draw(2)
    table, sentences = score_levels(some, QUICK)
    assert table.index.names == ["level", "metric"]
    assert sentences == ()
    for level in ("image", "slide", "case"):
        expected = compute_metrics(some.aggregate(level))
        pd.testing.assert_series_equal(table.loc[level, "value"], expected, check_names=False)


def test_levels_of_mixed_units(draw):
    some = draw(2, mixed=True)
    table, sentences = score_levels(some, QUICK)
    # Every case of these holds images of both classes.
    assert "case" not in table.index.unique(0)
    assert "24 of 24 cases hold images of several classes: there are no metrics by case." in sentences
    assert score_levels(some, QUICK, aggregation=Aggregation(mixed_labels="drop"))[1][-1] == sentences[-1]
    asked, sentences = score_levels(some, QUICK, aggregation=Aggregation(mixed_labels="last"))
    assert sentences == ()
    assert (
        asked.loc[("case", "recall"), "value"]
        == compute_metrics(some.aggregate(Aggregation("case", mixed_labels="last")))["recall"]
    )


def test_a_few_mixed_units_are_left_out_and_counted(draw):
    some = draw(2)
    labels = some.labels.copy()
    rows = np.flatnonzero(some.cases == some.cases[0])
    labels[rows[0]] = 1 - labels[rows[0]]
    table, sentences = score_levels(dataclasses.replace(some, labels=labels), QUICK)
    assert any("1 of 24 cases hold images of several classes: they are left out" in one for one in sentences)
    others = some[some.cases != some.cases[0]]
    expected = compute_metrics(others.aggregate("case"))
    pd.testing.assert_series_equal(table.loc["case", "value"], expected, check_names=False)


def test_levels_that_are_not_known_are_left_out(draw):
    some = dataclasses.replace(draw(2), slides=None)
    assert list(score_levels(some, QUICK)[0].index.unique(0)) == ["image", "case"]
    assert list(score_levels(some.aggregate("case"), QUICK)[0].index.unique(0)) == ["case"]


def test_a_level_that_is_known_is_not_scored_again(draw):
    some = draw(2)
    known = score(some, CaseStatistics.of(some), Bootstrap(3))
    pd.testing.assert_frame_equal(score_levels(some, QUICK, known={"image": known})[0].loc["image"], known)


def test_score_is_a_table_of_value_low_high(draw):
    some = draw(2)
    table = score(some, CaseStatistics.of(some), QUICK)
    assert table.columns.tolist() == ["value", "low", "high", "reason"]
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
