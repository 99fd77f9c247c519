import itertools
import math
import re

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.lora import add_lora
from breastcls.models.model_card import ModelCard, set_card
from breastcls.models.stages import list_stages, set_trainable
from breastcls.training.fit_options import EpochSchedule
from breastcls.training.optimizers import OPTIMIZERS, layer_shares, make_loss, make_optimizer, make_schedule


def rates(schedule, steps):
    return [float(schedule(step)) for step in range(steps)]


def test_a_constant_rate_is_a_number():
    assert make_schedule(0.1, 10, 3) == make_schedule(EpochSchedule(0.1), 10, 3) == 0.1


def test_warm_up_rises_evenly_and_then_stays():
    found = rates(make_schedule(EpochSchedule(0.1, warmup_epochs=2), 5, 4), 20)
    np.testing.assert_allclose(found, [0.1 * min((step + 1) / 10, 1) for step in range(20)], rtol=1e-6)


def test_cosine_falls_to_zero_as_its_formula_says():
    found = rates(make_schedule(EpochSchedule(0.1, "cosine"), 5, 4), 21)
    np.testing.assert_allclose(found, [0.05 * (1 + math.cos(math.pi * step / 20)) for step in range(21)], atol=1e-8)


def test_cosine_after_warm_up():
    found = rates(make_schedule(EpochSchedule(0.1, "cosine", warmup_epochs=1), 5, 4), 21)
    np.testing.assert_allclose(found[:6], [0.1 * step / 5 for step in range(6)], atol=1e-8)
    wanted = [0.05 * (1 + math.cos(math.pi * step / 15)) for step in range(16)]
    np.testing.assert_allclose(found[5:], wanted, atol=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_takes_every_setting(name):
    kind = type(make_optimizer(name, 0.1))
    assert kind.__name__.lower() == name
    given = kind(weight_decay=0.01, global_clipnorm=1.0)
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    for asked, shares in itertools.product((name, given), (None, {layer.kernel.path: 0.5})):
        optimizer = make_optimizer(asked, 0.01, shares)
        before = [np.array(weight) for weight in layer.get_weights()]
        optimizer.apply([keras.ops.ones((3, 2)), keras.ops.ones((2,))], layer.trainable_variables)
        assert all((old != new).any() for old, new in zip(before, layer.get_weights(), strict=True))


def test_weights_decay_and_biases_do_not():
    layer = keras.layers.Dense(2, bias_initializer="ones")
    layer.build((None, 3))
    kernel, bias = layer.get_weights()
    optimizer = make_optimizer(keras.optimizers.SGD(weight_decay=0.1), 0.5)
    optimizer.apply([keras.ops.zeros((3, 2)), keras.ops.zeros((2,))], layer.trainable_variables)
    np.testing.assert_allclose(layer.get_weights()[0], kernel * (1 - 0.1 * 0.5), rtol=1e-6)
    np.testing.assert_array_equal(layer.get_weights()[1], bias)


@pytest.mark.parametrize("kind", [keras.optimizers.SGD, keras.optimizers.AdamW])
def test_a_variable_with_a_smaller_rate_decays_more_slowly(kind):
    """Without a gradient a weight shrinks by its own rate times the decay: rate * share * decay."""
    layer = keras.layers.Dense(2, bias_initializer="ones")
    slow = keras.layers.Dense(2)
    layer.build((None, 3))
    slow.build((None, 3))
    variables = [*layer.trainable_variables, slow.kernel]
    before = [np.array(variable) for variable in variables]
    optimizer = make_optimizer(kind(weight_decay=0.1), 0.5, {slow.kernel.path: 0.25})
    for _ in range(2):
        optimizer.apply([keras.ops.zeros_like(variable) for variable in variables], variables)
    kept = [(1 - 0.1 * 0.5) ** 2, 1.0, (1 - 0.1 * 0.5 * 0.25) ** 2]
    for variable, old, share in zip(variables, before, kept, strict=True):
        np.testing.assert_allclose(np.array(variable), old * share, rtol=1e-6)
    # What a checkpoint or a callback reads is what was asked for.
    assert optimizer.weight_decay == 0.1


def test_deeper_stages_have_a_lower_rate():
    model = bc.build_model("cnn4", classes=("a", "b"), image_size=32, seed=1)
    shares = layer_shares(model, 0.5)
    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    stages = list_stages(model)
    for number, names in enumerate(stages):
        for weight in (weight for name in names for weight in backbone.get_layer(name).weights):
            assert shares[weight.path] == 0.5 ** (number + 1)
    assert len(shares) == len(backbone.weights)
    assert layer_shares(model, 1) == {}
    optimizer = make_optimizer("adam", 0.1, shares)
    before = {weight.path: np.array(weight) for weight in model.trainable_weights}
    optimizer.apply([keras.ops.ones_like(weight) for weight in model.trainable_weights], model.trainable_weights)
    # The first step of Adam is the rate itself, whatever the gradient.
    for weight in model.trainable_weights:
        moved = np.abs(np.array(weight) - before[weight.path]).max()
        assert moved == pytest.approx(0.1 * shares.get(weight.path, 1.0), rel=1e-3)


def test_a_loss_object_is_used_as_it_is():
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    assert make_loss(loss) is loss


def test_focal_loss_is_that_of_the_formula():
    truth, found = np.array([[0, 1], [1, 0]], "float32"), np.array([[0.3, 0.7], [0.9, 0.1]], "float32")
    right = (truth * found).sum(axis=1)
    wanted = -((1 - right) ** 2 * np.log(right)).mean()
    assert float(make_loss("focal")(truth, found)) == pytest.approx(wanted, rel=1e-5)


def test_each_block_of_a_vision_transformer_has_a_rate_of_its_own_and_can_have_adapters():
    vit = bc.models.VisionTransformer(patch_size=16, width=16, depth=3, heads=2, native_size=32)
    backbone = vit((32, 32, 3))
    pixels = keras.Input((32, 32, 3))
    model = keras.Model(pixels, keras.layers.Dense(2, "softmax")(backbone(pixels)))
    entry = bc.models.Backbone(name="tiny-vit-of-test", factory=vit, **vit.fields)
    BACKBONES.register(entry.name, entry)
    try:
        set_card(model, ModelCard(classes=("a", "b"), image_size=(32, 32), backbone=entry.name, weights="own.h5"))
        shares = layer_shares(model, 0.5)
        assert len(shares) == len(backbone.weights)
        found = {path: next(iter(re.findall(r"block(\d)_", path)), None) for path in shares}
        # What comes after the last block belongs to its stage.
        assert {shares[path] for path, block in found.items() if block == "2"} == {0.5}
        assert {shares[path] for path, block in found.items() if block == "0"} == {0.125}
        set_trainable(model, "last-stage")
        layers = add_lora(model, 2).layers
        assert layers
        assert all("block2_" in layer.name for layer in layers)
    finally:
        del BACKBONES._items[entry.name]
