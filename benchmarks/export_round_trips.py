"""Export one backbone of every family in every format, and compare the loaded file with `predict`.

    python benchmarks/export_round_trips.py                    # all; about half an hour on two cores
    python benchmarks/export_round_trips.py --only vgg16 cnn4 --formats onnx

The weights are random and the images as small as the backbone accepts. Half of the models are calibrated.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import breastcls as bc

FAMILIES = (
    "cnn4",
    "squeezenet",
    "cancernet",
    "mobilenet",
    "mobilenetv2",
    "vgg16",
    "resnet50",
    "resnet50v2",
    "mobilenetv3small",
    "efficientnetb0",
    "efficientnetv2b0",
    "convnexttiny",
    "xception",
    "densenet121",
    "inceptionv3",
    "nasnetmobile",
    "inceptionresnetv2",
    "stain_texture",
)
NAMES = {"saved_model": "model", "onnx": "model.onnx", "openvino": "model.xml", "litert": "model.tflite"}
CLASSES = ("benign", "malignant")


def build(name: str) -> keras.Model:
    if name == "stain_texture":
        return bc.models.build_stain_texture(classes=CLASSES, image_size=64, weights=None)
    [entry] = [entry for entry in bc.list_backbones() if entry.name == name]
    return bc.build_model(name, classes=CLASSES, image_size=entry.minimum_size, weights=None, seed=1)


def spread_probabilities(model: keras.Model, images: np.ndarray) -> None:
    """Set the last layer so that the probabilities differ from image to image."""
    logits = model.get_layer("logits")
    features = keras.Model(model.inputs[0], logits.input).predict(images.astype(np.float32), verbose=0)
    centred = features - features.mean(axis=0)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    direction /= (centred @ direction).std()
    kernel = np.stack([-direction, direction], axis=1)
    logits.set_weights([kernel, -features.mean(axis=0) @ kernel])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--formats", nargs="*", choices=NAMES, default=list(NAMES))
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    for number, name in enumerate(options.only):
        model = build(name)
        height, width = model.input_shape[1:3]
        colours = generator.integers(0, 128, (12, 1, 1, 3))
        images = (colours + generator.integers(0, 128, (12, height, width, 3))).astype(np.uint8)
        spread_probabilities(model, images)
        if number % 2 == 0:
            found = bc.predict(model, images, labels=[0, 1] * 6)
            bc.calibration.store_calibration(model, bc.calibration.fit_calibrator(found, "platt"))
        expected = bc.predict(model, images)
        for kind in options.formats:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / NAMES[kind]
                start = time.perf_counter()
                try:
                    report = bc.export.export_model(model, path, check=images)
                    loaded = bc.load_model(path, **({"safe_mode": False} if kind == "saved_model" else {}))
                    again = bc.predict(loaded, images)
                    difference = float(np.abs(again.probabilities - expected.probabilities).max())
                    same = bool((again.decisions == expected.decisions).all())
                    result = f"{difference:.1e}  near {report.parity.near_largest_difference:.1e}  "
                    result += "same decisions" if same else "OTHER DECISIONS"
                except bc.errors.ModelError as error:
                    result = f"FAILED {error}"
            seconds = time.perf_counter() - start
            print(f"{name:18} {height:3}x{width:<3} {kind:12} {result}  {seconds:.0f} s", flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
