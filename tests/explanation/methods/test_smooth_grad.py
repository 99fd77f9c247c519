import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.gradients.score_gradients import image_gradients
from breastcls.explanation.methods.smooth_grad import smooth_grad
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 1, 2, 1, 0], np.int64)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("samples", [1, 4])
def test_with_the_same_noise_it_equals_tf_keras_vis(small_model, noise_images, monkeypatch, samples):
    reference = pytest.importorskip("tf_keras_vis.saliency")
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    model, images = small_model("pool"), noise_images.astype(np.float32)
    generator = np.random.default_rng(11)
    noise = np.stack([generator.standard_normal((16, 16, 3), dtype=np.float32) for _ in range(samples)])

    def normal(mean, sigma, shape):
        # The noise of tf-keras-vis has one sigma per image and colour; here it has one per image.
        whole = images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3))
        return 0.15 * whole[None, :, None, None, None] * noise[:, None]

    monkeypatch.setattr("numpy.random.normal", normal)
    expected = reference.Saliency(model, model_modifier=ReplaceToLinear())(
        CategoricalScore(TARGETS.tolist()),
        images,
        smooth_samples=samples,
        smooth_noise=0.15,
        gradient_modifier=None,
        keepdims=True,
        normalize_map=False,
    )
    values = smooth_grad(ScoredModel(model, images), images, TARGETS, samples=samples, noise=0.15, seed=11).values
    np.testing.assert_allclose(values, np.abs(expected).max(axis=-1), rtol=1e-3, atol=1e-8)


def test_without_noise_it_is_the_absolute_gradient(small_model, noise_images):
    images = noise_images.astype(np.float32)
    scored = ScoredModel(small_model("pool"), images)
    values = smooth_grad(scored, images, TARGETS, samples=1, noise=0.0).values
    np.testing.assert_allclose(values, np.abs(image_gradients(scored, images, TARGETS)).max(axis=-1))


def test_the_map_depends_on_the_seed_and_not_on_the_other_images(small_model, noise_images):
    images = noise_images.astype(np.float32)
    scored = ScoredModel(small_model("pool"), images)
    together = smooth_grad(scored, images, TARGETS, seed=1).values
    alone = smooth_grad(scored, images[3:4], TARGETS[3:4], seed=1).values
    np.testing.assert_allclose(alone[0], together[3], rtol=1e-4, atol=1e-9)
    assert not np.allclose(smooth_grad(scored, images, TARGETS, seed=2).values, together, rtol=1e-3)


def test_negative_noise_and_zero_samples_are_refused(small_model, noise_images):
    images = noise_images.astype(np.float32)
    with pytest.raises(ExplanationError, match="noise is -1"):
        smooth_grad(ScoredModel(small_model(), images), images, TARGETS, noise=-1)
