import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from breastcls.comparison.compare_models import compare
from breastcls.errors import EvaluationWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.paired_scores import score_against
from breastcls.predictions.predictions import Predictions

QUICK = Bootstrap(100)


def draw(cases_of, classes=("benign", "malignant"), seed=0, images=11):
    """Random calls of so many cases of each class."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.repeat(np.arange(len(classes)), cases_of), images)
    probabilities = generator.dirichlet(np.ones(len(classes)), len(labels)) + 0.3 * np.eye(len(classes))[labels]
    cases = np.repeat(np.arange(sum(cases_of)), images)
    return Predictions.from_arrays(
        probabilities=probabilities / probabilities.sum(axis=1, keepdims=True),
        labels=labels,
        cases=cases,
        slides=cases,
        classes=classes,
    )


def quietly(function, *given, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationWarning)
        return function(*given, **options)


def test_a_share_of_the_images_of_one_case_has_no_interval():
    found = quietly(evaluate, draw((1, 8)), bootstrap=Bootstrap(100))
    bounds = found.metrics[["low", "high"]].notna().all(axis=1)
    assert found.metrics["value"].notna().all()
    # All others depend on the cases of the other class too.
    assert bounds.index[~bounds].tolist() == ["specificity"]
    has = found.per_class.filter(like="_low").notna()
    assert (~has).stack().pipe(lambda none: none[none].index.tolist()) == [
        ("benign", "recall_low"),
        ("malignant", "specificity_low"),
    ]
    assert "There is no confidence interval of specificity: too few cases of one kind." in found.limitations
    assert quietly(evaluate, draw((2, 8)), bootstrap=Bootstrap(100)).metrics[["low", "high"]].notna().all().all()
    turned = quietly(evaluate, draw((8, 1)), bootstrap=Bootstrap(100)).metrics
    assert turned.index[turned["low"].isna()].tolist() == ["recall"]


def test_with_more_classes_only_the_class_itself_has_none():
    found = quietly(evaluate, draw((1, 6, 6), classes=("a", "b", "c")), bootstrap=Bootstrap(100))
    assert found.metrics["low"].notna().all()
    assert np.isnan(found.per_class.loc["a", "recall_low"])
    assert found.per_class.filter(like="_low").isna().sum().sum() == 1


def test_one_case_with_one_decision_is_one_trial():
    found = quietly(evaluate, draw((1, 8)), aggregation="case", bootstrap=Bootstrap(100)).metrics.loc["specificity"]
    expected = binomtest(int(found["value"]), 1).proportion_ci(method="wilson")
    assert found[["low", "high"]].tolist() == pytest.approx([expected.low, expected.high])


def test_changes_and_differences_have_none_either():
    first, second = draw((1, 8)), draw((1, 8), seed=1)
    table = score_against(first, [second], ["specificity", "recall", "roc_auc"], QUICK)[0]
    assert table.loc["specificity"].isna().tolist() == [False, True, True, False, True, True]
    assert table.loc[["recall", "roc_auc"]].notna().all().all()
    found = quietly(compare, [first, second], metric="specificity", bootstrap=Bootstrap(100))
    row = found.differences.xs(("A", "B", "specificity"))
    assert row["difference"] != 0
    assert pd.isna(row[["low", "high", "p", "p_holm"]]).all()
    assert "cannot be compared by specificity" in found.verdicts[0]
    assert any("There is no confidence interval of specificity" in one for one in found.limitations)
    assert found.differences.xs(("A", "B", "recall")).notna().all()
