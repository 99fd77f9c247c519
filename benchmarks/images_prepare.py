"""Preparing the original BreakHis images to 224 x 224, beside a `tf.data` pipeline that only decodes and resizes them.

`python benchmarks/images_prepare.py`
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from harness import find_real_data, ratio, run_in_turns, write_result

from breastcls.images.source import Settings
from breastcls.images.store import prepare_images

TARGET = 0.9


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    paths = sorted(str(path) for path in (find_real_data() / "BreaKHis_v1").rglob("*.png"))

    def prepare() -> int:
        with tempfile.TemporaryDirectory() as folder:
            prepare_images(paths, Settings((224, 224)), cache_dir=folder)
        return len(paths)

    def load(path: tf.Tensor) -> tf.Tensor:
        return tf.image.resize(tf.io.decode_png(tf.io.read_file(path), channels=3), (224, 224), "area")

    peer = (
        tf.data.Dataset.from_tensor_slices(paths).map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(32).prefetch(2)
    )

    def decode() -> int:
        return sum(len(batch) for batch in peer)

    result = run_in_turns({"breastcls": prepare, "tf.data": decode}, arguments.rounds)
    times = ratio(result, "breastcls", "tf.data")
    print({name: round(side["images_per_second"]) for name, side in result.items()}, f"ratio {times:.2f}")
    write_result(
        "images_prepare",
        {
            "what": f"{len(paths)} originals of BreakHis, 700 x 460, to 224 x 224; breastcls also writes them to disk",
            "sides": result,
            "ratio": times,
            "target": TARGET,
            "met": times >= TARGET,
        },
        arguments.output,
    )


if __name__ == "__main__":
    main()
