import keras
import numpy as np
import pytest
import tensorflow as tf

from breastcls.explanation.explain import explain
from breastcls.explanation.methods.gradient_rollout import gradient_rollout
from breastcls.explanation.scored_model import ScoredModel
from support.transformer_fixtures import build_opaque_transformer, build_transformer

TARGETS = np.array([0, 2], np.int64)


def attention_gradients(model, images):
    """Return weights and gradients of both blocks, from the part of the model behind the weights."""
    scores = model.get_layer("scores").input
    kernel = model.get_layer("scores").kernel
    for number in range(2):
        attended = model.get_layer(f"attended{number}")
        residual = model.get_layer(f"q{number}").input._keras_history.operation.input
        cut = [*attended.input, residual]
        head = keras.Model(model.input, cut).predict(images, verbose=0)
        tail = keras.Model(cut, scores)
        weights = tf.constant(head[0])
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits = tail([weights, *map(tf.constant, head[1:])]) @ kernel
            total = tf.reduce_sum(tf.gather(logits, TARGETS, batch_dims=1))
        yield head[0], tape.gradient(total, weights).numpy()


@pytest.mark.parametrize(("pooling", "prefix"), [("class", 1), ("mean", 0)])
def test_it_equals_the_published_recursion(noise_images, pooling, prefix):
    model, images = build_transformer(pooling, prefix), noise_images[:2].astype(np.float32)
    relevance = np.repeat(np.eye(16 + prefix)[None], 2, axis=0)
    for weights, gradients in attention_gradients(model, images):
        for number in range(2):
            mean = np.mean([np.maximum(g * w, 0) for g, w in zip(gradients[number], weights[number], strict=True)], 0)
            relevance[number] = relevance[number] + mean @ relevance[number]
    relevance -= np.eye(16 + prefix)
    row = relevance[:, 0] if pooling == "class" else relevance.mean(axis=1)
    expected = row[:, prefix:].reshape(2, 4, 4)
    values = gradient_rollout(ScoredModel(model, images), images, TARGETS).values
    np.testing.assert_allclose(values, expected, rtol=2e-3, atol=1e-7)


def test_it_depends_on_the_class_and_repeats_for_attention_inside_of_a_layer(noise_images):
    model = build_opaque_transformer("mean")
    first, again, other = (
        explain(model, noise_images, "gradient-rollout", target_class=target) for target in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.heatmaps, again.heatmaps)
    assert first.heatmaps.shape == (5, 16, 16)
    assert not np.allclose(first.heatmaps, other.heatmaps, atol=0.05)


def test_it_explains_the_transformer_of_kerashub():
    models = pytest.importorskip("keras_hub").models
    keras.utils.set_random_seed(3)
    backbone = models.ViTBackbone(
        image_shape=(32, 32, 3), patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )
    tokens = backbone.output
    inputs = backbone.input
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(tokens[:, 0]))
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    for method in ("attention-rollout", "gradient-rollout"):
        made = explain(model, images, method, target_class=1)
        assert made.heatmaps.shape == (2, 32, 32)
        assert made.heatmaps.max() == pytest.approx(1)
