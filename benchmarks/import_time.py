"""How long `import breastcls` takes, beside an empty interpreter and beside `import tensorflow`.

Whole processes are timed, in turns, and the medians written as JSON: `python benchmarks/import_time.py`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from breastcls.environment import describe_environment
from breastcls.files import write_text

STATEMENTS = {"nothing": "pass", "breastcls": "import breastcls", "tensorflow": "import tensorflow"}
TARGET_SECONDS = 0.2


def measure(runs: int) -> dict[str, list[float]]:
    """Time each statement `runs` times, in turns, so that a busy moment hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(runs):
        for name, statement in STATEMENTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "import_time.json")
    arguments = parser.parse_args()
    seconds = measure(arguments.runs)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    own = medians["breastcls"] - medians["nothing"]
    result = {
        "what": "seconds a process takes, import included",
        "seconds": seconds,
        "median": medians,
        "import_breastcls_alone": own,
        "target": TARGET_SECONDS,
        "met": own < TARGET_SECONDS,
        "environment": describe_environment(),
    }
    write_text(arguments.output, json.dumps(result, indent=2) + "\n")
    print(f"import breastcls: {own:.3f} s beyond an empty interpreter (target {TARGET_SECONDS} s)")
    print(f"import tensorflow: {medians['tensorflow'] - medians['nothing']:.2f} s")


if __name__ == "__main__":
    main()
