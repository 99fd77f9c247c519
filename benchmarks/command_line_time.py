"""How long `breastcls --help` takes, beside `python -c "import tensorflow"`.

Whole processes are timed, in turns, and the medians written as JSON: `python benchmarks/command_line_time.py`. The
processor time does not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from breastcls.environment import describe_environment
from breastcls.files import write_text

SIDES = {
    "breastcls --help": ["-m", "breastcls", "--help"],
    "breastcls train --help": ["-m", "breastcls", "train", "--help"],
    "nothing": ["-c", "pass"],
    "import tensorflow": ["-c", "import tensorflow"],
}
TARGET_SECONDS = 0.3


def measure(runs: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Time each command `runs` times, in turns, so that a busy moment hits all alike; wall and processor time."""
    wall: dict[str, list[float]] = {name: [] for name in SIDES}
    processor: dict[str, list[float]] = {name: [] for name in SIDES}
    for _ in range(runs):
        for name, words in SIDES.items():
            began, used = time.perf_counter(), os.times()
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
            wall[name].append(time.perf_counter() - began)
            now = os.times()
            processor[name].append(now.children_user + now.children_system - used.children_user - used.children_system)
    return wall, processor


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "command_line_time.json")
    arguments = parser.parse_args()
    seconds, processor = measure(arguments.runs)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    used = {name: statistics.median(values) for name, values in processor.items()}
    result = {
        "what": "seconds a process takes",
        "seconds": seconds,
        "median": medians,
        "median_processor": used,
        "target": TARGET_SECONDS,
        "met": max(medians["breastcls --help"], medians["breastcls train --help"]) < TARGET_SECONDS,
        "environment": describe_environment(),
    }
    write_text(arguments.output, json.dumps(result, indent=2) + "\n")
    for name, value in medians.items():
        print(f"{name}: {value:.3f} s, of a processor {used[name]:.3f} s")


if __name__ == "__main__":
    main()
