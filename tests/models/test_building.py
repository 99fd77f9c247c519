import random

import keras
import numpy as np
import pytest

from breastcls.errors import ModelError, RegistryError, WeightsError
from breastcls.models.building import build_model
from breastcls.models.model_card import get_card

CLASSES = ("benign", "malignant")


def small(**arguments):
    return build_model(**{"backbone": "cnn4", "classes": CLASSES, "image_size": 32, **arguments})


def variables(model):
    return [np.asarray(variable) for variable in model.variables]


def test_the_layers_are_those_of_keras_with_documented_names():
    model = build_model("vgg16", classes=CLASSES, image_size=32, weights=None)
    assert type(model) is type(keras.Model(model.inputs[0], model.outputs[0]))
    assert model.inputs[0].name == "image"
    assert model.inputs[0].dtype == "float32"
    assert model.layers[-1].name == "probabilities"
    assert [layer.name for layer in model.layers] == [
        "image",
        "scaling",
        "vgg16",
        "pool",
        "dropout",
        "logits",
        "probabilities",
    ]


def test_uint8_and_float32_give_the_same_output():
    model = small(seed=1)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = np.asarray(model(images.astype("float32")))
    np.testing.assert_array_equal(np.asarray(model(images)), expected)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, rtol=1e-5)


@pytest.mark.parametrize("backbone", ["cnn4", "cancernet", "mobilenetv3small"])
def test_equal_seeds_give_equal_bits_for_every_global_state(backbone):
    arguments = {"classes": CLASSES, "image_size": 32, "weights": None, "head": "mlp"}
    first = build_model(backbone, seed=5, **arguments)
    keras.utils.set_random_seed(99)
    state, numpy_state = random.getstate(), np.random.get_state()[1].copy()
    second = build_model(backbone, seed=5, **arguments)
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    third = build_model(backbone, seed=6, **arguments)
    assert all(np.array_equal(a, b) for a, b in zip(variables(first), variables(second), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(variables(first), variables(third), strict=True))


def test_equal_seeds_give_equal_dropout():
    images = np.ones((2, 32, 32, 3), "float32")
    outputs = [np.asarray(small(seed=2, dropout=0.5)(images, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(*outputs)


def test_without_a_seed_the_global_state_is_used():
    keras.utils.set_random_seed(1)
    first = small()
    second = small()
    keras.utils.set_random_seed(1)
    third = small()
    assert np.array_equal(variables(first)[0], variables(third)[0])
    assert not np.array_equal(variables(first)[0], variables(second)[0])


def test_the_head_does_not_depend_on_the_backbone():
    heads = [
        small(seed=1, head="mlp", filters=(3, 3, 3, 8)).get_layer("hidden").get_weights()[0],
        small(seed=1, head="mlp", filters=(4, 4, 4, 8)).get_layer("hidden").get_weights()[0],
    ]
    np.testing.assert_array_equal(*heads)


def test_probabilities_are_float32_in_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small()
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.get_layer("cnn4").compute_dtype == "bfloat16"
    assert model.get_layer("logits").compute_dtype == "float32"
    assert np.asarray(model(np.zeros((1, 32, 32, 3)))).dtype == np.float32


def test_the_card_has_the_arguments():
    card = get_card(build_model("mobilenet", classes=CLASSES, image_size=(32, 64), weights=None, alpha=0.25, seed=3))
    assert card.classes == CLASSES
    assert card.image_size == (32, 64)
    assert (card.backbone, card.backbone_options, card.weights) == ("mobilenet", {"alpha": 0.25}, None)
    assert (card.head, card.dropout, card.seed) == ("linear", 0.2, 3)


def test_keras_fit_keeps_the_card():
    model = small(seed=1)
    card = get_card(model)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(np.zeros((4, 32, 32, 3), "uint8"), np.array([0, 1, 0, 1]), epochs=1, verbose=0)
    assert get_card(model) == card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": ("one",)}, "at least two"),
        ({"classes": ("a", "a")}, "twice"),
        ({"classes": ("a", 1)}, "names"),
        ({"classes": "ab"}, "sequence"),
        ({"classes": 2}, "sequence"),
        ({"image_size": 8}, "at least"),
        ({"image_size": (32, "x")}, "image_size"),
        ({"head": "deep"}, "head"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": "half"}, "dropout"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"alpha": 0.5}, "'alpha'"),
        ({"include_top": True}, "'include_top'"),
        ({"weights": 3}, "weights"),
        ({"filters": ("a", "b", "c", "d")}, "cnn4"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ModelError, match=message):
        small(**arguments)


def test_an_unknown_backbone_is_named():
    with pytest.raises(RegistryError, match="cnn4"):
        small(backbone="cnn5")


def test_imagenet_weights_that_do_not_exist_are_refused():
    with pytest.raises(WeightsError, match="weights=None"):
        small(weights="imagenet")


def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ModelError, match="channels_last"):
            small()
    finally:
        keras.config.set_image_data_format("channels_last")


def test_a_factory_must_return_a_keras_model(monkeypatch):
    from breastcls.models import building as build
    from breastcls.models.backbones.backbone import Backbone
    from breastcls.registry import Registry

    registry = Registry("backbone")
    registry.register("odd", Backbone(name="odd", factory=lambda input_shape: "a model"))
    monkeypatch.setattr(build, "BACKBONES", registry)
    with pytest.raises(ModelError, match=r"must return a keras\.Model"):
        build_model("odd", classes=CLASSES)
