"""Cross-validation of few cases on real images: a score below chance, its null distribution, and its spread.

An exact linear head on frozen MobileNet 0.25 is cross-validated on BreakHis at 100X, with permuted labels and with
other folds and seeds. `python benchmarks/permutation_null.py FOLDER WEIGHTS --timed FOLDER` (BreaKHis_100X_224, the
weight file, and BreaKHis_200X_224, whose 571 images are for the time of the test alone).
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import RESULTS, write_result

import breastcls as bc


def measure_time(arguments: argparse.Namespace, build: Callable[[], Any], exact: dict[str, Any]) -> dict[str, Any]:
    """Return the wall time of the permutation test on other images, features included."""
    data = bc.load_breakhis(arguments.timed)
    before, began = os.getloadavg()[0], time.perf_counter()
    found = bc.experiments.permutation_test(build, data, permutations=arguments.permutations, **exact)
    seconds = time.perf_counter() - began
    print(found, f"\n{seconds:.1f} s", flush=True)
    # Beside other work the wall time says little: the processor time of a permutation does.
    used = []
    for count in (1, 21):
        began = time.process_time()
        bc.experiments.permutation_test(build, data, permutations=count, workers=1, **exact)
        used.append(time.process_time() - began)
    return {
        "images": len(data),
        "permutations": arguments.permutations,
        "seconds": round(seconds, 1),
        "processor_seconds_per_permutation": round((used[1] - used[0]) / 20, 3),
        "processors": os.cpu_count(),
        "load_before": round(before, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--permutations", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--timed", type=Path, help="folder of the images on which only the test is timed")
    parser.add_argument("--only-time", action="store_true", help="keep the other results as they were measured")
    parser.add_argument("--figures", type=Path, help="folder for the figures of the documentation")
    arguments = parser.parse_args()
    data = bc.load_breakhis(arguments.folder)

    def build():  # type: ignore[no-untyped-def]
        return bc.build_model(
            "mobilenet", classes=data.classes, image_size=224, weights=arguments.weights, alpha=0.25, head="linear"
        )

    exact: dict[str, Any] = {"frozen_head": "lbfgs", "fine_tune": False, "augment": "none"}
    warnings.simplefilter("ignore")
    if arguments.only_time:
        target = arguments.output or RESULTS / "permutation_null.json"
        kept = json.loads(target.read_text(encoding="utf-8"))
        write_result("permutation_null", {**kept, "timed": measure_time(arguments, build, exact)}, arguments.output)
        return
    began, used = time.perf_counter(), time.process_time()
    test = bc.experiments.permutation_test(build, data, permutations=arguments.permutations, **exact)
    seconds = {"permutation_test": time.perf_counter() - began, "of_this_process": time.process_time() - used}
    print(test, f"\n{seconds}", flush=True)
    if arguments.figures is not None:
        test.plot(arguments.figures / "permutation-null.svg")
        test.plot(arguments.figures / "permutation-null-folds.svg", kind="mean_over_folds")
    by_image = bc.experiments.permutation_test(
        build, data, permutations=arguments.permutations // 4, aggregation="image", **exact
    )
    print(by_image, flush=True)
    began = time.perf_counter()
    whole = bc.cross_validate(build, data, repeats=arguments.repeats, progress=False, **exact)
    seconds["cross_validate"] = time.perf_counter() - began
    print(whole, f"\n{seconds}", flush=True)
    result = {
        "what": "an exact head on MobileNet 0.25, cross-validated by case on BreakHis at 100X, and its null",
        "images": len(data),
        "cases": len(set(data.cases)),
        "permutation_test": test.to_dict(),
        "permutation_test_by_image": by_image.to_dict(),
        "folds": whole.to_dict()["evaluation"]["folds"],
        "by_fold": whole.to_dict()["by_fold"],
        "repeated": whole.to_dict()["repeated"],
        "seconds": seconds,
        "timed": None if arguments.timed is None else measure_time(arguments, build, exact),
    }
    write_result("permutation_null", result, arguments.output)


if __name__ == "__main__":
    main()
