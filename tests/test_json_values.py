import json

import numpy as np
import pandas as pd

from breastcls.json_values import table_to_dict, to_json_values


def test_whatever_numpy_and_pandas_hold_becomes_json():
    content = {
        1: np.array([1.5, np.nan]),
        "series": pd.Series([1, 2]),
        "missing": pd.NA,
        "infinite": np.float64("inf"),
        "flag": np.bool_(True),
        "table": pd.DataFrame({"x": [1]}, index=["a"]),
        "other": {"path"},
    }
    plain = to_json_values(content)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["1"] == [1.5, None]
    assert plain["missing"] is None
    assert plain["infinite"] is None
    assert plain["flag"] is True
    assert plain["table"] == {"index": ["a"], "columns": ["x"], "data": [[1]]}


def test_a_table_of_two_indices_has_lists_in_its_index():
    index = pd.MultiIndex.from_tuples([(0.5, 0.01)], names=["threshold", "prevalence"])
    assert table_to_dict(pd.DataFrame({"ppv": [np.nan]}, index=index)) == {
        "index": [[0.5, 0.01]],
        "columns": ["ppv"],
        "data": [[None]],
    }
