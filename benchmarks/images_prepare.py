"""Preparing the original BreakHis images to 224 x 224, beside a `tf.data` pipeline that only decodes and resizes them.

`python benchmarks/images_prepare.py`
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from harness import find_real_data, ratio, run_in_turns, write_result

from breastcls.images.decode import decode_image
from breastcls.images.formats import inspect_bytes
from breastcls.images.image_cache import prepare_images
from breastcls.images.image_files import read_bytes
from breastcls.images.resize import resize_image

TARGET = 0.9


def profile_parts(paths: list[str], rounds: int = 5) -> dict[str, dict[str, float]]:
    """Return milliseconds of processor time an image, part by part: the decoder is the same on both sides."""

    def least(work: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
        times = []
        for _ in range(rounds):
            began = time.process_time()
            for one in inputs:
                work(one)
            times.append((time.process_time() - began) / len(inputs) * 1e3)
        return round(min(times), 3)

    contents = [read_bytes(path) for path in paths]
    images = [decode_image(content) for content in contents]
    small = [resize_image(image, 224) for image in images]
    tensors = [tf.constant(image)[None] for image in images]
    return {
        "both": {"decode": least(lambda data: tf.io.decode_png(data, channels=3), contents)},
        "breastcls": {
            "read": least(read_bytes, paths),
            "check structure and checksums": least(inspect_bytes, contents),
            "resize with OpenCV": least(lambda image: resize_image(image, 224), images),
            "checksum of the result": least(zlib.crc32, small),
        },
        "tf.data": {
            "read": least(tf.io.read_file, paths),
            "resize with TensorFlow": least(
                lambda image: tf.raw_ops.ResizeArea(images=image, size=(224, 224)), tensors
            ),
        },
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    paths = sorted(str(path) for path in (find_real_data() / "BreaKHis_v1").rglob("*.png"))

    def prepare() -> int:
        with tempfile.TemporaryDirectory() as folder:
            prepare_images(paths, (224, 224), cache_dir=folder)
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
            "ratio_of_processor_time": result["breastcls"]["images_per_processor_second"]
            / result["tf.data"]["images_per_processor_second"],
            "milliseconds_an_image": profile_parts(paths),
            "target": TARGET,
            "met": times >= TARGET,
        },
        arguments.output,
    )


if __name__ == "__main__":
    main()
