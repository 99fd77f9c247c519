"""Memory and time of predicting 100,000 IDC patches of 50 x 50 to a CSV file.

The patches are links to those there are. A process of its own predicts them, so that the peak is its own; it notes its
memory after every part. `python benchmarks/predict_to_file.py`
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from harness import find_real_data, link_images, run_in_new_process, write_result

COUNT = 100_000
TARGET = 1000.0
# From one tenth on, memory is said to be flat if it grows by less than this share.
GROWTH = 0.05


def predict_patches(folder: Path, target: Path) -> dict[str, Any]:
    """Predict all patches in this process; memory in MB, of the whole process."""
    import psutil

    import breastcls as bc
    from breastcls.predictions.output_parts import OutputParts

    process = psutil.Process()
    model = bc.build_model("cancernet", classes=("negative", "positive"), image_size=48, seed=7)
    imports = process.memory_info().rss / 1e6
    memory: list[float] = []
    finish = OutputParts.finish

    def note(self: Any, *arguments: Any) -> None:
        finish(self, *arguments)
        memory.append(round(process.memory_info().rss / 1e6, 1))

    OutputParts.finish = note  # type: ignore[method-assign]
    began = time.perf_counter()
    written = bc.predictions.predict_to_file(model, folder, target, batch_size=64)
    return {
        "imports_and_model": round(imports, 1),
        "after_each_part": memory,
        "images": written.images,
        "seconds": round(time.perf_counter() - began, 1),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--predict", nargs=2, type=Path, metavar=("FOLDER", "CSV"))
    arguments = parser.parse_args()
    if arguments.predict:
        print(json.dumps(predict_patches(*arguments.predict)))
        return
    patches = sorted((find_real_data() / "IDC_regular_ps50_idx5").rglob("*.png"))
    with tempfile.TemporaryDirectory() as folder:
        images, target = Path(folder, "images"), Path(folder, "predictions.csv")
        link_images(patches, images, arguments.count)
        measured = run_in_new_process(__file__, "--predict", images, target)
        size = target.stat().st_size / 1e6
    memory = measured["after_each_part"]
    tenth = memory[len(memory) // 10]
    growth = memory[-1] / tenth - 1
    print(
        f"{measured['images']} patches in {measured['seconds']} s, {size:.1f} MB of CSV; resident MB "
        f"{measured['imports_and_model']} after the imports, {tenth} at a tenth, {memory[-1]} at the end, "
        f"{max(memory)} at most"
    )
    write_result(
        "predict_to_file",
        {
            "what": f"{arguments.count} patches of 50 x 50, CancerNet at 48 x 48, batch 64, to CSV; resident MB",
            **measured,
            "images_per_second": round(measured["images"] / measured["seconds"], 1),
            "csv_megabytes": round(size, 1),
            "highest": max(memory),
            "growth_from_a_tenth": round(growth, 4),
            "target": TARGET,
            "met": max(memory) < TARGET and growth < GROWTH,
        },
        arguments.output,
    )


if __name__ == "__main__":
    main()
