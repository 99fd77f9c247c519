"""Models in files that Keras does not read, against the Keras model or NumPy."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.special import softmax

import breastcls as bc
from breastcls.errors import ModelError
from breastcls.models.model_card import get_card
from breastcls.models.persistence import load_model, save_model
from support.foreign_models import CLASSES, IMAGES, student_network, write_torch_like_onnx

FILES = {"onnx": "model.onnx", "openvino": "model.xml", "litert": "model.tflite", "tf_saved_model": "folder"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One network in four formats, and its probabilities for images of values 0..1."""
    folder = tmp_path_factory.mktemp("exported")
    network = student_network()
    expected = network.predict(IMAGES / 255, verbose=0)[:, 0]
    for kind, name in FILES.items():
        network.export(str(folder / name), format=kind, verbose=False)
    return folder, expected


@pytest.mark.parametrize("kind", FILES)
def test_a_file_gives_the_probabilities_of_the_network(exported, kind):
    folder, expected = exported
    model = load_model(folder / FILES[kind], classes=CLASSES, scaling="0-1", safe_mode=kind != "tf_saved_model")
    assert (model.input_shape, model.output_shape) == ((None, 16, 16, 3), (None, 1))
    assert get_card(model).provenance["loaded_from"]["file"] == FILES[kind]
    np.testing.assert_allclose(bc.predict(model, IMAGES).probabilities[:, 1], expected, atol=1e-5)
    # Batches of any size, on several threads at once.
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda size: bc.predict(model, IMAGES, batch_size=size), [1, 2, 3, 5] * 4))
    for predictions in found:
        np.testing.assert_allclose(predictions.probabilities[:, 1], expected, atol=1e-5)


def test_a_saved_model_is_opened_only_where_code_is_allowed(exported):
    with pytest.raises(ModelError, match=r"can read and write files.*load_model\(path, safe_mode=False\)"):
        load_model(exported[0] / "folder", classes=CLASSES)
    with pytest.raises(ModelError, match="can read and write files"):
        bc.predict(exported[0] / "folder", IMAGES, classes=CLASSES)


@pytest.mark.parametrize("batch", ["batch", 1, 2])
def test_a_network_of_pytorch_with_the_channels_first(tmp_path, batch):
    compute = write_torch_like_onnx(tmp_path / "net.onnx", batch=batch, softmax=False)
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = softmax(compute((IMAGES / 255 - mean) / deviation), axis=1)
    for scaling in ("imagenet", (mean, deviation)):
        model = load_model(tmp_path / "net.onnx", classes=CLASSES, scaling=scaling, outputs="logits")
        np.testing.assert_allclose(bc.predict(model, IMAGES).probabilities, expected, atol=1e-5)
    raw = load_model(tmp_path / "net.onnx", classes=CLASSES, scaling="imagenet")
    with pytest.raises(bc.errors.EvaluationError, match=r"outputs='logits'"):
        bc.predict(raw, IMAGES)


def test_openvino_reads_fixed_batches_with_the_channels_first(tmp_path):
    import openvino

    compute = write_torch_like_onnx(tmp_path / "net.onnx", batch=2)
    openvino.save_model(openvino.Core().read_model(tmp_path / "net.onnx"), tmp_path / "net.xml", compress_to_fp16=False)
    model = load_model(tmp_path / "net.xml", classes=CLASSES, scaling="0-1")
    np.testing.assert_allclose(bc.predict(model, IMAGES).probabilities, compute(IMAGES / 255), atol=1e-5)


def test_a_network_for_images_of_any_size(tmp_path):
    compute = write_torch_like_onnx(tmp_path / "net.onnx", side="side")
    with pytest.raises(ModelError, match=r"any size; pass.*image_size="):
        load_model(tmp_path / "net.onnx", classes=CLASSES)
    model = load_model(tmp_path / "net.onnx", classes=CLASSES, image_size=16, scaling="0-1")
    assert get_card(model).image_size == (16, 16)
    np.testing.assert_allclose(bc.predict(model, IMAGES).probabilities, compute(IMAGES / 255), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": 2}, r"2 inputs: input \(None, 3, 16, 16\), more1 \(None, 4\)"),
        ({"channels": "channels"}, "number of channels is not fixed"),
        ({"channels": 1}, "grey images"),
        ({"classes": 4}, r"output \(None, 4\); expected \(n, 2\)"),
    ],
)
def test_networks_that_are_no_classifiers_of_images(tmp_path, options, message):
    write_torch_like_onnx(tmp_path / "net.onnx", **options)
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path / "net.onnx", classes=CLASSES)


def test_what_needs_keras_refuses_it(tmp_path, easy):
    write_torch_like_onnx(tmp_path / "net.onnx", side=32)
    model = load_model(tmp_path / "net.onnx", classes=CLASSES, scaling="0-1")
    with pytest.raises(ModelError, match=r"save_model needs a Keras model; net\.onnx is a file for onnxruntime"):
        save_model(model, tmp_path / "net.keras")
    with pytest.raises(bc.errors.TrainingError, match=r"net\.onnx is a file for onnxruntime, which only runs forward"):
        bc.fit(model, easy)
    with pytest.raises(bc.errors.ExplanationError, match=r"'grad-cam' needs.*method='occlusion'"):
        bc.explain(model, easy[:1])
    with pytest.raises(ModelError, match="needs a Keras model"):
        bc.uncertainty.score_ood(model, easy[:4], easy[4:8])
    with pytest.raises(ModelError, match=r"build_ensemble needs a Keras model; net\.onnx"):
        bc.models.build_ensemble([model, model])
    with pytest.raises(ModelError, match="needs a Keras model"):
        bc.models.list_stages(model)


def test_it_is_evaluated_perturbed_and_explained(tmp_path, easy):
    compute = write_torch_like_onnx(tmp_path / "net.onnx", side=32)
    model = load_model(tmp_path / "net.onnx", classes=CLASSES, scaling="0-1")
    result = bc.evaluate(model, easy)
    assert "ROC AUC" in str(result)
    assert "brightness" in str(bc.robustness.measure_robustness(model, easy, perturbations=("brightness",)))
    heatmaps = bc.explain(model, easy[:2], "occlusion", window=8, stride=8)
    assert heatmaps.score == "log-probability"
    assert heatmaps.heatmaps.shape == (2, 32, 32)
    np.testing.assert_allclose(heatmaps.probabilities, compute(heatmaps.images / 255), atol=1e-5)
    faithfulness = bc.explanation.measure_faithfulness(model, heatmaps, steps=4)
    start = faithfulness.curves["deletion"]["heat-map"][:, 0]
    np.testing.assert_allclose(start, heatmaps.probabilities[[0, 1], heatmaps.targets], atol=1e-5)


def test_damaged_files_are_errors_of_ours(exported, tmp_path):
    folder = exported[0]
    for name in ("model.onnx", "model.tflite", "model.xml"):
        content = (folder / name).read_bytes()
        for part in (0.1, 0.5, 0.95):
            (tmp_path / name).write_bytes(content[: int(len(content) * part)])
            shutil.copy(folder / "model.bin", tmp_path / "model.bin")
            with pytest.raises(ModelError, match=name):
                load_model(tmp_path / name)
    shutil.copy(folder / "model.xml", tmp_path / "alone.xml")
    with pytest.raises(ModelError, match=r"alone\.bin"):
        load_model(tmp_path / "alone.xml")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "saved_model.pb").write_bytes(b"\x08\x01nothing")
    with pytest.raises(ModelError, match="SavedModel"):
        load_model(tmp_path / "folder", safe_mode=False)
    (tmp_path / "entity.xml").write_text(
        '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "b">]><net name="&a;"></net>', encoding="utf-8"
    )
    with pytest.raises(ModelError, match="entities"):
        load_model(tmp_path / "entity.xml")


def test_weights_outside_of_the_folder_are_refused(tmp_path):
    import onnx

    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_bytes(np.ones(6, np.float32).tobytes())
    write_torch_like_onnx(tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for place in ("../secret", str(tmp_path / "secret"), "missing"):
        del weights.external_data[:]
        for key, value in (("location", place), ("offset", "0"), ("length", "24")):
            entry = weights.external_data.add()
            entry.key, entry.value = key, value
        (tmp_path / "inside" / "net.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match=r"net\.onnx"):
            load_model(tmp_path / "inside" / "net.onnx")


FLIP = """
import sys, random, pathlib, warnings
warnings.simplefilter("ignore")
from breastcls.errors import BreastclsError
from breastcls.models.persistence import load_model
import breastcls as bc, numpy as np
folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
images, opened = np.zeros((2, 16, 16, 3), np.uint8), 0
for name in ("model.tflite", "model.onnx", "model.xml"):
    whole = (folder / name).read_bytes()
    for seed in range(count):
        draw, content = random.Random(seed), bytearray(whole)
        for _ in range(draw.choice([1, 2, 8])):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        if seed % 3 == 0:
            del content[draw.randrange(len(content)):]
        (folder / "damaged").mkdir(exist_ok=True)
        (folder / "damaged" / name).write_bytes(content)
        (folder / "damaged" / "model.bin").write_bytes((folder / "model.bin").read_bytes())
        try:
            bc.predict(folder / "damaged" / name, images, classes=("a", "b"), progress=False)
            opened += 1
        except BreastclsError:
            pass
print("finished", opened)
"""


@pytest.mark.slow
def test_damaged_bytes_do_not_end_the_process(exported):
    run = subprocess.run(
        [sys.executable, "-c", FLIP, str(exported[0]), "25"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "finished" in run.stdout
