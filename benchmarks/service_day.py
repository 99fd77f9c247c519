"""A service's day: descriptors and resident memory over 2,000 predictions, and over evaluations and fits.

A small model predicts a dataset from the image cache over and over, as a service does. Then `evaluate` 50 times, and 20
times a new model that is built and fitted, beside as many fits by plain Keras. Each part runs in a process of its own.
`python benchmarks/service_day.py`
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from harness import run_in_new_process, write_result

COUNTS = {"predict": 2000, "evaluate": 50, "build_and_fit": 20, "plain_keras": 20}
POINTS = 10
# Allocators keep some memory of any first calls; a leak of a graph of TensorFlow is some 10 MiB a call.
TARGET = {"descriptors": 0, "megabytes": 20.0}


def make_call(part: str, root: Path) -> Callable[[], object]:
    """Return what is called over and over."""
    import breastcls as bc

    data = bc.load_breakhis(bc.datasets.make_breakhis(root, magnifications=(200,), image_size=(64, 96), seed=7))
    train, val, test = data.split((0.5, 0.2, 0.3), by="case", seed=7)
    if part == "predict":
        model = bc.build_model("cnn4", classes=data.classes, image_size=32, seed=7)
        bc.images.prepare_images(test.paths, (32, 32))
        return lambda: bc.predict(model, test)
    if part == "evaluate":
        model = bc.build_model("cnn4", classes=data.classes, image_size=32, seed=7)
        return lambda: bc.evaluate(model, test, train=train + val, bootstrap=bc.intervals.Bootstrap(resamples=200))
    if part == "build_and_fit":
        logging = bc.training.Logging(progress=False)

        def fit() -> None:
            model = bc.build_model("cnn4", classes=data.classes, image_size=32, seed=7)
            bc.fit(model, train, val, epochs=1, logging=logging)

        return fit
    images, labels = train.to_numpy((32, 32))

    def fit_plain() -> None:
        model = bc.build_model("cnn4", classes=data.classes, image_size=32, seed=7)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        model.fit(images, labels, batch_size=32, epochs=1, verbose=0)

    return fit_plain


def measure(part: str) -> dict[str, Any]:
    """Run one part in this process; the counts begin after two calls."""
    import psutil

    warnings.simplefilter("ignore")
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BREASTCLS_CACHE"] = str(Path(folder, "cache"))
        call = make_call(part, Path(folder, "images"))
        for _ in range(2):
            call()

        def state() -> tuple[int, float]:
            # Descriptors are counted before the garbage is collected, which may be late.
            descriptors = process.num_fds()
            gc.collect()
            return descriptors, round(process.memory_info().rss / 2**20, 1)

        count = COUNTS[part]
        states, began = [state()], time.perf_counter()
        for number in range(1, count + 1):
            call()
            if number % (count // POINTS) == 0:
                states.append(state())
                print(part, number, states[-1], file=sys.stderr, flush=True)
        seconds = time.perf_counter() - began
    descriptors, megabytes = map(list, zip(*states, strict=True))
    return {
        "calls": count,
        "milliseconds_per_call": round(1000 * seconds / count, 1),
        "descriptors": descriptors,
        "resident_megabytes": megabytes,
        "descriptors_grown": max(descriptors) - descriptors[0],
        "megabytes_grown": round(megabytes[-1] - megabytes[0], 1),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--part", choices=list(COUNTS))
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(measure(arguments.part)))
        return
    parts: dict[str, Any] = {}
    for part in COUNTS:
        found = parts[part] = run_in_new_process(__file__, "--part", part)
        print(
            f"{found['calls']:>5} x {part}: descriptors {found['descriptors_grown']:+d}, resident memory "
            f"{found['megabytes_grown']:+.1f} MiB, {found['milliseconds_per_call']:.0f} ms a call",
            flush=True,
        )
    ours = [found for part, found in parts.items() if part != "plain_keras"]
    write_result(
        "service_day",
        {
            "what": f"open descriptors and resident MiB at {POINTS + 1} points of the calls, after two calls",
            **parts,
            "target": TARGET,
            "met": all(
                found["descriptors_grown"] <= TARGET["descriptors"] and found["megabytes_grown"] <= TARGET["megabytes"]
                for found in ours
            ),
        },
        arguments.output,
    )


if __name__ == "__main__":
    main()
