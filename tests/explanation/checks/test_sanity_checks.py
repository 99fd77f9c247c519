import dataclasses
import json

import keras
import numpy as np
import pytest

from breastcls.explanation.checks.faithfulness import Faithfulness
from breastcls.explanation.checks.parameter_randomisation import randomise_parameters
from breastcls.explanation.checks.sanity_checks import check_explanation
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.intervals.bootstrap import Bootstrap


@pytest.fixture
def register(monkeypatch):
    """Register a method for one test."""

    def add(method):
        monkeypatch.setitem(METHODS._items, "own", Method("own", method, "Own", "arXiv:0000.0000"))

    return add


def test_grad_cam_passes_on_a_known_model(blue_squares):
    report = check_explanation(blue_squares.model, blue_squares.images, "grad-cam", target_class=1)
    assert report.problems == ()
    assert report.repeat_difference == 0
    assert "passed" in str(report)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["method"] == "grad-cam"
    short = check_explanation(blue_squares.model, blue_squares.images, "grad-cam", target_class=1, removal=False)
    assert short.faithfulness is None
    assert short.to_dict()["faithfulness"] is None
    assert short.sentence.startswith("Checks of Grad-CAM on 4 images (equal calls, randomised weights and labels")
    assert short.sentence.endswith("another stain, a shift): all passed.")
    # What could not be checked did not pass.
    unknown = dataclasses.replace(short, label_similarity=None)
    assert unknown.sentence.endswith("): passed; not estimable: random labels.")
    assert "random labels: not estimable" in str(unknown)
    assert unknown.to_dict()["not_estimable"] == ["random labels"]


@pytest.mark.parametrize(
    ("gains", "shown"), [((0.01, 0.02, 0.015, 0.012, 0.011), True), ((0.9, -0.1, -0.2, -0.1, 0.1), False)]
)
def test_a_mean_gain_over_random_maps_that_may_be_chance_is_not_shown(blue_squares, gains, shown):
    short = check_explanation(blue_squares.model, blue_squares.images, "grad-cam", target_class=1, removal=False)
    gain = np.array(gains)[:, None]
    # Deletion and ROAD fall by the gain of each image, insertion rises by it.
    flat = np.full((5, 3), 0.5)
    signs = {"deletion": -1, "insertion": 1, "imputation": -1}
    curves = {
        name: {"heat-map": flat + sign * gain / 2, "random": flat - sign * gain / 2, "centre": flat}
        for name, sign in signs.items()
    }
    measured = Faithfulness("grad-cam", np.linspace(0, 1, 3), curves, np.arange(5), Bootstrap(200))
    report = dataclasses.replace(short, faithfulness=measured)
    assert report.problems == ()
    end = "all passed" if shown else "passed; not shown: that heat-maps are better than random maps"
    assert report.verdict == end


def test_an_edge_detector_fails_the_randomisation_test(blue_squares, register):
    """Adebayo et al. 2018: the output of an edge detector resembles an explanation and does not depend on the model."""

    def edges(scored, images, targets):
        down, across = np.gradient(images.mean(axis=-1), axis=(1, 2))
        return Attribution(np.hypot(down, across))

    register(edges)
    report = check_explanation(blue_squares.model, blue_squares.images, "own", target_class=1)
    assert report.randomised_similarity == pytest.approx(1)
    assert any("they depend on the image, not on the model" in problem for problem in report.problems)


def test_a_random_method_fails_the_repeatability_check(blue_squares, register):
    generator = np.random.default_rng()
    register(lambda scored, images, targets: Attribution(generator.random(images.shape[:3]).astype(np.float32)))
    report = check_explanation(blue_squares.model, blue_squares.images, "own", target_class=1)
    assert report.repeat_difference > 0.1
    assert any("two equal calls differ" in problem for problem in report.problems)


def test_images_of_unknown_cases_do_not_pass_the_faithfulness_check(blue_squares):
    images = np.concatenate([blue_squares.images, blue_squares.images[:2]])
    report = check_explanation(blue_squares.model, images, "hires-cam", target_class=1, steps=2)
    assert "faithfulness" in report.not_estimable
    known = dataclasses.replace(report, faithfulness=dataclasses.replace(report.faithfulness, cases_known=True))
    assert "faithfulness" not in known.not_estimable


def test_a_map_of_other_pixels_fails_the_faithfulness_check(blue_squares, register):
    def wrong_way(scored, images, targets):
        return Attribution((images[..., 0] - images[..., 2]) * (1 + scored.model.layers[-1].get_weights()[1][0]) + 200)

    register(wrong_way)
    images = np.concatenate([blue_squares.images, blue_squares.images[:2]])
    report = check_explanation(blue_squares.model, images, "own", target_class=1)
    assert any("no better than for random maps" in problem for problem in report.problems)
    # Four cases show neither that heat-maps are better than random maps nor that they are not.
    few = check_explanation(blue_squares.model, blue_squares.images, "own", target_class=1)
    assert not any("no better than for random maps" in problem for problem in few.problems)
    assert few.not_estimable == ("faithfulness",)


def test_flagged_heatmaps_are_a_problem(blue_squares):
    report = check_explanation(blue_squares.model, blue_squares.images, "grad-cam", target_class=0)
    assert "4 of 4 heat-maps are flagged" in report.problems
    assert np.isnan(report.similarity).all()
    assert report.to_dict()["similarity"][0][0] is None


def test_layers_are_randomised_from_the_output_and_restored(nested_model, noise_images):
    before = [weight.copy() for weight in nested_model.get_weights()]
    explanation = explain(nested_model, noise_images, "smooth-grad", target_class=1)
    layers, similarity = randomise_parameters(nested_model, noise_images, explanation, stages=2, target_class=1)
    assert layers[0].startswith(("dense", "skip"))
    assert layers[-1] == "conv"
    assert similarity.shape == (2, 5)
    for now, then in zip(nested_model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_array_equal(
        explain(nested_model, noise_images, "smooth-grad", target_class=1).heatmaps, explanation.heatmaps
    )


def test_replaced_weights_equal_those_of_a_copy(small_model, noise_images):
    """The heat-maps with replaced weights equal those of a copy that has these weights."""
    from breastcls.explanation.checks.parameter_randomisation import _shuffle, weights_replaced

    model = small_model("flatten")
    copy = keras.models.clone_model(model)
    replaced = [(weight, _shuffle(weight, np.random.default_rng(3))) for weight in model.weights]
    copy.set_weights([values for _, values in replaced])
    with weights_replaced(replaced):
        inside = explain(model, noise_images, "smooth-grad", target_class=1).heatmaps
    np.testing.assert_allclose(inside, explain(copy, noise_images, "smooth-grad", target_class=1).heatmaps, atol=1e-5)


@pytest.fixture(scope="module")
def deep_model():
    """Twelve layers with ReLU and random weights."""
    keras.utils.set_random_seed(4)
    value = inputs = keras.Input((32, 32, 3))
    value = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(value)
    for number in range(11):
        value = keras.layers.Conv2D(12, 3, padding="same", activation="relu", kernel_initializer="he_normal")(value)
        value = keras.layers.MaxPooling2D()(value) if number in (3, 7) else value
    value = keras.layers.GlobalAveragePooling2D()(value)
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(value))


def test_guided_backpropagation_fails_the_randomisation_test_as_published(deep_model, blue_squares):
    """Adebayo et al. 2018, figure 2: it hardly changes when the later layers are random; the gradient does."""
    images = blue_squares.images
    guided = check_explanation(deep_model, images, "guided-backpropagation", steps=2)
    assert any("depend little on the later layers" in problem for problem in guided.problems)
    assert guided.upper_half_similarity > 0.7
    plain = explain(deep_model, images, "gradient-x-input")
    _, similarity = randomise_parameters(deep_model, images, plain, stages=2)
    assert np.median(similarity[0]) < 0.5
    assert "failed: heat-maps change little" in guided.sentence


def test_a_map_without_a_class_fails_the_label_test(deep_model, blue_squares):
    """Eigen-CAM is the same for every class, so that it does not depend on what the last layer learned."""
    report = check_explanation(deep_model, blue_squares.images, "eigen-cam", steps=2)
    np.testing.assert_allclose(report.label_similarity, 1, atol=1e-6)
    assert any("random labels" in problem for problem in report.problems)
    assert report.to_dict()["label_similarity"] == pytest.approx([1, 1, 1, 1])


def test_an_unstable_method_is_found(blue_squares, register):
    """A map of the parity of pixel values changes completely with the smallest change of the image."""

    def parity(scored, images, targets):
        return Attribution((images.sum(axis=-1) * scored.model.layers[-1].get_weights()[1][0] * 10) % 2)

    register(parity)
    report = check_explanation(blue_squares.model, blue_squares.images, "own", target_class=1, steps=2)
    assert any("unstable when the stain changes" in problem for problem in report.problems)
    steady = check_explanation(blue_squares.model, blue_squares.images, "hires-cam", target_class=1, steps=2)
    assert np.nanmin(steady.stain_stability) > 0.5
    assert np.nanmin(steady.shift_stability) > 0.8
