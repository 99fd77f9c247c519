import numpy as np
import pandas as pd
import pytest

from breastcls.metrics import metric_descriptions as wording
from breastcls.metrics.classification_metrics import LOSSES, METRICS
from breastcls.metrics.metric_titles import metric_title


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, pd.NA, "0.5"])
def test_what_is_no_finite_number_is_not_defined(value):
    assert wording.format_number(value) == "not defined"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8295, "0.830"), (-0.25, "−0.250"), (-0.0001, "0.000"), (1, "1.000"), (np.float32(0.5), "0.500")],
)
def test_numbers_have_fixed_decimals_and_a_true_minus(value, text):
    assert wording.format_number(value) == text


def test_an_interval_needs_both_ends():
    assert wording.format_interval(0.1, 0.2, 2) == "0.10 to 0.20"
    assert wording.format_interval(0.1, float("nan")) == "not defined"


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_of_the_evaluation_has_words(name):
    words = wording.describe_metric(name)
    assert words.meaning
    assert words.is_loss == (name in LOSSES)
    assert words.is_score == (name not in LOSSES)


def test_an_unknown_metric_is_named_after_its_key():
    words = wording.describe_metric("net_benefit")
    assert (words.name, words.meaning, words.is_score) == ("Net benefit", "", False)


def test_a_metric_has_one_short_name():
    for name in METRICS:
        assert wording.describe_metric(name).short == metric_title(name, capital=True)
