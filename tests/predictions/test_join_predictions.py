import dataclasses

import numpy as np
import pytest

from breastcls.errors import EvaluationError
from breastcls.predictions.join_predictions import join_predictions
from breastcls.predictions.predictions import Predictions


def _some(paths, classes=("b", "m"), **known):
    n = len(paths)
    return Predictions.from_arrays(
        probabilities=np.linspace(0.1, 0.9, n),
        labels=[0, 1] * (n // 2),
        cases=list(paths),
        classes=classes,
        paths=list(paths),
        **known,
    )


def test_rows_are_put_together():
    one, other = _some(["1", "2"], magnifications=[40, 40]), _some(["3", "4"])
    whole = join_predictions([one, other])
    assert whole.paths.tolist() == ["1", "2", "3", "4"]
    np.testing.assert_array_equal(whole.probabilities, np.concatenate([one.probabilities, other.probabilities]))
    assert whole.magnifications is None
    assert whole.part == "out-of-fold"


def test_calibrations_of_the_folds_leak_only_within_their_fold():
    one, other = _some(["1", "2"]), _some(["3", "4"])

    def fitted(some, *cases):
        record = {
            "method": "platt",
            "level": "image",
            "aggregation_method": None,
            "images": len(cases),
            "cases": list(cases),
        }
        return dataclasses.replace(some, calibration=record)

    assert join_predictions([one, other]).calibration is None
    apart = join_predictions([fitted(one, "3", "4"), fitted(other, "1", "2")]).calibration
    assert (apart["cases"], apart["images"], apart["method"]) == ([], 4, "platt")
    assert join_predictions([fitted(one, "2", "3"), fitted(other, "1")]).calibration["cases"] == ["2"]
    alike = join_predictions([fitted(one, "9"), fitted(other, "9")]).calibration
    assert (alike["cases"], alike["images"]) == (["9"], 1)


def test_what_cannot_be_joined():
    with pytest.raises(EvaluationError, match="no predictions"):
        join_predictions([])
    with pytest.raises(EvaluationError, match="must agree"):
        join_predictions([_some(["1", "2"]), _some(["3", "4"], classes=("x", "y"))])
    with pytest.raises(EvaluationError, match="1 image is in several parts, first 2"):
        join_predictions([_some(["1", "2"]), _some(["2", "3"])])
