"""The choice of an engine, and the conversion of a model that it makes once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from breastcls.errors import ModelError, ModelWarning, RegistryError
from breastcls.models.building import build_model
from breastcls.models.engines import choose_engine, converted_network
from breastcls.models.engines.choose_engine import open_runner, open_session
from breastcls.models.engines.engine_record import record_engine
from breastcls.models.engines.engine_registry import ENGINES, list_engines
from breastcls.models.model_card import get_card, set_card
from breastcls.predictions.predict import predict

CLASSES = ("benign", "malignant")


@pytest.fixture(scope="module")
def model():
    built = build_model("cnn4", classes=CLASSES, image_size=32, seed=7)
    set_card(built, get_card(built).replace(threshold=0.4, temperature=2.0))
    return built


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def _no_export(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the model is converted again")

    monkeypatch.setattr(keras.Model, "export", refuse)


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def engine(request, model):
    open_session(model, request.param)
    return request.param


@pytest.mark.usefixtures("_no_export")
def test_a_converted_model_predicts_what_keras_does_and_is_stored(model, engine, images):
    keras_made, made = predict(model, images), predict(model, images, batch_size=4, engine=engine)
    np.testing.assert_allclose(made.probabilities, keras_made.probabilities, atol=1e-6)
    assert made.threshold == 0.4
    assert made.calibration == keras_made.calibration
    assert made.engine == {"name": engine, "version": ENGINES[engine].version, "precision": "float32"}
    assert keras_made.engine["name"] == "keras"
    assert f"{ENGINES[engine].version}, float32" in str(made)
    assert json.loads(made.to_json())["engine"]["name"] == engine
    session = open_session(model, engine)
    np.testing.assert_array_equal(predict(session, images, batch_size=4).probabilities, made.probabilities)


@pytest.mark.usefixtures("_no_export")
def test_eight_threads_predict_what_one_does(model, engine, images):
    session = open_session(model, engine)
    for runner, name in ((session, None), (model, engine), (model, "keras")):
        expected = [predict(runner, images[number:], engine=name).probabilities for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda number: predict(runner, images[number:], engine=name).probabilities, range(8)))  # noqa: B023
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_other_weights_are_converted_anew(model, engine, images):
    changed = keras.models.clone_model(model)
    changed.set_weights([weight * 1.5 for weight in model.get_weights()])
    set_card(changed, get_card(model))
    before, after = (predict(one, images, engine=engine).probabilities for one in (model, changed))
    assert np.abs(before - after).max() > 1e-3
    np.testing.assert_allclose(after, predict(changed, images).probabilities, atol=1e-6)


def test_a_damaged_stored_network_is_converted_again(model, engine, images, tmp_path, monkeypatch):
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path))
    open_session(model, engine)
    [folder] = (tmp_path / "engines").iterdir()
    [weights] = [path for path in folder.iterdir() if path.suffix in (".bin", ".onnx")]
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    weights.unlink()
    weights.write_bytes(content)
    np.testing.assert_allclose(open_session(model, engine).run(images), model.predict(images, verbose=0), atol=1e-6)


def test_a_model_whose_layers_may_change_is_not_stored(images, tmp_path, monkeypatch):
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path))

    class Own(keras.layers.Layer):
        def call(self, inputs):
            return keras.ops.softmax(keras.ops.mean(inputs, axis=(1, 2)) / 100.0)

    inputs = keras.Input((32, 32, 3))
    own = keras.Model(inputs, Own()(inputs))
    session = open_session(own, "openvino")
    assert predict(own, images, classes=("a", "b", "c"), engine="openvino").engine["name"] == "openvino"
    np.testing.assert_allclose(session.run(images), own.predict(images, verbose=0), atol=1e-6)
    assert not (tmp_path / "engines").exists()


def test_a_cache_that_cannot_be_written_is_no_obstacle(model, images, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("BREASTCLS_CACHE", str(blocked))
    with pytest.warns(ModelWarning, match="cannot be stored"):
        session = open_session(model, "openvino")
    assert session.run(images).shape == (10, 2)


def test_a_model_that_differs_falls_back_or_is_an_error(images, tmp_path, monkeypatch):
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path))
    other = build_model("cnn4", classes=CLASSES, image_size=32, seed=8)
    monkeypatch.setattr(converted_network, "measure_difference", lambda *_: 0.01)
    with pytest.raises(ModelError, match=r"differ from those of Keras by up to 0\.01; at most 0\.0001"):
        predict(other, images, engine="openvino")
    # The result of the comparison is remembered.
    monkeypatch.undo()
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path))
    with pytest.warns(ModelWarning, match=r"engine='auto' runs Keras: The outputs of openvino differ"):
        made = predict(other, images, engine="auto")
    assert made.engine["name"] == "keras"
    assert "differ from those of Keras" in made.engine["note"]
    assert "differ from those of Keras" in str(made)
    np.testing.assert_array_equal(made.probabilities, predict(other, images).probabilities)


def test_auto_is_a_fixed_rule(model, monkeypatch):
    assert record_engine(open_runner(model, "auto"))["name"] == "openvino"
    monkeypatch.setattr(choose_engine, "has_gpu", lambda: True)
    assert record_engine(open_runner(model, "auto"))["note"] == "there is a GPU"
    monkeypatch.undo()
    monkeypatch.setattr("breastcls.models.engines.engine_registry.is_installed", lambda name: name == "onnx")
    assert "installed" in record_engine(open_runner(model, "auto"))["note"]
    with pytest.raises(ModelError, match=r'engine=.openvino.*pip install "breastcls\[openvino\]"'):
        open_runner(model, "openvino")
    assert "not installed" in str(list_engines())
    with pytest.raises(RegistryError, match=r"No engine is named 'openvin'. Did you mean 'openvino'"):
        open_runner(model, "openvin")


def test_a_session_runs_on_its_own_engine_only(model):
    session = open_session(model, "keras")
    assert open_runner(session, "auto") is session
    with pytest.raises(ModelError, match="keras runs"):
        open_runner(session, "openvino")
    with pytest.raises(ModelError, match=r"Expected a keras\.Model"):
        open_session(session)


_OFFLINE = """
import socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("a socket is opened")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import numpy as np
import breastcls as bc

model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
images = np.zeros((2, 32, 32, 3), np.uint8)
for engine in ("keras", "openvino", "onnxruntime", "auto"):
    print(bc.predict(model, images, engine=engine).engine["name"])
print(sys.modules.get("openvino_telemetry"))
"""


def test_every_engine_runs_without_network_and_telemetry(tmp_path):
    # A new process, because OpenVINO reports when it is imported; a new home, because consent is stored there.
    environment = {**os.environ, "HOME": str(tmp_path), "CI": "", "BREASTCLS_CACHE": str(tmp_path / "cache")}
    found = subprocess.run(
        [sys.executable, "-c", _OFFLINE], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-3000:]
    assert found.stdout.split() == ["keras", "openvino", "onnxruntime", "openvino", "None"]
    assert not (tmp_path / "intel").exists()


def test_a_model_with_normalization_layers_runs_on_onnx_runtime(images):
    """EfficientNet has one, whose statistics would become inputs of the ONNX graph."""
    layer = keras.layers.Normalization(mean=(120.0, 100.0, 90.0), variance=(60.0**2,) * 3)
    pixels = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(layer(pixels))
    model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(pooled))
    mean = layer.mean
    found = predict(model, images, classes=CLASSES, engine="onnxruntime")
    np.testing.assert_allclose(found.probabilities, predict(model, images, classes=CLASSES).probabilities, atol=1e-5)
    assert layer.mean is mean


def test_a_full_disk_is_not_recorded_as_a_property_of_the_model(model, images, tmp_path, monkeypatch):
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path))

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "export", fail)
        with (
            pytest.warns(ModelWarning, match="cannot be stored"),
            pytest.raises(ModelError, match=r"openvino cannot be written to .*No space left on device"),
        ):
            open_session(model, "openvino")
        with (
            pytest.warns(ModelWarning, match=r"engine='auto' runs Keras: .*No space left"),
            pytest.warns(ModelWarning, match="cannot be stored"),
        ):
            assert open_session(model, "auto").engine == "keras"
    assert open_session(model, "openvino").run(images).shape == (10, 2)
