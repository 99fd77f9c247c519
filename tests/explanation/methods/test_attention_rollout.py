import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.attention_maps import AttentionMaps
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.attention_rollout import attention_rollout
from breastcls.explanation.scored_model import ScoredModel
from support.transformer_fixtures import build_opaque_transformer, build_transformer

TARGETS = np.array([0, 2], np.int64)


def attention_of(model, images):
    outputs = [model.get_layer(f"weights{number}").output for number in range(2)]
    return keras.Model(model.input, outputs).predict(images, verbose=0)


@pytest.mark.parametrize(("pooling", "prefix"), [("class", 3), ("mean", 0)])
def test_it_equals_the_product_of_the_attention_matrices(noise_images, pooling, prefix):
    model, images = build_transformer(pooling, prefix), noise_images[:2].astype(np.float32)
    identity = np.eye(16 + prefix)
    first, second = (0.5 * weights.mean(axis=1) + 0.5 * identity for weights in attention_of(model, images))
    product = second @ first
    row = product[:, 0] if pooling == "class" else product[:, prefix:].mean(axis=1)
    expected = row[:, prefix:].reshape(2, 4, 4)
    values = attention_rollout(ScoredModel(model, images), images, TARGETS).values
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-7)


def test_attention_inside_of_a_layer_is_found_and_the_layer_is_as_before(noise_images):
    model, images = build_opaque_transformer(), noise_images[:2].astype(np.float32)
    before = model.predict(images, verbose=0)
    scored = ScoredModel(model, images)
    maps = AttentionMaps(scored, images)
    assert (maps.grid.prefix, maps.grid.rows, maps.grid.columns) == (1, 4, 4)
    first = maps.weights(images)[0]
    encoder = model.get_layer("encoder")
    tokens = keras.Model(model.input, encoder.input).predict(images, verbose=0)
    _, expected = encoder.attention[0](tokens, tokens, return_attention_scores=True)
    np.testing.assert_allclose(first, np.asarray(expected), atol=1e-6)
    assert len(maps.weights(images)) == 2
    assert "_compute_attention" not in vars(encoder.attention[0])
    np.testing.assert_array_equal(model.predict(images, verbose=0), before)


def test_the_map_of_a_patch_that_all_attend_to_is_on_that_patch(noise_images):
    """The queries are constant and the keys large at one patch only, through its position."""
    model = build_transformer()
    positions = np.zeros((1, 16, 8), np.float32)
    positions[0, 6] = np.where(np.arange(8) % 2, 20.0, -20.0)
    model.get_layer("positions").set_weights([positions])
    for number in range(2):
        for name in "qk":
            layer = model.get_layer(f"{name}{number}")
            kernel = np.zeros((8, 8), np.float32) if name == "q" else np.diag(np.where(np.arange(8) % 2, 3.0, -3.0))
            layer.set_weights([kernel, np.ones(8, np.float32) if name == "q" else np.zeros(8, np.float32)])
    made = explain(model, noise_images[:2], "attention-rollout")
    for heat in made.heatmaps:
        assert np.unravel_index(heat.argmax(), heat.shape)[0] // 4 == 1
        assert np.unravel_index(heat.argmax(), heat.shape)[1] // 4 == 2


def test_a_network_without_attention_is_refused(small_model, noise_images):
    with pytest.raises(ExplanationError, match="no attention layers"):
        explain(small_model(), noise_images, "attention-rollout")
