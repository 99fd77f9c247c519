import pandas as pd

from breastcls.evaluation.report.headline_block import key_values, sample_in_words

NAN = float("nan")


def scores(value):
    return pd.DataFrame({"value": [value], "low": [NAN], "high": [NAN]}, index=["roc_auc"])


def test_key_values_leave_out_what_is_not_known(evaluate):
    evaluation = evaluate(metrics=scores(NAN), counts={"images": 1, "slides": None, "cases": 1, "classes": {}})
    assert [(value.name, value.value) for value in key_values(evaluation)] == [
        ("Balanced accuracy", "not defined"),
        ("Area under the ROC curve", "not defined"),
        ("Image", "1"),
        ("Case", "1"),
    ]
    assert sample_in_words(evaluation) == "1 image from 1 case"
