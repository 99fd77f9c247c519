import keras
import numpy as np

from breastcls.explanation.methods.eigen_cam import EIGEN_CAM
from breastcls.explanation.scored_model import ScoredModel


def test_it_projects_on_the_first_eigenvector_for_every_class(small_model, noise_images):
    model, images = small_model("pool"), noise_images.astype(np.float32)
    features = keras.Model(model.input, model.get_layer("last").output).predict(images, verbose=0)
    scored = ScoredModel(model, images)
    values = EIGEN_CAM.compute(scored, images, np.zeros(5, np.int64)).values
    np.testing.assert_array_equal(values, EIGEN_CAM.compute(scored, images, np.full(5, 2)).values)
    for feature, value in zip(features.astype(np.float64), values, strict=True):
        flat = feature.reshape(-1, 5)
        _, vectors = np.linalg.eigh(flat.T @ flat)
        projected = flat @ vectors[:, -1]
        projected *= np.sign(projected.sum())
        np.testing.assert_allclose(value.ravel(), projected, rtol=1e-4, atol=1e-5)
