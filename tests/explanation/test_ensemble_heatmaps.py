import re

import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.checks.sanity_checks import check_explanation
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.models.building import build_model
from breastcls.models.ensemble import build_ensemble
from breastcls.models.model_card import ModelCard, get_card, set_card
from breastcls.models.persistence import load_model, save_model
from breastcls.predictions.predict import predict
from breastcls.stain.fitting import fit_normalizer
from support.explanation_fixtures import build_blue_detector

CLASSES = ("none", "square")
CAMS = [name for name, method in METHODS.items() if method.needs_feature_map]
OTHERS = [name for name, method in METHODS.items() if not method.needs_feature_map and not method.needs_attention]


def build_member(strength=1.0, size=32):
    model = build_blue_detector()
    dense = model.layers[-1]
    dense.set_weights([value * strength for value in dense.get_weights()])
    if size != 32:
        pixels = keras.Input((size, size, 3))
        value = pixels
        for layer in model.layers:
            value = layer(value)
        model = keras.Model(pixels, value)
    set_card(model, ModelCard(classes=CLASSES, image_size=(size, size)))
    return model


@pytest.mark.parametrize("method", CAMS)
def test_the_heatmap_is_the_weighted_mean_of_the_members(blue_squares, method):
    models = [build_member(), build_member(0.2)]
    first = models[1].layers[1]
    first.set_weights([np.roll(first.get_weights()[0], 1, axis=0), first.get_weights()[1]])
    ensemble = build_ensemble(models, weights=[3, 1])
    targets = {"target_class": "square"}
    alone = [explain(model, blue_squares.images, method, **targets).heatmaps for model in models]
    expected = 0.75 * alone[0] + 0.25 * alone[1]
    expected /= expected.max(axis=(1, 2), keepdims=True)
    found = explain(ensemble, blue_squares.images, method, **targets)
    np.testing.assert_allclose(found.heatmaps, expected, atol=1e-5)
    assert found.layer == "member_1/colour, member_2/colour"
    assert not any(found.flags)


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_methods_over_pixels_explain_the_ensemble_as_a_whole(blue_squares, method, average):
    ensemble = build_ensemble([build_member(), build_member(0.5)], average=average)
    found = explain(ensemble, blue_squares.images, method, target_class="square")
    inside = [heat[mask].mean() for heat, mask in zip(found.heatmaps, blue_squares.masks, strict=True)]
    outside = [heat[~mask].mean() for heat, mask in zip(found.heatmaps, blue_squares.masks, strict=True)]
    assert min(inside) > 3 * max(outside)
    assert found.layer is None


def test_a_member_without_evidence_does_not_blank_the_heatmap(blue_squares):
    blind = build_member()
    blind.layers[-1].set_weights([-value for value in blind.layers[-1].get_weights()])
    ensemble = build_ensemble([build_member(), blind])
    found = explain(ensemble, blue_squares.images, "hires-cam", target_class="square")
    alone = explain(build_member(), blue_squares.images, "hires-cam", target_class="square")
    np.testing.assert_allclose(found.heatmaps, alone.heatmaps, atol=1e-5)
    assert not any(found.flags)
    with pytest.warns(ExplanationWarning, match="flagged 'negative'"):
        both = explain(build_ensemble([blind, _copy(blind)]), blue_squares.images, "hires-cam", target_class="square")
    assert set(both.flags) == {"negative"}
    assert (both.heatmaps == 0).all()


def _copy(model):
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    set_card(again, get_card(model))
    return again


def test_a_member_of_another_size_is_explained_at_the_size_of_the_ensemble(blue_squares):
    ensemble = build_ensemble([build_member(), build_member(size=16)])
    found = explain(ensemble, blue_squares.images, "grad-cam", target_class="square")
    assert found.heatmaps.shape == (4, 32, 32)
    inside = [heat[mask].mean() for heat, mask in zip(found.heatmaps, blue_squares.masks, strict=True)]
    outside = [heat[~mask].mean() for heat, mask in zip(found.heatmaps, blue_squares.masks, strict=True)]
    assert min(inside) > 3 * max(outside)


@pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")  # the weights are random
def test_a_loaded_ensemble_has_the_same_heatmaps_at_the_layers_of_the_registry(tmp_path):
    models = [build_model(name, classes=CLASSES, image_size=32, weights=None, seed=1) for name in ("cnn4", "cancernet")]
    ensemble = build_ensemble(models)
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 32, 3), dtype=np.uint8)
    expected = explain(ensemble, images)
    single = [explain(model, images, target_class=0) for model in models]
    assert expected.layer == ", ".join(f"member_{n}/{one.layer}" for n, one in enumerate(single, start=1))
    loaded = load_model(save_model(ensemble, tmp_path / "ensemble.keras"))
    np.testing.assert_array_equal(explain(loaded, images).heatmaps, expected.heatmaps)
    assert check_explanation(ensemble, images, steps=2).repeat_difference == 0


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_probabilities_are_those_of_predict_also_when_calibrated(blue_squares, average):
    ensemble = build_ensemble([build_member(0.2), build_member(0.05)], average=average)
    set_card(ensemble, get_card(ensemble).replace(temperature=2.5, threshold=0.9))
    found = explain(ensemble, blue_squares.images, "occlusion")
    expected = predict(ensemble, blue_squares.images)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)
    np.testing.assert_array_equal(found.predicted, expected.decisions)


def test_a_layer_missing_in_a_member_is_named(blue_squares):
    with pytest.raises(ExplanationError, match="No layer is named 'nowhere'"):
        explain(build_ensemble([build_member(), build_member()]), blue_squares.images, layer="nowhere")


def test_images_are_normalised_by_the_stain_normalizer_of_the_card(blue_squares):
    normalizer = fit_normalizer(blue_squares.images[0], "reinhard")
    model = build_member()
    set_card(model, get_card(model).replace(stain=normalizer.to_dict()))
    large = [np.repeat(np.repeat(image, 2, 0), 2, 1) for image in blue_squares.images[1:]]
    found = explain(model, large)
    seen = [normalizer.transform(image) for image in large]
    expected = explain(build_member(), seen)
    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.heatmaps, expected.heatmaps)
    assert (found.images != explain(build_member(), large).images).any()
    white = np.full((32, 32, 3), 255, np.uint8)
    with pytest.warns(ExplanationWarning) as caught:
        explain(model, white)
    assert any(re.search("reinhard: .* with too little tissue", str(warning.message)) for warning in caught)
