import json

import numpy as np
import pandas as pd

from breastcls.json_values import table_to_dict, to_json_values


def test_numpy_and_pandas_values_become_json_values():
    content = {
        1: np.array([1.5, np.nan]),
        "series": pd.Series([1, 2]),
        "missing": pd.NA,
        "infinite": np.float64("inf"),
        "flag": np.bool_(True),
        "table": pd.DataFrame({"x": [1]}, index=["a"]),
        "other": {"path"},
    }
    values = to_json_values(content)
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["1"] == [1.5, None]
    assert values["missing"] is None
    assert values["infinite"] is None
    assert values["flag"] is True
    assert values["table"] == {"index": ["a"], "columns": ["x"], "data": [[1]]}


def test_entries_of_a_multiindex_become_lists():
    index = pd.MultiIndex.from_tuples([(0.5, 0.01)], names=["threshold", "prevalence"])
    assert table_to_dict(pd.DataFrame({"ppv": [np.nan]}, index=index)) == {
        "index": [[0.5, 0.01]],
        "columns": ["ppv"],
        "data": [[None]],
    }
