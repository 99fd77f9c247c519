import numpy as np
import pytest
from scipy.special import softmax

from breastcls.features.penalty_search import Regression
from breastcls.features.stacked_regressions import StackedRegressions


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.5, 3.0)])
def test_each_fold_is_the_exact_regression_of_its_training_part(weights):
    generator = np.random.default_rng(0)
    labels = (np.arange(150) % 3 == 0).astype(np.int64)
    mixing = generator.normal(size=(30, 30)) * np.geomspace(1, 0.01, 30)[:, None]
    features = generator.normal(size=(150, 30)) @ mixing + 0.3 * labels[:, None] + 5
    features[:, 7] = 2.0  # constant
    parts = np.array_split(generator.permutation(150), 4)
    stacked = StackedRegressions(features, labels, weights, parts)
    for c in (1e-3, 1e-2, 1.0, 10.0):
        found = stacked.fit(c)
        for held in parts:
            rest = np.setdiff1d(np.arange(150), held)
            exact = Regression(features[rest], labels[rest], weights, 1e-9)
            assert exact.fit(c)
            kernel, bias = exact.layer()
            expected = softmax(features[held] @ kernel + bias, axis=1)[np.arange(len(held)), labels[held]]
            np.testing.assert_allclose(found[held], expected, atol=2e-3)
