from breastcls.metrics.classification_metrics import METRICS
from breastcls.metrics.metric_titles import metric_title


def test_every_metric_has_a_name_of_its_own():
    assert len({metric_title(metric) for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        title = metric_title(metric)
        assert "_" not in title
        assert metric_title(metric, capital=True) == title[0].upper() + title[1:]
