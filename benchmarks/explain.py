"""Explanations against tf-keras-vis, and against what the forward passes and gradients alone cost.

    python benchmarks/explain.py

All sides explain the same images with the same network of Keras Applications with random weights, in the same batches
and alternately, after one warm-up round; ratios are medians over rounds.

* `grad-cam`: `bc.explain` with 64 images, every call after the first of a model, against `Gradcam` of tf-keras-vis and
  against `bare`: one traced function that runs the network forward once and differentiates its head.
* `first`: seconds of the first call in a new process, with 8 images, against the first call of tf-keras-vis.
* `perturbed`: Score-CAM, RISE and occlusion with equal numbers of forward passes, against `Scorecam` of tf-keras-vis
  and against `bare`: a loop of traced forward passes over batches that are ready.
* `integrated-gradients`: 50 steps against `bare`: a loop over a traced function that returns the gradient of the
  pixels.
* `folder`: the resident memory of a process while `explain_to_folder` writes heat-maps of 2,000 images.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from harness import find_real_data, load_images, ratio, run_in_new_process, run_in_turns, update_rows

NETWORKS = ("MobileNetV2", "ResNet50")
LAST = {"MobileNetV2": "out_relu", "ResNet50": "conv5_block3_out"}
ROWS = ("grad-cam", "first", "perturbed", "integrated-gradients", "folder")
BATCH = 8
STEPS = 50
PASSES = 64


def main() -> None:
    """Measure each row in a process of its own, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--images", type=int, default=64, help="images of the row grad-cam")
    parser.add_argument("--many", type=int, default=2000, help="images of the row folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        print(json.dumps(_measure(arguments)))
        return
    results: dict[str, Any] = {}
    for row in arguments.rows:
        for network in arguments.networks if row != "folder" else arguments.networks[:1]:
            shown = _in_new_process(row, network, arguments)
            results[f"{row} {network}"] = shown
            print(row, network, json.dumps(shown.get("ratios", shown)), flush=True)
    update_rows("explain", results, arguments.output)


def _in_new_process(row: str, network: str, arguments: argparse.Namespace) -> dict[str, Any]:
    counts = [f"--images={arguments.images}", f"--many={arguments.many}", f"--rounds={arguments.rounds}"]
    return dict(run_in_new_process(__file__, "--in-process", "--rows", row, "--networks", network, *counts))


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    [row], [network] = arguments.rows, arguments.networks
    if row == "first":
        return _first(network, arguments.rounds)
    if row == "folder":
        return _folder(network, arguments.many)
    measure = {"grad-cam": _grad_cam, "perturbed": _perturbed, "integrated-gradients": _integrated}[row]
    return measure(network, arguments.images, arguments.rounds)


def _build(network: str) -> Any:
    import keras

    keras.utils.set_random_seed(7)
    return getattr(keras.applications, network)(weights=None, classes=2, input_shape=(224, 224, 3))


def _pixels(count: int) -> np.ndarray:
    return np.asarray(load_images(find_real_data(), count).to_numpy(image_size=(224, 224))[0])


def _linear(model: Any) -> Any:
    """Return the model without its softmax, as the documentation of tf-keras-vis recommends."""
    import keras

    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    clone.layers[-1].activation = keras.activations.linear
    return clone


def _grad_cam(network: str, count: int, rounds: int) -> dict[str, Any]:
    import keras
    import tensorflow as tf
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    import breastcls as bc

    model, images = _build(network), _pixels(count)
    parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    peer = Gradcam(_linear(model), clone=False)
    body = keras.Model(model.inputs, model.get_layer(LAST[network]).output)
    dense = model.layers[-1]

    @tf.function(reduce_retracing=True)
    def forward_and_head(batch: Any) -> Any:
        features = body(tf.cast(batch, tf.float32), training=False)
        with tf.GradientTape() as tape:
            tape.watch(features)
            scores = tf.reduce_mean(features, axis=(1, 2)) @ dense.kernel + dense.bias
            score = tf.reduce_sum(scores[:, 1])
        return features, scores, tape.gradient(score, features)

    def ours() -> int:
        bc.explain(model, images, "grad-cam", target_class=1, batch_size=BATCH, image_size=224)
        return len(images)

    def theirs() -> int:
        for part in parts:
            peer(CategoricalScore([1] * len(part)), part.astype(np.float32))
        return len(images)

    def bare() -> int:
        for part in parts:
            features, _, gradients = (np.asarray(value) for value in forward_and_head(part))
            np.einsum("nhwc,nc->nhw", features, gradients.mean(axis=(1, 2)))
        return len(images)

    warnings.simplefilter("ignore")
    result = run_in_turns({"ours": ours, "tf-keras-vis": theirs, "bare": bare}, rounds)
    return {"images": len(images), "ratios": _ratios(result, "ours"), **result}


_FIRST = """
import sys, time, warnings
import numpy as np
sys.path.insert(0, sys.argv[3])
from explain import _build, _linear, BATCH
warnings.simplefilter("ignore")
model = _build(sys.argv[1])
images = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
if sys.argv[2] == "ours":
    from breastcls.explanation.explain import explain
    began = time.perf_counter()
    explain(model, images, "grad-cam", target_class=1, batch_size=BATCH)
else:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore
    model = _linear(model)
    began = time.perf_counter()
    Gradcam(model, clone=False)(CategoricalScore([1] * BATCH), images.astype(np.float32))
print(time.perf_counter() - began)
"""


def _first(network: str, rounds: int) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {"ours": [], "tf-keras-vis": []}
    for _ in range(rounds):
        for side, values in seconds.items():
            command = [sys.executable, "-c", _FIRST, network, side, str(Path(__file__).parent)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            values.append(round(float(done.stdout.split()[-1]), 2))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "images": BATCH,
        "ratios": {"ours/tf-keras-vis": round(medians["tf-keras-vis"] / medians["ours"], 2)},
        "seconds": seconds,
    }


def _perturbed(network: str, count: int, rounds: int) -> dict[str, Any]:
    import tensorflow as tf
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.scores import CategoricalScore

    import breastcls as bc

    batch = 32
    model, images = _build(network), _pixels(2)
    peer = Scorecam(model, clone=False)
    forward = tf.function(lambda pixels: model(pixels, training=False), reduce_retracing=True)
    ready = np.repeat(images[:1], batch, axis=0).astype(np.float32)
    # Windows of 28 pixels at a distance of 28: 8 x 8 of them.
    options: dict[str, dict[str, Any]] = {
        "score-cam": {"channels": PASSES},
        "occlusion": {"window": 28, "stride": 28},
    }
    if "rise" in bc.explanation.list_methods():
        options["rise"] = {"masks": PASSES}

    def explain_by(method: str) -> Any:
        def work() -> int:
            bc.explain(model, images, method, target_class=1, batch_size=batch, **options[method])
            return PASSES * len(images)

        return work

    def theirs() -> int:
        for image in images:
            peer(CategoricalScore([1]), image.astype(np.float32), max_N=PASSES, batch_size=batch)
        return PASSES * len(images)

    def bare() -> int:
        for _ in range(PASSES * len(images) // batch):
            np.asarray(forward(ready))
        return PASSES * len(images)

    warnings.simplefilter("ignore")
    sides = {**{method: explain_by(method) for method in options}, "tf-keras-vis": theirs, "bare": bare}
    result = run_in_turns(sides, rounds)
    ratios = {name: value for method in options for name, value in _ratios(result, method, options).items()}
    return {"passes": PASSES * len(images), "ratios": ratios, **result}


def _integrated(network: str, count: int, rounds: int) -> dict[str, Any]:
    import tensorflow as tf

    import breastcls as bc

    model, images = _build(network), _pixels(BATCH)
    linear = _linear(model)

    @tf.function(reduce_retracing=True)
    def gradient(pixels: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pixels)
            score = tf.reduce_sum(linear(pixels, training=False)[:, 1])
        return tape.gradient(score, pixels)

    def ours() -> int:
        options = {"target_class": 1, "batch_size": BATCH, "steps": STEPS}
        bc.explain(model, images, "integrated-gradients", **options)
        return len(images)

    def bare() -> int:
        pixels = images.astype(np.float32)
        total = np.zeros_like(pixels)
        for step in range(STEPS):
            total += gradient(tf.constant(255.0 + (step + 0.5) / STEPS * (pixels - 255.0))).numpy()
        return len(images)

    warnings.simplefilter("ignore")
    result = run_in_turns({"ours": ours, "bare": bare}, rounds)
    return {"images": len(images), "steps": STEPS, "ratios": _ratios(result, "ours"), **result}


def _folder(network: str, many: int) -> dict[str, Any]:
    import threading

    import psutil

    import breastcls as bc

    data = load_images(find_real_data(), None)
    paths = [str(path) for path in data.paths]
    files = (paths * (many // len(paths) + 1))[:many]
    model = _build(network)
    process = psutil.Process()
    samples: list[tuple[float, float]] = []
    stopped = threading.Event()
    began = time.perf_counter()

    def sample() -> None:
        while not stopped.wait(0.2):
            samples.append((time.perf_counter() - began, process.memory_info().rss / 2**20))

    with tempfile.TemporaryDirectory() as folder:
        watch = threading.Thread(target=sample)
        watch.start()
        try:
            bc.explanation.explain_to_folder(model, files, Path(folder) / "heatmaps", target_class=1)
        finally:
            stopped.set()
            watch.join()
        seconds = time.perf_counter() - began
    tenth = seconds / 10
    parts = [
        round(max(used for moment, used in samples if number * tenth <= moment < (number + 1) * tenth))
        for number in range(10)
    ]
    return {
        "images": len(files),
        "images_per_second": round(len(files) / seconds, 1),
        "highest_mib_in_each_tenth": parts,
        "growth_mib_after_the_second_tenth": parts[-1] - parts[1],
    }


def _ratios(result: dict[str, Any], side: str, own: Any = ()) -> dict[str, float]:
    peers = [name for name in result if name != side and name not in own]
    return {f"{side}/{peer}": round(ratio(result, side, peer), 2) for peer in peers}


if __name__ == "__main__":
    main()
