import numpy as np
import pytest

from breastcls.errors import EvaluationError
from breastcls.predictions.dataset_predictions import predictions_of


def test_everything_known_comes_along(pictures):
    shares = np.linspace(0, 1, len(pictures))
    found = predictions_of(pictures, shares, threshold=0.3, part="validation")
    np.testing.assert_allclose(found.positive, shares, atol=1e-7)
    assert found.paths.tolist() == pictures.paths
    assert found.cases.tolist() == pictures.cases.tolist()
    assert found.slides.tolist() == pictures.slides.tolist()
    assert found.labels.tolist() == pictures.labels.tolist()
    assert found.magnifications is None
    assert (found.threshold, found.part, found.classes) == (0.3, "validation", pictures.classes)
    with pytest.raises(EvaluationError):
        predictions_of(pictures, shares[:-1])
