import json
import os
import shutil
import socket

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.calibration import fit_calibrator, store_calibration
from breastcls.errors import EvaluationError, ModelError, OutputError
from breastcls.export import export_model
from breastcls.export.export_formats import choose_format
from breastcls.export.parity import Parity
from breastcls.models import get_card, set_card
from breastcls.models.sidecar import read_sidecar, sidecar_path

NAMES = {"saved_model": "model", "onnx": "model.onnx", "openvino": "model.xml", "litert": "model.tflite"}
BINARY = ("benign", "malignant")
THREE = ("A", "F", "PT")
DRAW = np.random.default_rng(0)
# Each image has a colour of its own, so that the probabilities differ.
IMAGES = (DRAW.integers(0, 128, (24, 1, 1, 3)) + DRAW.integers(0, 128, (24, 32, 32, 3))).astype(np.uint8)

pytestmark = pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")


def make_model(classes=BINARY, head="linear", seed=1):
    """A network of a few layers whose probabilities differ from image to image."""
    model = bc.build_model("cnn4", classes=classes, image_size=32, head=head, filters=(4, 4, 4, 8), seed=seed)
    logits = model.get_layer("logits")
    features = keras.Model(model.inputs[0], logits.input)(IMAGES.astype(np.float32), training=False)
    values = np.asarray(features)
    generator = np.random.default_rng(seed)
    kernel = generator.normal(size=logits.kernel.shape) / values.std(axis=0).mean() * 0.7
    logits.set_weights([kernel, -(values @ kernel).mean(axis=0)])
    return model


def calibrate(model, method):
    card = get_card(model)
    labels = np.arange(len(IMAGES)) % len(card.classes)
    cases = [f"19-{number % 12}" for number in range(len(IMAGES))]
    found = bc.predict(model, IMAGES, labels=labels, cases=cases)
    store_calibration(model, fit_calibrator(found, method))
    if len(card.classes) == 2:
        card = get_card(model)
        scores = np.unique(bc.predict(model, IMAGES).probabilities[:, 1])
        pair = scores[len(scores) // 2 - 1 :][:2]
        set_card(model, card.replace(threshold=float(pair.mean())))
    return model


def load(path):
    return bc.load_model(path, **({"safe_mode": False} if path.is_dir() else {}))


def check_loaded(model, path):
    expected = bc.predict(model, IMAGES)
    loaded = load(path)
    found = bc.predict(loaded, IMAGES)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=5e-5)
    assert found.threshold == expected.threshold
    assert (found.calibration or {}).get("fingerprint") == (expected.calibration or {}).get("fingerprint")
    np.testing.assert_array_equal(found.decisions, expected.decisions)
    # One image gives what it gives in a batch.
    one = bc.predict(loaded, IMAGES[:1])
    np.testing.assert_allclose(one.probabilities, expected.probabilities[:1], atol=5e-5)


@pytest.fixture(scope="module")
def calibrated():
    return calibrate(make_model(), "platt")


@pytest.fixture(scope="module")
def exported(calibrated, tmp_path_factory):
    """Export the calibrated model in a format, once, without a network; return the report and a copy of the files."""

    def refuse(*_):
        raise AssertionError("a connection was opened")

    made = {}

    def export(format, folder):
        if format not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(socket.socket, "connect", refuse)
                patch.setattr(socket, "create_connection", refuse)
                path = tmp_path_factory.mktemp(format) / NAMES[format]
                made[format] = export_model(calibrated, path, check=IMAGES)
        shutil.copytree(made[format].path.parent, folder, dirs_exist_ok=True)
        return made[format], folder / NAMES[format]

    return export


@pytest.mark.parametrize("format", NAMES)
def test_every_format_gives_what_predict_gives(format, tmp_path, calibrated, exported):
    report, path = exported(format, tmp_path)
    check_loaded(calibrated, path)
    assert report.sidecar.format == format
    assert report.parity.images == len(IMAGES)
    assert report.parity.near_images > 4
    assert report.parity.decisions_changed == 0
    # Nothing but the files, and in none of them a path of this machine.
    expected = {path.name, f"{path.name}.json"} | ({"model.bin"} if format == "openvino" else set())
    assert {file.name for file in tmp_path.iterdir()} == expected
    for file in (file for file in tmp_path.rglob("*") if file.is_file()):
        content = file.read_bytes()
        assert str(report.path.parent.parent).encode() not in content
        assert b"site-packages" not in content


@pytest.mark.parametrize(
    ("classes", "method"),
    [(BINARY, "temperature"), (BINARY, "isotonic"), (THREE, "isotonic"), (THREE, "vector"), (THREE, "dirichlet")],
)
def test_every_calibration_is_in_the_graph(classes, method, tmp_path):
    model = calibrate(make_model(classes), method)
    export_model(model, tmp_path / "model.onnx", check=IMAGES)
    check_loaded(model, tmp_path / "model.onnx")
    # Without breastcls, the outputs are calibrated already.
    session = pytest.importorskip("onnxruntime").InferenceSession(str(tmp_path / "model.onnx"))
    [outputs] = session.run(["probabilities"], {"image": IMAGES.astype(np.float32)})
    np.testing.assert_allclose(outputs, bc.predict(model, IMAGES).probabilities, atol=1e-5)
    assert np.abs(outputs - model.predict_on_batch(IMAGES)).max() > 1e-3


@pytest.mark.parametrize(
    "kind", ["mlp", "flatten-mlp", "one output", "normalization", "ensemble", "ensemble of two sizes"]
)
def test_every_kind_of_model(kind, tmp_path):
    if kind == "one output":
        inner = make_model()
        positive = keras.layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.RandomNormal(0, 0.5, 1))
        model = keras.Model(inner.inputs[0], positive(inner.get_layer("logits").output))
        set_card(model, bc.models.ModelCard(classes=BINARY, image_size=(32, 32)))
    elif kind == "normalization":
        inner, image = make_model(), keras.Input((32, 32, 3))
        scaled = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 1.1, 1.2])(image)
        model = keras.Model(image, keras.Model(inner.inputs[0], inner.outputs[0])(scaled))
        set_card(model, bc.models.ModelCard(classes=BINARY, image_size=(32, 32)))
    elif kind.startswith("ensemble"):
        other = make_model(seed=2)
        if kind == "ensemble of two sizes":
            other = bc.build_model("cnn4", classes=BINARY, image_size=(24, 20), filters=(4, 4, 4, 8), seed=2)
        set_card(other, get_card(other).replace(temperature=2.0))
        model = bc.models.build_ensemble([make_model(), other], average="logits", weights=[1, 3])
    else:
        model = make_model(head=kind)
    name = "model.onnx" if kind == "normalization" else "model.xml"
    export_model(model, tmp_path / name, check=IMAGES)
    check_loaded(model, tmp_path / name)


def test_the_names_of_inputs_and_outputs_and_the_batch(tmp_path, exported):
    onnx = pytest.importorskip("onnx")
    report, path = exported("onnx", tmp_path)
    model = onnx.load(str(path))
    ports = [
        (port.name, [side.dim_param or side.dim_value for side in port.type.tensor_type.shape.dim])
        for port in (*model.graph.input, *model.graph.output)
    ]
    assert ports == [("image", ["batch", 32, 32, 3]), ("probabilities", ["batch", 2])]
    assert {one.domain: one.version for one in model.opset_import}[""] == 18 == report.sidecar.opset


def test_the_report_and_the_sidecar(tmp_path, calibrated):
    report = export_model(calibrated, tmp_path / "model.onnx")
    text = str(report)
    assert "8 synthetic images" in text
    assert "The calibration (platt) is part of the graph" in text
    assert str(tmp_path) not in report.to_json()
    sidecar = read_sidecar(tmp_path / "model.onnx")
    assert sidecar.to_dict() == report.sidecar.to_dict()
    assert sidecar.parity["largest_difference"] == report.parity.largest_difference
    assert sidecar.card.threshold == get_card(calibrated).threshold
    # By default no name of a case is published.
    names = sidecar_path(tmp_path / "model.onnx").read_text(encoding="utf-8")
    assert "19-3" not in names
    assert json.loads(names)["card"]["provenance"]["names_omitted"] == {"calibration": {"cases": 12}}


def test_names_of_cases_are_kept_on_request_so_that_leaks_are_found(tmp_path, calibrated):
    path = tmp_path / "model.onnx"
    export_model(calibrated, path, case_names="keep")
    found = bc.predict(bc.load_model(path), IMAGES, labels=[0, 1] * 12, cases=["19-3"] * 12 + ["20-1"] * 12)
    with pytest.raises(bc.errors.LeakageError, match="19-3"):
        bc.evaluate(found)
    names = bc.predictions.Pseudonyms.of(get_card(calibrated).provenance)
    export_model(calibrated, path, case_names=names, overwrite=True)
    assert "19-3" not in sidecar_path(path).read_text(encoding="utf-8")
    assert read_sidecar(path).card.provenance["calibration"]["cases"][0].startswith("case-")
    with pytest.raises(ModelError, match="case_names='hide'"):
        export_model(calibrated, path, case_names="hide", overwrite=True)


def test_an_existing_file_is_replaced_on_request_only(tmp_path, calibrated, exported):
    _, path = exported("saved_model", tmp_path)
    first = read_sidecar(path).files
    with pytest.raises(OutputError, match=r"model and .*model\.json exist already.*overwrite=True"):
        export_model(calibrated, path)
    export_model(make_model(seed=5), path, overwrite=True)
    assert read_sidecar(path).files != first
    assert {file.name for file in tmp_path.iterdir()} == {"model", "model.json"}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results.csv").write_text("1", encoding="utf-8")
    with pytest.raises(OutputError, match="folder with other files"):
        export_model(calibrated, tmp_path / "other", overwrite=True)


def test_nothing_is_left_where_the_probabilities_differ_or_writing_fails(tmp_path, calibrated, exported, monkeypatch):
    _, path = exported("openvino", tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ModelError, match=r"differ from those of Keras by up to .*No file was written"):
        export_model(calibrated, path, tolerance=1e-12, overwrite=True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    with monkeypatch.context() as patch:
        moved = []

        replace = os.replace

        def fail(source, target):
            moved.append(target)
            if len(moved) == 4:
                raise OSError(28, "No space left on device")
            replace(source, target)

        patch.setattr("breastcls.export.model_files.os.replace", fail)
        with pytest.raises(OutputError, match="No space left"):
            export_model(make_model(seed=5), path, overwrite=True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("model.onnx", {"format": "pickle"}, "format is 'pickle'; expected one of"),
        ("model.tflite", {"format": "onnx"}, r"must end in '\.onnx'"),
        ("model.keras", {}, "no format has this suffix"),
        ("model.onnx", {"format": "saved_model"}, "is a folder"),
        ("model.onnx", {"tolerance": 0}, "tolerance=0"),
        ("model.onnx", {"quantize": IMAGES}, "`quantize` is for format='openvino'"),
        ("model.xml", {"quantize": IMAGES}, "expected a Dataset"),
    ],
)
def test_wrong_arguments(path, options, message, tmp_path, calibrated):
    with pytest.raises(ModelError, match=message):
        export_model(calibrated, tmp_path / path, **options)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported(tmp_path, calibrated, exported):
    with pytest.raises(ModelError, match=r"has no card.*load_model\(path, classes="):
        export_model(keras.Model(calibrated.inputs[0], calibrated.outputs[0]), tmp_path / "again.onnx")
    _, path = exported("onnx", tmp_path)
    with pytest.raises(ModelError, match="needs a Keras model"):
        export_model(bc.load_model(path), tmp_path / "again.onnx")
    with pytest.raises(EvaluationError, match="part of its graph"):
        store_calibration(bc.load_model(path), None)
    with pytest.raises(EvaluationError, match="part of its graph"):
        bc.predict(path, IMAGES, tta="dihedral")


def test_half_precision_is_exported_as_a_saved_model_only(tmp_path):
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = bc.build_model("cnn4", classes=BINARY, image_size=32, filters=(4, 4, 4, 8), seed=1)
    finally:
        keras.config.set_dtype_policy(policy)
    with pytest.raises(ModelError, match=r"computes in bfloat16.*format='saved_model'"):
        export_model(model, tmp_path / "model.onnx")
    assert export_model(model, tmp_path / "model").parity.largest_difference < 1e-6


def test_a_missing_package_is_named_with_its_extra(tmp_path, calibrated, monkeypatch):
    monkeypatch.setattr("breastcls.export.export_formats.is_installed", lambda name: name != "tf2onnx")
    with pytest.raises(ModelError, match=r'tf2onnx, which is not installed.*"breastcls\[onnx\]"'):
        export_model(calibrated, tmp_path / "model.onnx")


@pytest.mark.parametrize("format", NAMES)
def test_a_truncated_file_is_an_error(format, tmp_path, exported):
    _, path = exported(format, tmp_path)
    file = {"openvino": path.with_suffix(".bin"), "saved_model": path / "saved_model.pb"}.get(format, path)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"not the file that was exported: its SHA-256 differs"):
        load(path)
    sidecar_path(path).unlink()
    with pytest.raises(ModelError, match=r"damaged"):
        load(path)


def test_evaluate_takes_an_exported_file(tmp_path, calibrated, exported):
    data = bc.datasets.make_breakhis(
        tmp_path / "images", magnifications=(200,), slides_per_subtype=2, images_per_slide=1, image_size=(40, 60)
    )
    test = bc.load_breakhis(data)
    _, path = exported("onnx", tmp_path)
    found = bc.evaluate(path, test, bootstrap=bc.intervals.Bootstrap(20))
    expected = bc.predict(calibrated, test)
    np.testing.assert_allclose(found.predictions.probabilities, expected.probabilities, atol=5e-5)
    np.testing.assert_array_equal(found.predictions.decisions, expected.decisions)


@pytest.mark.slow
def test_int8_states_how_it_changes_the_predictions(tmp_path, calibrated):
    pytest.importorskip("nncf")
    folder = bc.datasets.make_breakhis(
        tmp_path / "images", magnifications=(200,), slides_per_subtype=3, images_per_slide=1, image_size=(40, 60)
    )
    data = bc.load_breakhis(folder)
    path = tmp_path / "model.xml"
    report = export_model(calibrated, path, quantize=data)
    found = report.quantization
    assert found["calibration_images"] == found["change"]["images"] == len(data)
    assert 0 < found["change"]["largest_difference"] < 0.5
    metric = found["metric"]
    assert metric["difference"] == pytest.approx(metric["int8"] - metric["float32"])
    assert "balanced accuracy" in str(report).lower()
    loaded = bc.load_model(path)
    assert loaded.session.precision == "int8"
    assert read_sidecar(path).quantization == found
    expected = bc.predict(calibrated, data)
    change = np.abs(bc.predict(loaded, data).probabilities - expected.probabilities).max()
    assert change == pytest.approx(found["change"]["largest_difference"], abs=1e-4)
    assert {file.name for file in tmp_path.iterdir()} == {"images", "model.xml", "model.bin", "model.xml.json"}


def test_parity_counts_what_is_not_a_number_as_different():
    from breastcls.export.parity import _differences
    from breastcls.models.probability_rule import classify_outputs

    good = classify_outputs([np.array([[0.4, 0.6]], np.float32)], None)
    bad = classify_outputs([np.array([[np.nan, np.nan]], np.float32)], None)
    largest, _, changed = _differences([good], [bad])
    assert (largest, changed) == (float("inf"), 1)
    assert Parity("given images", 1, largest, 0.0, 1).to_dict()["decisions_changed"] == 1


def test_a_folder_without_a_suffix_is_a_saved_model_by_name_too(tmp_path):
    assert choose_format("saved_model", tmp_path / "folder").name == "saved_model"
    assert choose_format(None, tmp_path / "folder").name == "saved_model"
