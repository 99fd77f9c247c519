import dataclasses
import json

import pytest

from breastcls.errors import EvaluationError, ModelError
from breastcls.models.model_card import ModelCard
from breastcls.models.sidecar import Sidecar, hash_model, read_sidecar, sidecar_path, write_sidecar

CARD = ModelCard(
    classes=("benign", "malignant"),
    image_size=(32, 48),
    backbone="vgg16",
    weights="imagenet",
    resize="pad",
    threshold=0.3,
    temperature=2.0,
    provenance={"export": {"format": "onnx", "calibration_in_graph": True}},
)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "first.onnx"
    path.write_bytes(b"a network")
    write_sidecar(Sidecar("onnx", path.name, hash_model(path), CARD, opset=18, parity={"images": 8}), path)
    return path


def test_it_is_read_as_it_was_written(model):
    sidecar = read_sidecar(model)
    assert sidecar.card == CARD
    assert (sidecar.format, sidecar.opset, sidecar.parity, sidecar.quantization) == ("onnx", 18, {"images": 8}, None)
    assert sidecar.calibration_in_graph
    sidecar.check_files(model)
    assert read_sidecar(model.with_name("other.onnx")) is None


def test_it_needs_no_knowledge_of_breastcls(model):
    values = json.loads(sidecar_path(model).read_text(encoding="utf-8"))
    assert values["class_names"] == ["benign", "malignant"]
    assert values["positive_class"] == "malignant"
    assert values["decision"]["threshold"] == 0.3
    assert values["input"]["shape"] == [None, 32, 48, 3]
    assert values["transform"][-1]["arguments"] | {"fill": 0} == {
        "size": [32, 48],
        "mode": "pad",
        "downscale": "area (cv2.INTER_AREA)",
        "upscale": "bilinear (cv2.INTER_LINEAR)",
        "fill": 0,
    }
    assert values["calibration"] == {"in_graph": True, "method": "temperature", "level": "image"}
    assert values["weights"]["licence"].startswith("CC BY 4.0")


def test_another_content_is_detected_under_another_name_too(model):
    moved = model.with_name("second.onnx")
    sidecar_path(model).rename(sidecar_path(moved))
    model.rename(moved)
    read_sidecar(moved).check_files(moved)
    moved.write_bytes(b"a netw")
    with pytest.raises(ModelError, match=r"second\.onnx is not the file that was exported.*truncated"):
        read_sidecar(moved).check_files(moved)


def test_a_second_file_is_checked(tmp_path):
    for name in ("first.xml", "first.bin"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    path = tmp_path / "first.xml"
    sidecar = Sidecar("openvino", path.name, hash_model(path), CARD)
    sidecar.check_files(path)
    (tmp_path / "first.bin").unlink()
    with pytest.raises(ModelError, match=r"first\.bin is missing"):
        sidecar.check_files(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "reads versions up to"),
        ({"schema": "x"}, "schema version"),
        ({"format": "pickle"}, "format is 'pickle'"),
        ({"files": {"../x": "0"}}, "outside of its folder"),
        ({"files": {"C:\\x": "0"}}, "outside of its folder"),
        ({"files": ["x"]}, "files is"),
        ({"card": {"schema": 2}}, "lacks the fields"),
        ({"class_names": ["malignant", "benign"]}, "by its card"),
        ({"decision": {"threshold": 0.9}}, "by its card"),
    ],
)
def test_damage_is_an_error_that_names_the_file(model, change, message):
    file = sidecar_path(model)
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(ModelError, match=message) as caught:
        read_sidecar(model)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "\u0000"])
def test_what_is_no_sidecar_is_an_error(model, text):
    sidecar_path(model).write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"first\.onnx\.json"):
        read_sidecar(model)


def test_a_calibration_in_the_graph_is_recorded_and_not_applied_again():
    import numpy as np

    from breastcls.models.probability_rule import classify_outputs

    outputs = np.array([[0.8, 0.2]], np.float32)
    found = classify_outputs([outputs], CARD)
    assert found.probabilities.tolist() == outputs.tolist()
    assert found.calibration["method"] == "temperature"
    outside = dataclasses.replace(CARD, provenance={})
    assert classify_outputs([outputs], outside).probabilities[0, 1] == pytest.approx(1 / 3)
    assert classify_outputs([outputs], outside).calibration == found.calibration
    with pytest.raises(EvaluationError, match="part of its graph"):
        classify_outputs([outputs, outputs], CARD)
