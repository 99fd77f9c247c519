import pytest

from breastcls.metrics.classification_metrics import LOSSES, METRICS
from breastcls.metrics.metric_descriptions import describe_metric, metric_title


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_of_the_evaluation_has_words(name):
    words = describe_metric(name)
    assert words.meaning
    assert words.is_loss == (name in LOSSES)
    assert words.is_score == (name not in LOSSES)


def test_an_unknown_metric_is_named_after_its_key():
    words = describe_metric("net_benefit")
    assert (words.name, words.meaning, words.is_score) == ("Net benefit", "", False)


def test_every_metric_has_its_own_title():
    assert len({metric_title(metric) for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        title = metric_title(metric)
        assert "_" not in title
        assert metric_title(metric, capital=True) == describe_metric(metric).short == title[0].upper() + title[1:]
    assert [metric_title(name) for name in ("mcc", "f1", "brier", "recall", "ppv")] == [
        "MCC",
        "F1",
        "Brier",
        "recall",
        "PPV",
    ]
