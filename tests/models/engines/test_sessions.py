"""Sessions of all engines on one small network."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from breastcls.errors import ModelError
from breastcls.models.engines import onnx_session, openvino_core, openvino_session
from breastcls.models.engines.keras_session import KerasSession
from breastcls.models.inference import run_batches

OPEN = {"openvino": openvino_session.open_file, "onnxruntime": onnx_session.open_file}
SUFFIX = {"openvino": ".xml", "onnxruntime": ".onnx"}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    images = keras.Input((24, 20, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, -1)(images)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, activation="relu")(scaled))
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(pooled))


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    network.export(str(folder / "model.xml"), format="openvino", verbose=False)
    network.export(str(folder / "model.onnx"), format="onnx", verbose=False)
    return folder


@pytest.fixture(scope="module", params=["keras", *OPEN])
def session(request, network, exported):
    if request.param == "keras":
        return KerasSession(network)
    return OPEN[request.param](exported / f"model{SUFFIX[request.param]}")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (70, 24, 20, 3), dtype=np.uint8)


def test_every_engine_computes_what_keras_does(session, network, images):
    expected = network.predict(images, verbose=0)
    cut = [images[start : start + 32] for start in range(0, 70, 32)]
    np.testing.assert_allclose(session.run(images), expected, atol=1e-6)
    np.testing.assert_allclose(session.run(images[:1].astype("float32")), expected[:1], atol=1e-6)
    parts = list(run_batches(session, (keras.ops.convert_to_tensor(part) for part in cut)))
    assert [len(part) for part in parts] == [32, 32, 6]
    # A single batch, for which all threads are used, has the same bits.
    np.testing.assert_array_equal(list(session.run_batches([cut[0]])), [session.run(cut[0])])
    np.testing.assert_array_equal(session.run(cut[0]), parts[0])
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-6)
    assert session.input_shape == (None, 24, 20, 3)
    assert session.output_shape == (None, 3)
    assert session.engine in repr(session)


def test_eight_threads_compute_what_one_does(session, images):
    def compute(number: int):
        batches = [images[number : number + 9], images[number + 9 : number + 12]]
        return np.concatenate([*session.run_batches(batches), session.run(batches[0])])

    alone = [compute(number) for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        np.testing.assert_array_equal(list(pool.map(compute, range(24))), alone)


@pytest.mark.parametrize("engine", OPEN)
def test_a_batch_of_another_shape_is_refused(engine, exported, images):
    opened = OPEN[engine](exported / f"model{SUFFIX[engine]}")
    with opened, pytest.raises(ModelError, match=r"batches of shape \(None, 24, 20, 3\); found \(70, 20, 24, 3\)"):
        opened.run(images.transpose(0, 2, 1, 3))
    with pytest.raises(ModelError, match="was closed"):
        opened.run(images)


@pytest.mark.parametrize("engine", OPEN)
def test_damaged_and_foreign_files_are_refused(engine, exported, tmp_path):
    suffix = SUFFIX[engine]
    with pytest.raises(ModelError, match="There is no file"):
        OPEN[engine](tmp_path / f"missing{suffix}")
    cut = tmp_path / f"cut{suffix}"
    for end in (".bin", suffix):
        if (exported / f"model{end}").exists():
            data = (exported / f"model{end}").read_bytes()
            shutil.copy(exported / "model.bin", tmp_path / "cut.bin")
            cut.with_suffix(end).write_bytes(data[: len(data) // 2])
            if end == ".bin":
                shutil.copy(exported / "model.xml", tmp_path / "cut.xml")
            with pytest.raises(ModelError, match=r"cut\.(xml|onnx)"):
                OPEN[engine](cut)
    cut.write_bytes(b"<html>not found</html>")
    with pytest.raises(ModelError, match=f"cut{suffix}"):
        OPEN[engine](cut)


def test_an_exception_while_batches_are_read_leaves_the_session_usable(session, images):
    def broken():
        yield images[:4]
        raise OSError("the file vanished")

    with pytest.raises(OSError, match="vanished"):
        list(session.run_batches(broken()))
    assert session.run(images[:2]).shape == (2, 3)


def test_channels_first_and_a_fixed_batch_are_run(tmp_path):
    onnx, openvino = pytest.importorskip("onnx"), pytest.importorskip("openvino")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    mean = helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0)
    graph = helper.make_graph(
        [mean],
        "mean",
        [helper.make_tensor_value_info("image", kind, [4, 3, 5, 6])],
        [helper.make_tensor_value_info("mean", kind, [4, 3])],
    )
    path = tmp_path / "mean.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    openvino.save_model(openvino_core.open_core().read_model(path), path.with_suffix(".xml"))
    images = np.random.default_rng(1).integers(0, 256, (6, 5, 6, 3), dtype=np.uint8)
    for engine, open_file in OPEN.items():
        opened = open_file(path.with_suffix(SUFFIX[engine]))
        assert opened.input_shape == (None, 5, 6, 3)
        np.testing.assert_allclose(opened.run(images), images.mean((1, 2)), rtol=1e-6)


def test_a_newer_opset_is_an_error(exported, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported / "model.onnx")
    [default] = [one for one in model.opset_import if not one.domain]
    default.version = 99
    onnx.save(model, tmp_path / "new.onnx")
    with pytest.raises(ModelError, match=r"ONNX Runtime .* cannot open .*new\.onnx: .*opset"):
        onnx_session.open_file(tmp_path / "new.onnx")
    text = (exported / "model.xml").read_text(encoding="utf-8")
    for written in ('version="opset1"', 'version="11"'):
        assert written in text
        changed = text.replace(written, 'version="opset99"' if "opset" in written else 'version="99"')
        (tmp_path / "new.xml").write_text(changed, encoding="utf-8")
        shutil.copy(exported / "model.bin", tmp_path / "new.bin")
        with pytest.raises(ModelError, match=r"OpenVINO .* cannot read .*new\.xml: .* newer version"):
            openvino_session.open_file(tmp_path / "new.xml")
