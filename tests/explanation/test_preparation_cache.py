"""What is kept with a model between calls, and what a change of the model does to it."""

import gc
import weakref
from dataclasses import replace

import keras
import numpy as np
import pytest

from breastcls.explanation.explain import explain
from breastcls.explanation.methods.hires_cam import HIRES_CAM
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.explanation.preparation_cache import prepare_model
from support.model_kinds import MODEL_KINDS

IMAGES = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
pytestmark = pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")  # the weights are random


class Counting(keras.layers.Layer):
    """An identity that counts how often Python runs it."""

    calls = 0

    def call(self, values):
        Counting.calls += 1
        return values


def build(activation="relu"):
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3, activation=activation),
            Counting(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


def maps(model, **options):
    return explain(model, IMAGES, "hires-cam", target_class=1, **options).heatmaps


def fresh(model):
    """The heat-maps of a copy of a model that was never explained."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return maps(copy)


def test_a_second_call_traces_nothing_for_other_targets_and_numbers_of_images():
    model = build()
    maps(model)
    before = Counting.calls
    explain(model, IMAGES[:1], "grad-cam", target_class=0)
    explain(model, IMAGES, "layer-cam", batch_size=2)
    assert Counting.calls == before


def test_weights_that_were_trained_or_set_have_an_effect():
    model = build()
    first = maps(model)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(IMAGES / 255.0, np.array([0, 1, 0]), verbose=0)
    trained = maps(model)
    assert np.abs(trained - first).max() > 1e-3
    np.testing.assert_array_equal(trained, fresh(model))
    model.set_weights([-weight for weight in model.get_weights()])
    np.testing.assert_array_equal(maps(model), fresh(model))


def test_a_changed_setting_of_a_layer_has_an_effect():
    model = build()
    maps(model)
    model.layers[0].activation = keras.activations.tanh
    np.testing.assert_array_equal(maps(model), maps(build("tanh")))


def test_a_layer_that_is_added_has_an_effect():
    model = build()
    maps(model)
    last = model.layers[-1]
    model.pop()
    model.add(keras.layers.Dense(4, activation="relu"))
    model.add(last.__class__(2, activation="softmax"))
    np.testing.assert_array_equal(maps(model), fresh(model))


def test_precision_and_trainable_are_part_of_the_state():
    model = build()
    images = IMAGES.astype(np.float32)
    kept = prepare_model(model, images)
    assert prepare_model(model, images[:1]) is kept
    model.layers[0].trainable = False
    frozen = prepare_model(model, images)
    assert frozen is not kept
    model.layers[0].dtype_policy = "mixed_bfloat16"
    assert prepare_model(model, images) is not frozen


def test_values_of_a_stateless_scope_replace_the_weights_and_are_not_kept():
    model = build()
    usual = maps(model)
    kernel = model.layers[0].kernel
    with keras.StatelessScope(state_mapping=[(kernel, -kernel.value)]):
        replaced = maps(model)
    assert np.abs(replaced - usual).max() > 1e-3
    np.testing.assert_array_equal(maps(model), usual)


def test_what_is_kept_is_dropped_with_the_model_and_holds_no_images(monkeypatch):
    seen = []

    def compute(scored, images, targets):
        seen.extend([weakref.ref(images), weakref.ref(images.base if images.base is not None else images)])
        return HIRES_CAM.compute(scored, images, targets)

    monkeypatch.setitem(METHODS._items, "hires-cam", replace(HIRES_CAM, compute=compute))
    model = build()
    maps(model)
    gc.collect()
    assert seen
    assert all(reference() is None for reference in seen)
    kept = weakref.ref(prepare_model(model, IMAGES.astype(np.float32)))
    del model
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_the_prepared_model_gives_the_output_of_the_model(kind):
    model = MODEL_KINDS[kind]()
    expected = np.asarray(model(IMAGES.astype(np.float32), training=False), np.float32)
    found = explain(model, IMAGES, "grad-cam", classes=("a", "b", "c"))
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert found.heatmaps.shape == (3, 32, 32)
