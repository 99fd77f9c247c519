import re
from pathlib import Path

import keras
import pytest

import breastcls
from breastcls.models.keras_internals import find_seed_generators, flatten_layers, is_functional, recorded_calls


def build():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5, name="dropout")], name="inner")
    inputs = keras.Input((4,), name="inputs")
    value = inner(inputs)
    return keras.Model(inputs, keras.layers.Add(name="add")([value, inputs]), name="outer")


def test_private_parts_are_used_in_one_file_only():
    """An attribute with a leading underscore of anything but `self` or `cls`; those of named tuples are public."""
    private = re.compile(r"(?<!\bself)(?<!\bcls)\._(?!asdict\b|replace\b|fields\b)[a-z]|keras\.src|super\(\)\._[a-z]")
    root = Path(breastcls.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        # The second is a name inside files of PyTorch, which is compared and never imported.
        if private.search(re.sub(r"breastcls\._version|torch\._utils", "", path.read_text(encoding="utf-8")))
    }
    # KerasCV repeats a draw only through its private generators; augmentation is a layer below models.
    assert found == {"models/keras_internals.py", "augmentation/keras_cv_operations.py"}


def test_layers_are_listed_from_the_outside_in():
    model = build()
    layers = flatten_layers(model)
    places = [layers.index(layer) for layer in (model, model.get_layer("inner"), model.get_layer("inner").layers[-1])]
    assert places == sorted(places)
    assert model not in flatten_layers(model, include_self=False)


def test_each_random_generator_is_listed_once():
    model = build()
    generators = find_seed_generators(model)
    assert generators == [model.get_layer("inner").get_layer("dropout").seed_generator]


def test_calls_come_after_those_whose_outputs_they_read():
    assert [node.operation.name for node in recorded_calls(build())] == ["inner", "add"]


@pytest.mark.parametrize("kind", ["functional", "subclass", "layer"])
def test_a_subclass_with_its_own_call_is_not_functional(kind):
    class Doubled(keras.Model):
        def call(self, inputs, training=None, mask=None):
            return 2 * super().call(inputs, training=training, mask=mask)

    model = build()
    made = {
        "functional": model,
        "subclass": Doubled(model.inputs, model.outputs),
        "layer": keras.layers.Dense(2),
    }[kind]
    assert is_functional(made) == (kind == "functional")
