"""Configurations as Keras 2 wrote them; they were taken from files of tf_keras 2.21."""

import json

import h5py
import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import ModelError
from breastcls.models.keras_2_config import translate_keras_2
from breastcls.models.persistence import load_model
from support.foreign_models import CLASSES, IMAGES, student_network


def node(kind, name, **config):
    return {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}


def as_keras_2(path, change):
    """Rewrite the configuration in an HDF5 file as Keras 2 has it."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])

        def rewrite(value):
            if isinstance(value, list):
                return [rewrite(one) for one in value]
            if not isinstance(value, dict):
                return value
            found = {key: rewrite(one) for key, one in value.items() if key not in ("module", "registered_name")}
            if "batch_shape" in found:
                found["batch_input_shape"] = found.pop("batch_shape")
            if found.get("class_name") == "DTypePolicy":
                return "float32"
            return change(found) if "class_name" in found else found

        file.attrs["model_config"] = json.dumps(rewrite(config))
        file.attrs["keras_version"] = "2.15.0"


def test_a_network_with_layers_whose_arguments_have_changed(tmp_path):
    layers = keras.layers
    first = [
        layers.RandomFlip(name="flip"),
        layers.DepthwiseConv2D(3, name="depthwise"),
        layers.SeparableConv2D(4, 3, name="separable"),
        layers.BatchNormalization(name="norm"),
    ]
    network = student_network(first=first)
    network.save(tmp_path / "old.h5")
    kernel = {"kernel_initializer": None, "kernel_regularizer": None, "kernel_constraint": None}
    added = {
        "flip": {"rng_type": "stateful"},
        "depthwise": {"groups": 1, **kernel},
        "separable": {"groups": 1, **kernel},
        "norm": {"axis": [3], "renorm": False, "fused": True},
    }

    def change(found):
        found["config"] = {**found["config"], **added.get(found["config"].get("name"), {})}
        return found

    as_keras_2(tmp_path / "old.h5", change)
    model = load_model(tmp_path / "old.h5", classes=CLASSES, scaling="none")
    expected = network.predict(IMAGES.astype(np.float32), verbose=0)[:, 0]
    np.testing.assert_allclose(bc.predict(model, IMAGES).probabilities[:, 1], expected, atol=1e-6)


def test_a_nested_backbone_gives_a_tensor(tmp_path):
    inner_input = keras.Input((16, 16, 3))
    inner = keras.Model(inner_input, keras.layers.Conv2D(2, 3, name="conv")(inner_input), name="inner")
    network = keras.Sequential([keras.Input((16, 16, 3)), inner, keras.layers.Flatten(), keras.layers.Dense(1)])
    network.save(tmp_path / "old.h5")

    def change(found):
        if found["class_name"] == "Functional":
            for ports in ("input_layers", "output_layers"):
                found["config"][ports] = [found["config"][ports]]
        return found

    as_keras_2(tmp_path / "old.h5", change)
    model = load_model(tmp_path / "old.h5")
    images = IMAGES.astype(np.float32)
    np.testing.assert_allclose(model.predict(images, verbose=0), network.predict(images, verbose=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [("math.truediv", 127.5, (1 / 127.5, 0.0)), ("math.subtract", 1.0, (1.0, -1.0)), ("math.multiply", 2, (2.0, 0.0))],
)
def test_operations_of_preprocess_input_become_scalings(function, value, expected):
    operation = {
        **node("TFOpLambda", f"tf.{function}", function=function),
        "inbound_nodes": [["input_1", 0, 0, {"y": value, "name": None}]],
    }
    found = translate_keras_2([operation])[0]
    assert found["class_name"] == "Rescaling"
    assert (found["config"]["scale"], found["config"]["offset"]) == expected
    assert found["inbound_nodes"] == [[["input_1", 0, 0, {}]]]
    for other in ("image", [1.0, 2.0], 0, True):
        operation["inbound_nodes"][0][3]["y"] = other
        assert translate_keras_2(operation)["class_name"] == "TFOpLambda"


def test_what_would_change_the_network_is_kept():
    convolution = node("Conv2D", "grouped", groups=4)
    assert translate_keras_2(convolution) == convolution
    assert translate_keras_2(node("DepthwiseConv2D", "x", groups=2))["config"]["groups"] == 2
    assert translate_keras_2(node("BatchNormalization", "x", renorm=True))["config"]["renorm"] is True


def test_a_keras_file_of_keras_2_says_how_to_get_another(tmp_path):
    import zipfile

    student_network().save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as source, zipfile.ZipFile(tmp_path / "old.keras", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "metadata.json":
                content = json.dumps({"keras_version": "2.15.0"}).encode()
            if name == "config.json":
                content = content.replace(b'"units"', b'"output_dim"')
            target.writestr(name, content)
    with pytest.raises(ModelError, match=r"Keras 2\.15\.0 saved it\..*save it as '\.h5'"):
        load_model(tmp_path / "old.keras")
