"""Full fine-tuning, images a second: `fit` against plain Keras `compile` and `fit` on an array in memory.

    python benchmarks/training_finetune.py

Both train the same architecture with random weights on the same images at 224, batch 16. Ours is the whole call of
`bc.fit` from its second epoch on, reading from the image cache; the peer is `model.fit` on a uint8 array, defaults
throughout. Both are measured in turns, more often where the target leaves little room for what else the machine does;
`--backbones` repeats some rows and keeps the others. Keras waits at the end of each epoch for a thread of TensorFlow
(`keras_clock.py`), which would flatter us in epochs this short: the ratio is given with and without, and the target is
held against the one without. What cannot be met on a processor without AVX512-BF16 is what half precision would give:
the result says which precision "auto" chose.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import ratio, update_rows
from keras_clock import EpochClock

TARGETS = {"vgg16": 1.7, "resnet50": 1.25, "efficientnetv2b0": 0.97, "mobilenetv2": 0.97}
ROUNDS = {"vgg16": 4, "resnet50": 4, "efficientnetv2b0": 8, "mobilenetv2": 8}
SIZE, BATCH = 224, 16
PEER, WITHOUT_WAITS = "Keras compile and fit", "Keras, its steps alone"


def main() -> None:
    """Measure each backbone, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--steps", type=int, default=12, help="steps an epoch")
    parser.add_argument("--rounds", type=int, help="for all; by default more for those near the speed of Keras")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    import keras

    import breastcls as bc

    count = arguments.steps * BATCH
    with tempfile.TemporaryDirectory() as folder:
        root = bc.datasets.make_breakhis(folder, magnifications=(200,), slides_per_subtype=4, image_size=(SIZE, SIZE))
        data = bc.load_breakhis(root)
        data = data[np.resize(np.arange(len(data)), count)] if len(data) >= count else _repeat(data, count)
        result = {name: _measure(bc, keras, name, data, arguments) for name in arguments.backbones}
    update_rows("training_finetune", result, arguments.output)


def _repeat(data: Any, count: int) -> Any:
    return data[np.arange(count) % len(data)]


def _measure(bc: Any, keras: Any, name: str, data: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    images, labels = data.to_numpy(SIZE)
    chosen = []

    def build() -> Any:
        keras.utils.clear_session()
        return bc.build_model(name, classes=data.classes, image_size=SIZE, weights=None, seed=1)

    def ours() -> float:
        run = bc.fit(
            build(),
            data,
            epochs=2,
            batch_size=BATCH,
            augment="none",
            class_weight=None,
            seed=1,
            logging=bc.training.Logging(progress=False),
        )
        chosen.append(run.config["precision"])
        return float(run.history["seconds"].iloc[1])

    def plain() -> tuple[float, float]:
        model, clock = build(), EpochClock()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0)
        began = time.perf_counter()
        model.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0, callbacks=[clock])
        seconds = time.perf_counter() - began
        return seconds, sum(clock.steps())

    rounds: dict[str, list[float]] = {"breastcls": [], PEER: [], WITHOUT_WAITS: []}
    for _ in range(arguments.rounds or ROUNDS[name]):
        rounds["breastcls"].append(len(data) / ours())
        whole, trained = plain()
        rounds[PEER].append(len(data) / whole)
        rounds[WITHOUT_WAITS].append(len(data) / trained)
    sides = {
        side: {"images_per_second": float(np.median(values)), "rounds": [round(value, 2) for value in values]}
        for side, values in rounds.items()
    }
    factor, trained = ratio(sides, "breastcls", PEER), ratio(sides, "breastcls", WITHOUT_WAITS)
    print(
        f"{name}: {factor:.2f} times, {trained:.2f} without waits ({chosen[-1]})",
        {side: found["rounds"] for side, found in sides.items()},
        flush=True,
    )
    return {
        "what": f"full fine-tuning, {name} at {SIZE}",
        "sides": sides,
        "ratio": factor,
        "ratio_without_waits": trained,
        "target": TARGETS[name],
        "met": trained >= TARGETS[name],
        "precision": chosen[-1],
        "steps_an_epoch": arguments.steps,
        "batch": BATCH,
    }


if __name__ == "__main__":
    main()
