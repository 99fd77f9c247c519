import re

import numpy as np
import pandas as pd

from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.degenerate_intervals import find_degenerate_intervals
from breastcls.predictions.predictions import Predictions


def perfect_on_the_positive(cases=20, images=3):
    """Every image of the positive class is called so; some of the others are too."""
    generator = np.random.default_rng(0)
    case = np.repeat(np.arange(cases), images)
    labels = case % 2
    return Predictions.from_arrays(
        probabilities=np.where(labels == 1, 0.9, generator.choice([0.2, 0.7], len(case))),
        labels=labels,
        cases=case.astype(str),
        slides=case.astype(str),
        subtypes=np.where(labels == 1, "DC", "A"),
        classes=("benign", "malignant"),
    )


def test_only_intervals_of_zero_width_are_named():
    table = pd.DataFrame({"low": [1.0, 0.5, np.nan], "high": [1.0, 0.9, np.nan]}, index=["recall", "f1", "mcc"])
    by_class = pd.DataFrame(
        {"f1": [1, 0.5], "f1_low": [1, 0.4], "f1_high": [1 + 1e-15, 0.6], "images": [3, 4]}, index=["a", "b"]
    )
    (sentence,) = find_degenerate_intervals(table, {"class": by_class, "stain": None})
    assert sentence.startswith(
        "The confidence interval of recall, and some confidence intervals in the tables by class have zero width"
    )
    assert find_degenerate_intervals(table, {})[0].startswith("The confidence interval of recall has zero width")
    assert find_degenerate_intervals(table[1:], {"class": by_class})[0].startswith(
        "Some confidence intervals in the tables by class have zero width"
    )
    assert find_degenerate_intervals(table[1:], {"class": by_class[1:]}) == ()


def test_a_proportion_of_one_is_a_limitation():
    found = evaluate(perfect_on_the_positive(), bootstrap=Bootstrap(100))
    assert found.metrics.loc["recall"].tolist() == [1.0, 1.0, 1.0]
    (limitation,) = [one for one in found.limitations if "zero width" in one]
    assert re.match(
        r"The confidence interval of recall, roc_auc.*, and some confidence intervals in the tables by .*class, "
        r".*subtype have zero width",
        limitation,
    )
    assert "stain" not in limitation
    assert len(limitation) < 400, "a sentence, and no list of rows"


def test_by_case_proportions_have_a_width_and_only_other_metrics_are_named():
    found = evaluate(perfect_on_the_positive(), aggregation="case", bootstrap=Bootstrap(100))
    assert found.metrics.loc["recall", "low"] < 1
    (limitation,) = [one for one in found.limitations if "zero width" in one]
    assert re.match(
        r"The confidence interval of roc_auc, average_precision(, and some confidence intervals in the tables by .*)? "
        r"ha(s|ve) zero width",
        limitation,
    )
