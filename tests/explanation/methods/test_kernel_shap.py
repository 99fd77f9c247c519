from itertools import permutations

import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.kernel_shap import draw_coalitions, kernel_shap, solve_shapley
from breastcls.explanation.methods.superpixels import find_superpixels
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([2], np.int64)


@pytest.mark.parametrize(("superpixels", "samples"), [(9, 600), (25, 200)])
def test_on_a_linear_model_the_values_are_its_contributions(noise_images, superpixels, samples):
    """With all coalitions, and with drawn ones: a sum over superpixels is found exactly from either."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    image = noise_images[:1].astype(np.float32)
    regions = find_superpixels(image[0], superpixels)
    of_pixel = ((image[0] - 255) * model.get_weights()[0][:, 2].reshape(16, 16, 3)).sum(axis=-1)
    totals = np.bincount(regions.ravel(), weights=of_pixel.ravel())
    options = {"superpixels": superpixels, "samples": samples, "baseline": "white"}
    values = kernel_shap(ScoredModel(model, image), image, TARGETS, **options).values[0]
    found = np.bincount(regions.ravel(), weights=values.ravel())
    np.testing.assert_allclose(found, totals, rtol=1e-3, atol=1e-2 * np.abs(totals).max())
    # Every pixel of a superpixel has the same value.
    assert max(np.ptp(values[regions == region]) for region in range(regions.max() + 1)) < 1e-5


def test_on_any_model_all_coalitions_give_the_mean_over_all_orders(small_model, noise_images):
    """Shapley 1953: the mean increase when the player joins, over all orders in which players can join."""
    model, image = small_model("flatten"), noise_images[:1].astype(np.float32)
    scored = ScoredModel(model, image)
    regions = find_superpixels(image[0], 4)
    count = int(regions.max()) + 1

    def value(players):
        frame = np.where(np.isin(regions, players)[..., None], image[0], 0)[None]
        return float(scored.scores(frame.astype(np.float32))[0, 2])

    expected = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        for place, player in enumerate(order):
            expected[player] += (value(order[: place + 1]) - value(order[:place])) / len(orders)
    made = kernel_shap(scored, image, TARGETS, superpixels=4, samples=20, baseline="black").values[0]
    found = np.bincount(regions.ravel(), weights=made.ravel())
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_drawn_coalitions_are_pairs_of_complements_that_depend_on_the_seed_only():
    coalitions, weights = draw_coalitions(np.random.default_rng(3), 30, 101)
    assert coalitions.shape == (100, 30)
    assert np.all(weights == 1)
    np.testing.assert_array_equal(coalitions[::2], ~coalitions[1::2])
    assert coalitions.sum(axis=1).min() >= 1
    assert coalitions.sum(axis=1).max() <= 29
    np.testing.assert_array_equal(coalitions, draw_coalitions(np.random.default_rng(3), 30, 101)[0])


def test_values_add_up_to_the_difference_whatever_was_drawn():
    generator = np.random.default_rng(0)
    coalitions, weights = draw_coalitions(generator, 12, 40)
    values = solve_shapley(coalitions, weights, generator.normal(size=len(coalitions)), -1.5, 2.0)
    assert values.sum() == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"superpixels": 1}, "superpixels is 1"),
        ({"superpixels": 30, "samples": 20}, "samples is 20; expected a whole number of at least 30"),
    ],
)
def test_wrong_options_are_refused(small_model, noise_images, options, words):
    image = noise_images[:1].astype(np.float32)
    with pytest.raises(ExplanationError, match=words):
        kernel_shap(ScoredModel(small_model(), image), image, TARGETS, **options)
