"""A model with one sigmoid output, against the same model with the softmax of (0, z)."""

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import TrainingError
from breastcls.features.exact_head import write_probe
from breastcls.features.linear_probe import fit_linear_probe
from breastcls.models.model_card import ModelCard, set_card
from breastcls.models.single_output import expand_single_output
from breastcls.training.fit_checks import check_fit
from breastcls.training.fit_settings import FitSettings
from breastcls.training.single_output_training import SingleOutputLoss

CLASSES = ("benign", "malignant")
QUICK = {"epochs": 3, "batch_size": 8, "augment": "none", "learning_rate": 0.01, "seed": 2}


def build(ending, seed=3, trainable=True):
    """Build a network with one logit: as a sigmoid, or as the softmax of (0, z) with the same weights."""
    layers, glorot = keras.layers, keras.initializers.GlorotUniform
    inner = keras.Input((32, 32, 3))
    maps = layers.Conv2D(4, 3, strides=4, activation="relu", kernel_initializer=glorot(seed))(inner)
    backbone = keras.Model(inner, maps, name="backbone")
    backbone.trainable = trainable
    pixels = keras.Input((32, 32, 3))
    pooled = layers.GlobalAveragePooling2D()(backbone(layers.Rescaling(1 / 255)(pixels)))
    if ending == "sigmoid":
        outputs = layers.Dense(1, "sigmoid", kernel_initializer=glorot(seed + 1))(pooled)
    else:
        logit = layers.Dense(1, kernel_initializer=glorot(seed + 1))(pooled)
        zero = layers.Rescaling(0.0)(logit)
        outputs = layers.Softmax()(layers.Concatenate()([zero, logit]))
    model = keras.Model(pixels, outputs)
    set_card(model, ModelCard(classes=CLASSES, image_size=(32, 32)))
    return model


@pytest.fixture(scope="module")
def trained(easy):
    train, val, test = easy.split((0.5, 0.25, 0.25), seed=1)
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    weights = {"benign": 1.0, "malignant": 3.0}
    models = {ending: build(ending) for ending in ("sigmoid", "softmax")}
    runs = {
        ending: bc.fit(model, train, val, loss=smoothed, class_weight=weights, selection="val_loss", **QUICK)
        for ending, model in models.items()
    }
    return models, runs, test


def test_training_equals_that_of_the_softmax(trained):
    models, runs, _ = trained
    for one, two in zip(models["sigmoid"].get_weights(), models["softmax"].get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
    assert not np.allclose(models["sigmoid"].get_weights()[0], build("sigmoid").get_weights()[0], atol=1e-3)
    one, two = (runs[ending].history.select_dtypes("number").drop(columns="seconds") for ending in runs)
    np.testing.assert_allclose(one, two, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The calibration is based on:breastcls.errors.EvaluationWarning")
def test_what_follows_training_equals_that_of_the_softmax(trained, tmp_path):
    models, _, test = trained
    found = {}
    for ending, model in models.items():
        path = bc.save_model(model, tmp_path / f"{ending}.keras")
        predictions = bc.predict(path, test)
        calibrator = bc.calibration.fit_calibrator(predictions, "temperature")
        heatmaps = bc.explain(model, test[:2], method="occlusion", window=16, stride=16).heatmaps
        found[ending] = (predictions.probabilities, calibrator(predictions.probabilities), heatmaps)
    for one, two in zip(found["sigmoid"], found["softmax"], strict=True):
        assert one.shape == two.shape
        np.testing.assert_allclose(one, two, atol=1e-4)


def test_the_frozen_head_is_trained_on_features_and_fitted_exactly(easy):
    train, val, _ = easy.split((0.5, 0.25, 0.25), seed=1)
    options = {**QUICK, "fine_tune": False}
    models = {ending: build(ending) for ending in ("sigmoid", "softmax")}
    for model in models.values():
        assert bc.fit(model, train, val, **options).config["input_modes"] == ["features"]
    np.testing.assert_allclose(*(model.get_weights()[-2] for model in models.values()), atol=1e-5)
    exact = build("sigmoid")
    del options["learning_rate"]
    run = bc.fit(exact, train, val, frozen_head="lbfgs", **options)
    assert run.history["accuracy"].iloc[-1] > 0.9


def test_a_probe_gives_the_probabilities_of_its_softmax():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 4)).astype(np.float32)
    labels = (features[:, 0] + rng.normal(size=80) > 0).astype(int)
    probe = fit_linear_probe(features, labels, np.arange(80) // 4, 2)
    model = build("sigmoid")
    write_probe(model, probe)
    found = expand_single_output(model.layers[-1](features).numpy())
    np.testing.assert_allclose(found, probe.probabilities(features), atol=1e-6)


def test_the_gradient_does_not_vanish_where_the_sigmoid_is_rounded_to_one():
    import tensorflow as tf

    logit = tf.Variable([[40.0]])
    benign = np.array([[1.0, 0.0]], np.float32)
    with tf.GradientTape() as tape:
        loss = SingleOutputLoss(keras.losses.CategoricalCrossentropy())(benign, keras.ops.sigmoid(logit))
    assert float(loss) == pytest.approx(40, rel=1e-5)
    assert float(tape.gradient(loss, logit)[0, 0]) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    "loss", [keras.losses.BinaryCrossentropy(), keras.losses.CategoricalFocalCrossentropy(alpha=1)]
)
def test_losses_for_one_output_are_those_of_the_formula(loss):
    positive, labels = np.array([[0.2], [0.9]], np.float32), np.eye(2, dtype=np.float32)
    chosen = np.array([0.8, 0.9])
    power = 2.0 if isinstance(loss, keras.losses.CategoricalFocalCrossentropy) else 0.0
    again = SingleOutputLoss.from_config(SingleOutputLoss(loss).get_config())
    assert float(again(labels, positive)) == pytest.approx(
        float(np.mean(-((1 - chosen) ** power) * np.log(chosen))), rel=1e-4
    )


@pytest.mark.parametrize(
    ("activation", "message"), [("softmax", "always 1"), ("linear", "is a logit"), ("relu", "activation='sigmoid'")]
)
def test_one_output_that_is_no_probability(parts, activation, message):
    model = build("sigmoid")
    model.layers[-1].activation = keras.activations.get(activation)
    if activation == "relu":
        model.layers[-1].bias.assign([5.0])
    with pytest.raises(TrainingError, match=message):
        check_fit(model, parts[0], None, FitSettings())
