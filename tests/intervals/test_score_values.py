import numpy as np
import pandas as pd

from breastcls.intervals.score_values import read_scores


def test_rows_become_scores_in_their_order():
    table = pd.DataFrame(
        {"value": [0.5, 0.7], "low": [0.4, np.nan], "high": [0.6, np.nan]}, index=["roc_auc", "accuracy"]
    )
    scores = read_scores(table)
    assert list(scores) == ["roc_auc", "accuracy"]
    assert scores["roc_auc"] == (0.5, 0.4, 0.6)
    assert scores["roc_auc"].interval_text == "0.400 to 0.600"
    assert not scores["accuracy"].has_interval
    assert scores["accuracy"].interval_text == "not estimable"
