import keras
import numpy as np
import pytest

from breastcls.training.training_step import EpochMeans, KerasStep, as_shares, weight_table


def build(learning_rate=0.1):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.set_weights([np.random.default_rng(0).normal(size=(4, 3)), np.zeros(3)])
    model.compile(keras.optimizers.SGD(learning_rate), "categorical_crossentropy", weighted_metrics=["accuracy"])
    return model


def gradient_step(kernel, bias, inputs, labels, counted, rate):
    """One step of gradient descent on the weighted mean cross-entropy, written out."""
    logits = inputs @ kernel + bias
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = float(np.mean(-np.log(chances[np.arange(len(labels)), labels]) * counted))
    difference = (chances - np.eye(3)[labels]) * counted[:, None] / len(labels)
    return kernel - rate * inputs.T @ difference, bias - rate * difference.sum(axis=0), loss


@pytest.mark.parametrize("weights", [None, {0: 0.5, 1: 2.0, 2: 1.0}])
def test_each_step_is_gradient_descent_and_tells_of_its_own_batch_only(weights):
    rng = np.random.default_rng(1)
    model = build()
    step = KerasStep(model, 3, weights)
    kernel, bias = model.get_weights()
    for size in (5, 5, 3):
        inputs, labels = rng.normal(size=(size, 4)).astype(np.float32), rng.integers(0, 3, size)
        counted = np.ones(size) if weights is None else np.array([weights[label] for label in labels])
        kernel, bias, expected = gradient_step(kernel, bias, inputs, labels, counted, 0.1)
        loss, accuracy, images = step(inputs, labels)
        assert loss == pytest.approx(expected, rel=1e-5)
        assert 0 <= accuracy <= 1
        assert images == size
        np.testing.assert_allclose(model.get_weights()[0], kernel, atol=1e-6)
        np.testing.assert_allclose(model.get_weights()[1], bias, atol=1e-6)


@pytest.mark.parametrize("weights", [None, {0: 0.5, 1: 2.0, 2: 1.0}])
def test_focal_loss_with_smoothing_weighs_each_image_by_its_class(weights):
    rng = np.random.default_rng(2)
    model, rate = build(), 0.1
    model.compile(
        keras.optimizers.SGD(rate),
        keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0, label_smoothing=0.3),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    kernel, bias = model.get_weights()
    inputs, labels = rng.normal(size=(7, 4)).astype(np.float32), rng.integers(0, 3, 7)
    logits = inputs.astype(np.float64) @ kernel + bias
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = 0.7 * np.eye(3)[labels] + 0.3 / 3
    # DOI 10.1109/ICCV.2017.324, summed over the classes.
    losses = -(truth * (1 - chances) ** 2 * np.log(chances)).sum(axis=1)
    counted = np.ones(7) if weights is None else np.array([weights[label] for label in labels])
    assert KerasStep(model, 3, weights)(inputs, labels)[0] == pytest.approx((losses * counted).mean(), rel=1e-5)


def test_mixed_labels_are_taken_as_they_are():
    mixed = np.array([[0.7, 0.3, 0.0]], np.float32)
    assert as_shares(mixed, 3) is mixed
    np.testing.assert_array_equal(as_shares(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])


def test_class_weights_come_in_the_order_of_the_classes():
    np.testing.assert_array_equal(weight_table({2: 3.0, 0: 1.0, 1: 2.0}), np.array([1, 2, 3], np.float32))


def test_the_mean_of_an_epoch_is_over_images():
    means = EpochMeans()
    assert means.logs() == {"loss": 0.0, "accuracy": 0.0}
    means.add(1.0, 1.0, 3)
    means.add(2.0, 0.0, 1)
    assert means.logs() == {"loss": 1.25, "accuracy": 0.75}
