"""Keras files of others: HDF5, code in the file, layers that are not known."""

import json
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import ModelError
from breastcls.models.persistence import load_model
from support.foreign_models import CLASSES, IMAGES, student_network


class Doubled(keras.layers.Layer):
    def call(self, values):
        return values * 2.0


def test_code_in_a_file_is_refused_and_can_be_allowed(tmp_path):
    network = student_network(first=[keras.layers.Lambda(lambda values: values / 255, name="divide")])
    expected = network.predict(IMAGES.astype(np.float32), verbose=0)[:, 0]
    for suffix in (".keras", ".h5"):
        path = tmp_path / f"model{suffix}"
        network.save(path)
        with pytest.raises(ModelError, match=r"Lambda layers \('divide'\)\. .*load_model\(path, safe_mode=False\)"):
            load_model(path, classes=CLASSES)
        with pytest.raises(ModelError, match="Python code"):
            bc.predict(path, IMAGES, classes=CLASSES)
        model = load_model(path, classes=CLASSES, safe_mode=False)
        np.testing.assert_allclose(bc.predict(model, IMAGES).probabilities[:, 1], expected, atol=1e-6)
        halved = load_model(path, classes=CLASSES, scaling=0.5, safe_mode=False)
        assert halved.get_layer("divide") is not None


def test_layers_that_keras_does_not_know(tmp_path):
    network = student_network(first=[Doubled()])
    for suffix in (".keras", ".h5"):
        path = tmp_path / f"model{suffix}"
        network.save(path)
        with pytest.raises(
            ModelError, match=r"'[\w.]*Doubled'\. Import the package.*custom_objects={'Doubled': Doubled}"
        ):
            load_model(path)
        model = load_model(path, classes=CLASSES, custom_objects={"Doubled": Doubled})
        assert bc.predict(model, IMAGES).probabilities.shape == (5, 2)


def test_operations_of_keras_2_that_have_no_layer(tmp_path):
    student_network(first=[keras.layers.Identity(name="crop")]).save(tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1].update(class_name="TFOpLambda", module=None)
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ModelError, match=r"saved by Keras 2 with operations of TensorFlow.*tf2onnx"):
        load_model(tmp_path / "old.h5", classes=CLASSES)


def test_hdf5_files_without_a_model(tmp_path):
    student_network().save_weights(tmp_path / "own.weights.h5")
    with pytest.raises(ModelError, match=r"contains the weights .* not its architecture.*model\.load_weights"):
        load_model(tmp_path / "own.weights.h5")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"], file["y"] = [1], [2]
    with pytest.raises(ModelError, match="no Keras model; found 'x', 'y'"):
        load_model(tmp_path / "data.h5")
    student_network().save(tmp_path / "whole.h5")
    content = (tmp_path / "whole.h5").read_bytes()
    for part in (0.2, 0.6, 0.99):
        (tmp_path / "cut.h5").write_bytes(content[: int(len(content) * part)])
        with pytest.raises(ModelError, match=r"cut\.h5"):
            load_model(tmp_path / "cut.h5")


def test_files_of_another_kind_than_their_name_says(tmp_path):
    student_network().save(tmp_path / "a.h5")
    student_network().save(tmp_path / "b.keras")

    def archive(name, *members):
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            for member in members:
                file.writestr(member, "x")

    class Boom:
        def __reduce__(self):
            return (exec, ("raise SystemExit('the pickle was read')",))

    (tmp_path / "a.h5").rename(tmp_path / "a.keras")
    (tmp_path / "b.keras").rename(tmp_path / "b.h5")
    archive("c.pth", "archive/data.pkl")
    archive("d.pt", "archive/data.pkl", "archive/constants.pkl", "archive/code/net.py")
    for name in ("e.pkl", "f.onnx", "g.pth"):
        (tmp_path / name).write_bytes(pickle.dumps(Boom()))
    (tmp_path / "h.joblib").write_bytes(b"\x78\x9c\x00")
    (tmp_path / "i.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0", encoding="utf-8")
    (tmp_path / "j.h5").write_text("<!DOCTYPE html><html></html>", encoding="utf-8")
    (tmp_path / "k.h5").write_bytes(b"")
    (tmp_path / "l.bin").write_bytes(b"\x00\x01")
    (tmp_path / "m.txt").write_text("weights", encoding="utf-8")
    (tmp_path / "n.safetensors").write_bytes(b"\x00")
    expected = {
        "a.keras": r"content of a '\.h5' file .* Rename it to 'a\.h5'",
        "b.h5": r"content of a '\.keras' file",
        "c.pth": r"a pickle: .*torch\.onnx\.export",
        "d.pt": "TorchScript",
        "e.pkl": "a pickle: reading it can run any code",
        "f.onnx": "a pickle: reading it can run any code",
        "g.pth": r"torch\.onnx\.export",
        "h.joblib": "from_arrays",
        "i.onnx": "git lfs pull",
        "j.h5": "web page",
        "k.h5": "is empty",
        "l.bin": r"'\.xml' file beside it",
        "m.txt": "no model in a known format",
        "n.safetensors": "weights without a network",
    }
    for name, message in expected.items():
        with pytest.raises(ModelError, match=message):
            load_model(tmp_path / name)


@pytest.mark.parametrize("version", ["3.12.0", "2.15.0"])
def test_weights_in_another_file_are_refused(tmp_path, version):
    student_network().save(tmp_path / "other.h5")
    student_network(first=[keras.layers.BatchNormalization(name="norm")]).save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        if version.startswith("2"):
            file.attrs["model_config"] = file.attrs["model_config"].replace('"axis": -1', '"axis": [3]')
        del file["model_weights"]
        file["model_weights"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/model_weights")
    with pytest.raises(ModelError, match=r"model\.h5"):
        load_model(tmp_path / "model.h5")
