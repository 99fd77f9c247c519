"""Memory over five epochs of 7,909 images at 224 x 224, from an image cache of 1.2 GB.

The images are links to those there are, under 7,909 names. A process of its own reads them, so that the peak is its
own. `python benchmarks/images_memory.py`
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from harness import find_real_data, link_images, run_in_new_process, write_result

COUNT, EPOCHS, SIZE = 7909, 5, 224
TARGET = 600.0


def read_epochs(folder: Path, cache: Path) -> dict[str, Any]:
    """Prepare, then go through the epochs, in this process; memory in MB above what the imports take."""
    import numpy as np
    import psutil

    from breastcls.images.pipeline import make_pipeline

    process = psutil.Process()

    def used() -> float:
        return process.memory_info().rss / 1e6

    import tensorflow as tf

    tf.reduce_sum(tf.zeros(1))
    imports = used()
    paths = sorted(map(str, folder.rglob("*.png")))
    batches = make_pipeline(paths, np.zeros(len(paths)), image_size=SIZE, shuffle=True, cache_dir=cache)
    prepared = used() - imports
    epochs = []
    for _ in range(EPOCHS):
        highest = 0.0
        for number, _ in enumerate(batches):
            if number % 10 == 0:
                highest = max(highest, used())
        epochs.append(round(highest - imports, 1))
    return {"imports": round(imports, 1), "after_preparing": round(prepared, 1), "highest_of_epoch": epochs}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--read", nargs=2, type=Path, metavar=("FOLDER", "CACHE"))
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read_epochs(*arguments.read)))
        return
    small = sorted((find_real_data() / "BreaKHis_200X_224").rglob("*.png"))
    with tempfile.TemporaryDirectory() as folder:
        images, cache = Path(folder, "images"), Path(folder, "cache")
        link_images(small, images, COUNT)
        memory = run_in_new_process(__file__, "--read", images, cache)
        store = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 1e9
    epochs = memory["highest_of_epoch"]
    growth = epochs[-1] - epochs[0]
    print(f"store {store:.2f} GB; above the imports, MB by epoch: {epochs}")
    write_result(
        "images_memory",
        {
            "what": f"{COUNT} images at {SIZE} x {SIZE}, batch 32, {EPOCHS} epochs; resident MB above the imports",
            "store_gigabytes": store,
            **memory,
            "growth_first_to_last": growth,
            "target": TARGET,
            "met": max(epochs) < TARGET and growth < 0.05 * TARGET,
        },
        arguments.output,
    )


if __name__ == "__main__":
    main()
