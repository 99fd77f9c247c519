import numpy as np
import pytest

from breastcls.errors import EvaluationError
from breastcls.evaluation.joining import join_predictions
from breastcls.evaluation.predictions import Predictions


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


def test_what_cannot_be_joined():
    with pytest.raises(EvaluationError, match="no predictions"):
        join_predictions([])
    with pytest.raises(EvaluationError, match="must agree"):
        join_predictions([_some(["1", "2"]), _some(["3", "4"], classes=("x", "y"))])
    with pytest.raises(EvaluationError, match="1 images stand in several parts, first 2"):
        join_predictions([_some(["1", "2"]), _some(["2", "3"])])
