"""Forward passes by OpenVINO through breastcls, against Keras and against OpenVINO called directly.

    python benchmarks/engines_predict.py

Each row runs three times, in processes of its own: with the defaults of TensorFlow, with `TF_ENABLE_ONEDNN_OPTS=1` and
with `TF_ENABLE_ONEDNN_OPTS=0`. oneDNN is the default on processors with AVX-512 and is off on others, so that the
first is the same as one of the other two. In a row all sides run in turns, after one round that does not count, and the
ratios are medians over rounds.

* `predict`: `bc.predict(model, data, engine="openvino")` on the images of `BreaKHis_200X_224`, which are in the image
  cache, against `keras.Model.predict` on the same images in memory, and against compiled OpenVINO with asynchronous
  requests on the array. The time of ours includes the hash of the model by which its converted network is found.
* `one`: a batch of one image: `session.run`, against `keras.Model.predict_on_batch` and the compiled OpenVINO network.
* `files`: original images that are not in the cache, against decoding by `tf.io` in parallel and `keras.Model.predict`.
* `features`: the features of a frozen backbone that `fit` computes once, by OpenVINO and by Keras, without a cache of
  features.
* `start`: seconds of the first prediction in a new process, when the converted network is stored and when it is not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from harness import find_real_data, load_images, ratio, run_in_new_process, run_in_turns, update_rows

ROWS = (
    "predict-mobilenetv2",
    "predict-resnet50",
    "one-mobilenetv2",
    "features-mobilenetv2",
    "features-vgg16",
    "files-mobilenetv2",
    "start-mobilenetv2",
)
SWITCHES = {"defaults": "", "onednn": "1", "no-onednn": "0"}
BATCH = 32


def main() -> None:
    """Measure each row in a process for each setting of oneDNN, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    parser.add_argument("--images", type=int, help="so many of the images, spread over all; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--switches", nargs="+", default=list(SWITCHES), choices=SWITCHES)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        print(json.dumps(_measure(arguments.rows[0], arguments.images, arguments.rounds)))
        return
    for row in arguments.rows:
        for switch in arguments.switches:
            result = _in_own_process(row, switch, arguments)
            print(row, switch, json.dumps(result.get("ratios", {})), flush=True)
            # After each row: the whole takes an hour.
            update_rows("engines_predict", {"processor": _processor(), f"{row} {switch}": result}, arguments.output)


def _in_own_process(row: str, switch: str, arguments: argparse.Namespace) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    if SWITCHES[switch]:
        environment["TF_ENABLE_ONEDNN_OPTS"] = SWITCHES[switch]
    words = ["--in-process", "--rows", row, "--rounds", str(arguments.rounds)]
    if arguments.images is not None:
        words += ["--images", str(arguments.images)]
    return dict(run_in_new_process(__file__, *words, environment=environment))


def _measure(row: str, count: int | None, rounds: int) -> dict[str, Any]:
    kind, backbone = row.split("-")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BREASTCLS_CACHE"] = folder
        measure = {"predict": _predict, "one": _one, "features": _features, "files": _files, "start": _start}[kind]
        return measure(backbone, count, rounds)


def _build(backbone: str) -> Any:
    import keras
    import numpy as np

    import breastcls as bc

    model = bc.build_model(backbone, classes=("benign", "malignant"), seed=7, weights=None)
    rng = np.random.default_rng(7)
    # Statistics of batch normalisation other than those of an untrained layer, so that the outputs are not all alike.
    for layer in model.layers[1].layers if isinstance(model.layers[1], keras.Model) else model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(rng.normal(0, 0.1, layer.moving_mean.shape))
    return model


def _bare(path: Path) -> Any:
    """Return the network of a file compiled by OpenVINO as its documentation recommends for throughput."""
    from breastcls.models.engines.engine_packages import import_openvino

    openvino = import_openvino()
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(openvino.Core().read_model(path))
    steps.input().tensor().set_element_type(openvino.Type.u8)
    return steps.build()


def _compile(network: Any, hint: str) -> Any:
    import openvino

    options = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(network, "CPU", options)


def _stored_network(model: Any) -> Path:
    from breastcls.models.engines.choose_engine import open_session

    open_session(model, "openvino")
    return next(Path(os.environ["BREASTCLS_CACHE"]).glob("engines/*/network.xml"))


def _predict(backbone: str, count: int | None, rounds: int) -> dict[str, Any]:
    import numpy as np

    import breastcls as bc

    data = load_images(find_real_data(), count)
    images = data.to_numpy(image_size=(224, 224))[0]
    model = _build(backbone)
    network = _bare(_stored_network(model))
    import openvino

    compiled = _compile(network, "THROUGHPUT")
    outputs: dict[str, Any] = {}

    def ours() -> int:
        outputs["ours"] = bc.predict(model, data, batch_size=BATCH, engine="openvino").probabilities
        return len(data)

    def ours_keras() -> int:
        outputs["ours_keras"] = bc.predict(model, data, batch_size=BATCH).probabilities
        return len(data)

    def keras_predict() -> int:
        outputs["keras"] = model.predict(images, batch_size=BATCH, verbose=0)
        return len(images)

    def bare() -> int:
        queue = openvino.AsyncInferQueue(compiled)
        parts: dict[int, Any] = {}
        queue.set_callback(lambda request, start: parts.update({start: request.get_output_tensor().data.copy()}))
        for start in range(0, len(images), BATCH):
            queue.start_async([images[start : start + BATCH]], start, share_inputs=True)
        queue.wait_all()
        outputs["bare"] = np.concatenate([parts[start] for start in sorted(parts)])
        return len(images)

    sides = {"ours": ours, "keras": keras_predict, "bare": bare, "ours_keras": ours_keras}
    result = run_in_turns(sides, rounds)
    difference = float(np.abs(outputs["ours"] - outputs["keras"]).max())
    ratios = {f"ours/{peer}": round(ratio(result, "ours", peer), 2) for peer in ("keras", "bare", "ours_keras")}
    return {
        "images": len(images),
        "ratios": {**ratios, "bare/keras": round(ratio(result, "bare", "keras"), 2)},
        "largest_difference": difference,
        **result,
    }


def _one(backbone: str, count: int | None, rounds: int) -> dict[str, Any]:
    import breastcls as bc

    data = load_images(find_real_data(), 8)
    images = data.to_numpy(image_size=(224, 224))[0]
    model = _build(backbone)
    model.jit_compile = False
    compiled = _compile(_bare(_stored_network(model)), "LATENCY")
    request = compiled.create_infer_request()
    session = bc.models.open_session(model, "openvino")
    repeats = 30

    def repeat(run: Any) -> Any:
        def work() -> int:
            for number in range(repeats):
                run(images[number % 8 : number % 8 + 1])
            return repeats

        return work

    sides = {
        "ours": repeat(session.run),
        "keras": repeat(model.predict_on_batch),
        "bare": repeat(lambda image: request.infer([image], share_inputs=True)),
        "predict": repeat(lambda image: bc.predict(session, image)),
        "keras_predict": repeat(lambda image: model.predict(image, verbose=0)),
    }
    result = run_in_turns(sides, rounds)
    return {
        "ratios": {
            "ours/keras": round(ratio(result, "ours", "keras"), 2),
            "ours/bare": round(ratio(result, "ours", "bare"), 2),
            "bare/keras": round(ratio(result, "bare", "keras"), 2),
            "predict/keras": round(ratio(result, "predict", "keras"), 2),
            "predict/keras_predict": round(ratio(result, "predict", "keras_predict"), 2),
        },
        **result,
    }


def _features(backbone: str, count: int | None, rounds: int) -> dict[str, Any]:
    import numpy as np

    from breastcls.features.feature_store import read_features
    from breastcls.models.model_parts import split_model

    data = load_images(find_real_data(), count)
    frozen = split_model(_build(backbone))[0]
    outputs: dict[str, Any] = {}

    def compute(engine: str, precision: str) -> Any:
        def work() -> int:
            # A new cache of features each time, with the prepared images and the converted network of the warm-up.
            for folder in Path(os.environ["BREASTCLS_CACHE"]).glob("features/*"):
                shutil.rmtree(folder)
            options = {"image_size": 224, "progress": False, "precision": precision}
            outputs[engine] = read_features(frozen, data, engine=engine, **options)
            return len(data)

        return work

    # "auto" is the precision that `fit` uses: bfloat16 for VGG on processors that have it.
    result = run_in_turns({"ours": compute("openvino", "float32"), "keras": compute("keras", "auto")}, rounds)
    difference = float(np.abs(outputs["openvino"] - outputs["keras"]).max() / np.abs(outputs["keras"]).max())
    ratios = {"ours/keras": round(ratio(result, "ours", "keras"), 2)}
    return {"images": len(data), "ratios": ratios, "largest_relative_difference": difference, **result}


def _files(backbone: str, count: int | None, rounds: int) -> dict[str, Any]:
    import tensorflow as tf

    import breastcls as bc

    data = bc.load_breakhis(find_real_data() / "BreaKHis_v1")
    paths = list(map(str, data.paths))[: count or len(data)]
    model = _build(backbone)
    _stored_network(model)
    model.predict(tf.zeros((BATCH, 224, 224, 3)), verbose=0)

    def decode(path: Any) -> Any:
        image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
        return tf.image.resize(image, (224, 224), antialias=True)

    def keras_predict() -> int:
        files = tf.data.Dataset.from_tensor_slices(paths).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        model.predict(files.batch(BATCH).prefetch(2), verbose=0)
        return len(paths)

    def ours() -> int:
        bc.predict(model, paths, batch_size=BATCH, engine="openvino", progress=False)
        return len(paths)

    result = run_in_turns({"ours": ours, "keras": keras_predict}, rounds)
    return {"images": len(paths), "ratios": {"ours/keras": round(ratio(result, "ours", "keras"), 2)}, **result}


_FIRST = """
import sys, time
import numpy as np
import breastcls as bc
model = bc.load_model(sys.argv[1])
began = time.perf_counter()
bc.predict(model, np.zeros((1, 224, 224, 3), np.uint8), engine=sys.argv[2])
print(time.perf_counter() - began)
"""


def _start(backbone: str, count: int | None, rounds: int) -> dict[str, Any]:
    import breastcls as bc

    seconds: dict[str, list[float]] = {"keras": [], "stored": [], "converted": []}
    file = Path(os.environ["BREASTCLS_CACHE"]) / "model.keras"
    bc.save_model(_build(backbone), file)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for name, engine in (("keras", "keras"), ("converted", "openvino"), ("stored", "openvino")):
                command = [sys.executable, "-c", _FIRST, str(file), engine]
                environment = {**os.environ, "BREASTCLS_CACHE": cache}
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                seconds[name].append(round(float(done.stdout.split()[-1]), 3))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {"ratios": {"keras/stored": round(medians["keras"] / medians["stored"], 2)}, "seconds": medians}


def _processor() -> dict[str, Any]:
    from breastcls.models.precision import processor_flags

    flags = processor_flags()
    return {"date": time.strftime("%Y-%m-%d"), "avx512": "avx512f" in flags, "avx512_bf16": "avx512_bf16" in flags}


if __name__ == "__main__":
    main()
