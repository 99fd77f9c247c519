import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from breastcls.errors import EvaluationError
from breastcls.uncertainty import feature_distance
from breastcls.uncertainty.feature_distance import FeatureDistance


def draw_features(images=60, channels=12, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, images)
    mix = generator.normal(size=(channels, channels))
    return generator.normal(size=(images, channels)) @ mix + 2 * labels[:, None], labels


@pytest.mark.parametrize("channels", [3, 12, 150])
def test_against_scipy_and_scikit_learn(channels):
    features, labels = draw_features(channels=channels)
    new, _ = draw_features(images=9, channels=channels, seed=1)
    means = np.stack([features[labels == index].mean(axis=0) for index in range(3)])
    shrunk = LedoitWolf(assume_centered=True).fit(features - means[labels])
    expected = cdist(new, means, "mahalanobis", VI=np.linalg.inv(shrunk.covariance_)).min(axis=1) ** 2
    fitted = FeatureDistance.fit(features, labels)
    np.testing.assert_allclose(fitted(new), expected, rtol=1e-6)
    assert fitted.shrinkage == pytest.approx(shrunk.shrinkage_)


def test_the_nearest_class_is_that_of_a_linear_discriminant():
    """Another way to the same means and one covariance: with equal priors the nearest mean is the class decided."""
    features, labels = draw_features(images=3000, channels=4)
    distance = FeatureDistance.fit(features, labels)
    white = features @ distance.whitening
    nearest = cdist(white, distance.means @ distance.whitening).argmin(axis=1)
    reference = LinearDiscriminantAnalysis(priors=[1 / 3] * 3).fit(features, labels).predict(features)
    assert (nearest == reference).mean() > 0.99


def test_axes_are_flattened_and_missing_classes_do_not_matter():
    features, labels = draw_features()
    flat = FeatureDistance.fit(features, labels)(features)
    np.testing.assert_allclose(FeatureDistance.fit(features.reshape(60, 3, 4), labels + 5)(features), flat)


def test_constant_channels_do_not_break_it():
    features, labels = draw_features()
    features[:, 0] = 7.0
    assert np.isfinite(FeatureDistance.fit(features, labels)(features + 1)).all()


def test_what_is_refused(monkeypatch):
    features, labels = draw_features()
    with pytest.raises(EvaluationError, match="labels of shape"):
        FeatureDistance.fit(features, labels[:5])
    with pytest.raises(EvaluationError, match="same features"):
        FeatureDistance.fit(np.ones((4, 3)), [0, 0, 1, 1])
    with pytest.raises(EvaluationError, match="expected \\(images, channels\\)"):
        FeatureDistance.fit(labels, labels)
    monkeypatch.setattr(feature_distance, "MOST_CHANNELS", 11)
    with pytest.raises(EvaluationError, match="12 channels"):
        FeatureDistance.fit(features, labels)
