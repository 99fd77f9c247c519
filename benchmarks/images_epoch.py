"""A later epoch from the image cache, beside `keras.utils.image_dataset_from_directory` on the same files.

Originals of BreakHis at 224 without and with `classic` augmentation, each also with its list repeated, so that starting
an epoch costs nothing, and 100,000 IDC patches, made by repeating those there are. `python benchmarks/images_epoch.py`
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from frozen_sides import keras_layers
from harness import find_real_data, ratio, run_in_turns, write_result

from breastcls.augmentation.policy_registry import find_policy
from breastcls.images.pipeline import make_pipeline

TARGETS = {"plain": 15.0, "classic": 4.0, "idc": 8.0}
PATCHES = 100_000
REPEATS = 40


def count_images(batches: Any) -> int:
    """Go through an epoch."""
    return sum(len(labels) for _, labels in batches)


def list_images(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*.png"))


def compare(what: str, ours: Any, peer: Any, rounds: int, target: float) -> dict[str, Any]:
    """Run both in turns; the first round, in which the cache is verified, does not count."""
    result = run_in_turns({"breastcls": lambda: count_images(ours), "keras": lambda: count_images(peer)}, rounds)
    times = ratio(result, "breastcls", "keras")
    speeds = {name: round(side["images_per_second"]) for name, side in result.items()}
    print(f"{what}: {speeds}, ratio {times:.1f} (target {target:g})")
    return {"what": what, "sides": result, "ratio": times, "target": target, "met": times >= target}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    data = find_real_data()
    breakhis, idc = data / "BreaKHis_v1" / "histology_slides" / "breast", data / "IDC_regular_ps50_idx5"
    originals, patches = list_images(breakhis), list_images(idc)
    with tempfile.TemporaryDirectory() as cache:

        def ours(paths: list[str], size: int, batch: int, augment: str | None = None) -> Any:
            labels = np.zeros(len(paths))
            policy = None if augment is None else find_policy(augment)
            return make_pipeline(
                paths, labels, image_size=size, batch_size=batch, shuffle=True, augment=policy, cache_dir=cache
            )

        def peer(folder: Path, size: int, batch: int) -> Any:
            return keras.utils.image_dataset_from_directory(
                folder, image_size=(size, size), batch_size=batch, verbose=False
            )

        plain = peer(breakhis, 224, 32)
        augmented = plain.map(keras_layers("classic"), num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
        results = {}
        note = f"{len(originals)} originals at 224, batch 32"
        for name, policy, reader in (("plain", None, plain), ("classic", "classic", augmented)):
            for times, suffix in ((1, ""), (REPEATS, "_repeated")):
                what = f"{note}, {policy or 'no'} augmentation" + (f"; ours {times} times over" if times > 1 else "")
                batches = ours(originals * times, 224, 32, policy)
                results[name + suffix] = compare(what, batches, reader, arguments.rounds, TARGETS[name])
        repeated = (patches * -(-PATCHES // len(patches)))[:PATCHES]
        note = f"{PATCHES} patches at 50, batch 256; Keras reads the {len(patches)} there are once"
        results["idc"] = compare(
            note, ours(repeated, 50, 256), peer(idc, 50, 256), max(2, arguments.rounds // 2), TARGETS["idc"]
        )
    write_result("images_epoch", results, arguments.output)


if __name__ == "__main__":
    main()
