import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.scored_model import ScoredModel

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.float32)


def build(*ending):
    keras.utils.set_random_seed(2)
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(4, 3), keras.layers.GlobalMaxPooling2D()]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers, *ending])


def softmax(scores):
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


ENDINGS = {
    "dense with softmax": lambda: [keras.layers.Dense(3, activation="softmax")],
    "without bias": lambda: [keras.layers.Dense(3, activation="softmax", use_bias=False)],
    "activation layer": lambda: [keras.layers.Dense(3), keras.layers.Activation("softmax", dtype="float32")],
    "softmax layer": lambda: [keras.layers.Dense(3), keras.layers.Softmax()],
    "in a nested head": lambda: [keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])],
    "before a dropout": lambda: [keras.layers.Dense(3, activation="softmax"), keras.layers.Dropout(0.5)],
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_score_is_the_logit_whose_softmax_is_the_output(ending):
    model = build(*ENDINGS[ending]())
    scored = ScoredModel(model, IMAGES)
    scores = scored.scores(IMAGES)
    output = keras.ops.convert_to_numpy(model(IMAGES))
    assert scored.score_kind == "logit"
    np.testing.assert_allclose(softmax(scores), output, rtol=1e-5)
    np.testing.assert_allclose(scored.probabilities(IMAGES), output, rtol=1e-5)
    # Logits and not log-probabilities, which pass the line above too: exponentials of those sum to one.
    assert not np.allclose(np.exp(scores).sum(axis=1), 1.0, atol=1e-2)


def test_a_saturated_softmax_keeps_its_score():
    model = build(keras.layers.Dense(2, activation="softmax", kernel_initializer="ones"))
    dense = model.layers[-1]
    dense.set_weights([np.array([[300.0, -300.0]] * 4, np.float32), np.array([0.0, 0.0], np.float32)])
    scores = ScoredModel(model, IMAGES).scores(IMAGES)
    assert np.all(np.abs(scores) > 20.0)
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1], rtol=1e-5)


def test_a_linear_output_is_taken_as_logits():
    model = build(keras.layers.Dense(3))
    scored = ScoredModel(model, IMAGES)
    output = keras.ops.convert_to_numpy(model(IMAGES))
    np.testing.assert_allclose(scored.scores(IMAGES), output, rtol=1e-5)
    np.testing.assert_allclose(scored.probabilities(IMAGES), softmax(output), rtol=1e-5)


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_one_output_is_two_classes(activation):
    model = build(keras.layers.Dense(1, activation=activation))
    scored = ScoredModel(model, IMAGES)
    output = keras.ops.convert_to_numpy(model(IMAGES))[:, 0]
    positive = output if activation else 1 / (1 + np.exp(-output))
    np.testing.assert_allclose(scored.probabilities(IMAGES), np.stack([1 - positive, positive], axis=1), rtol=1e-4)
    scores = scored.scores(IMAGES)
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1])
    assert scored.class_count == 2


def test_any_other_last_layer_is_explained_by_the_log_probability():
    class Sharpen(keras.layers.Layer):
        def call(self, values):
            return keras.ops.softmax(values * 2.0)

    model = build(keras.layers.Dense(3), Sharpen())
    scored = ScoredModel(model, IMAGES)
    assert scored.score_kind == "log-probability"
    output = keras.ops.convert_to_numpy(model(IMAGES))
    np.testing.assert_allclose(scored.scores(IMAGES), np.log(output), rtol=1e-4)
    np.testing.assert_allclose(scored.probabilities(IMAGES), output, rtol=1e-4)


class Scale(keras.layers.Layer):
    """A last layer that does not show that its outputs are logits."""

    def call(self, values):
        return values * 40.0


@pytest.mark.parametrize("units", [1, 3])
def test_outputs_outside_of_0_to_1_are_logits_whatever_the_last_layer_is(units):
    model = build(keras.layers.Dense(units), Scale())
    scored = ScoredModel(model, IMAGES)
    output = keras.ops.convert_to_numpy(model(IMAGES))
    assert output.min() < 0 or output.max() > 1
    assert scored.score_kind == "logit"
    logits = np.concatenate([-output / 2, output / 2], axis=1) if units == 1 else output
    np.testing.assert_allclose(scored.probabilities(IMAGES), softmax(logits), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scored.scores(IMAGES)[:, -1], output[:, -1], rtol=1e-5)


def test_outputs_that_are_probabilities_for_some_images_only_are_refused():
    model = build(keras.layers.Dense(1, activation="relu"), Scale())
    scored = ScoredModel(model, np.zeros((1, 8, 8, 3), np.float32))
    model.layers[-2].bias.assign([1.0])
    with pytest.raises(ExplanationError, match=r"40.*outputs='logits'"):
        scored.outputs(IMAGES * 0)
