"""Tests that every registered method passes."""

import inspect
import re

import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError, RegistryError
from breastcls.explanation.checks.parameter_randomisation import randomise_parameters
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.method_registry import METHODS, list_methods
from support.transformer_fixtures import build_transformer

EVERY = list_methods()
# The others need a vision transformer; their tests have one.
NAMES = tuple(name for name in EVERY if not METHODS[name].needs_attention)
# Fewer passes, where the test is not about the quality of the map.
FAST = {"rise": {"masks": 48}, "kernel-shap": {"superpixels": 9, "samples": 40}}


@pytest.fixture(scope="module")
def transformer():
    return build_transformer()


def options_of(method):
    return FAST.get(method, {})


@pytest.mark.parametrize("method", NAMES)
def test_it_localises_a_known_object_with_values_from_0_to_1(blue_squares, method):
    """The pointing game (the maximum is on the object), and most of the evidence is on the object."""
    explanation = explain(blue_squares.model, blue_squares.images, method, target_class=1)
    assert explanation.flags == ("",) * 4
    heatmaps = explanation.heatmaps
    assert heatmaps.shape == (4, 32, 32)
    assert heatmaps.dtype == np.float32
    assert heatmaps.min() >= 0
    np.testing.assert_allclose(heatmaps.max(axis=(1, 2)), 1, rtol=1e-5)
    for heat, mask in zip(heatmaps, blue_squares.masks, strict=True):
        around = np.zeros_like(mask)
        rows, columns = np.nonzero(mask)
        # One pixel more on each side, because the kernel of the model is 3x3.
        around[max(0, rows.min() - 1) : rows.max() + 2, max(0, columns.min() - 1) : columns.max() + 2] = True
        assert around.ravel()[heat.argmax()]
        assert heat[around].sum() / heat.sum() > 0.5
        assert heat[mask].mean() > 5 * heat[~around].mean()


@pytest.mark.parametrize("method", NAMES)
def test_equal_calls_give_equal_heatmaps_for_every_batch_size(nested_model, noise_images, method):
    """With dropout, batch normalisation and a recorded `training=True` inside."""
    first = explain(nested_model, noise_images, method, target_class=2, **options_of(method))
    again = explain(nested_model, noise_images, method, target_class=2, **options_of(method))
    np.testing.assert_array_equal(first.heatmaps, again.heatmaps)
    other = explain(nested_model, noise_images, method, target_class=2, batch_size=2, **options_of(method))
    np.testing.assert_allclose(first.heatmaps, other.heatmaps, atol=2e-3)


@pytest.mark.parametrize("method", NAMES)
def test_saved_and_loaded_models_have_the_same_heatmaps(nested_model, noise_images, tmp_path, method):
    before = explain(nested_model, noise_images, method, target_class=2, **options_of(method)).heatmaps
    nested_model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        explain(loaded, noise_images, method, target_class=2, **options_of(method)).heatmaps, before
    )


@pytest.mark.parametrize("method", NAMES)
def test_heatmaps_depend_on_the_weights(small_model, noise_images, method):
    """Adebayo et al. 2018: a method that shows edges independently of the weights fails here."""
    model = small_model("flatten")
    before = [weight.copy() for weight in model.get_weights()]
    explanation = explain(model, noise_images, method, **options_of(method))
    assert explanation.flags == ("",) * 5
    layers, similarity = randomise_parameters(model, noise_images, explanation, stages=2, **options_of(method))
    assert layers == ("last", "first")
    assert np.isfinite(similarity).all()
    assert np.median(similarity[-1]) < 0.6
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("method", NAMES)
def test_model_and_images_are_not_changed(nested_model, noise_images, method):
    images = noise_images.copy()
    weights = [weight.copy() for weight in nested_model.get_weights()]
    config = nested_model.to_json()
    explain(nested_model, images, method, target_class=1, **options_of(method))
    np.testing.assert_array_equal(images, noise_images)
    assert nested_model.to_json() == config
    for now, then in zip(nested_model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("method", [name for name in EVERY if not METHODS[name].needs_feature_map])
@pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")
def test_a_vision_transformer_is_explained(noise_images, transformer, method):
    if method == "guided-backpropagation":
        with pytest.raises(ExplanationError, match="no ReLU"):
            explain(transformer, noise_images, method)
        return
    made = explain(transformer, noise_images, method, target_class=1, **options_of(method))
    assert made.heatmaps.shape == (5, 16, 16)
    assert made.heatmaps.max() == pytest.approx(1)


class CountedImages(keras.layers.Layer):
    """Counts the images that pass through it, of a model that runs eagerly."""

    count = 0

    def call(self, images):
        CountedImages.count += images.shape[0] or 0
        return images


@pytest.fixture(scope="module")
def counted(transformer, noise_images):
    """By whether it is a transformer, a model 16x16 -> 3 classes that counts its images."""
    models = {}
    keras.utils.set_random_seed(0)
    for is_transformer in (False, True):
        value = inputs = keras.Input((16, 16, 3))
        value = CountedImages()(value)
        if not is_transformer:
            for stride in (2, 1, 2, 2):
                # Without negative weights no channel is zero everywhere, which some methods leave out.
                positive = keras.initializers.RandomUniform(0.0, 0.1, seed=stride)
                value = keras.layers.Conv2D(
                    4, 3, stride, padding="same", activation="relu", kernel_initializer=positive
                )(value)
            value = keras.layers.Dense(3, "softmax")(keras.layers.Flatten()(value))
        model = keras.Model(inputs, transformer(value) if is_transformer else value)
        model.compile(run_eagerly=True)
        # The first call prepares the model.
        explain(model, noise_images[:1], "attention-rollout" if is_transformer else "grad-cam", target_class=1)
        models[is_transformer] = model
    return models


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")
def test_the_stated_number_of_passes_is_computed(counted, noise_images, method):
    entry = METHODS[method]
    model, image = counted[entry.needs_attention], noise_images[:1]
    fewer = {"steps": 2, "samples": 50 if method == "kernel-shap" else 2, "channels": 2, "masks": 3}
    default = inspect.signature(entry.compute).parameters
    changed = {name: fewer[name] for name in re.findall(r"`(\w+)`", entry.passes) if name in fewer}
    CountedImages.count = 0
    explain(model, image, method, target_class=1, **changed)
    stated = int(re.match(r"(\d+) forward", entry.passes)[1])
    assert CountedImages.count == stated + sum(value - default[name].default for name, value in changed.items())


@pytest.mark.parametrize("method", EVERY)
def test_reference_and_arguments_are_documented(method):
    entry = METHODS[method]
    assert re.search(r"DOI 10\.\d{4}|arXiv:\d{4}\.\d{4,5}", entry.reference)
    paper = entry.reference.split("DOI ")[-1].split("arXiv:")[-1]
    documented = inspect.getdoc(entry.compute)
    assert paper in documented
    for name in inspect.signature(entry.compute).parameters:
        assert f"{name}: " in documented


def test_the_error_for_an_unknown_method_lists_similar_names():
    with pytest.raises(RegistryError, match="grad-cam"):
        explain(None, None, "gradcam")
