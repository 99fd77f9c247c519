"""What the benchmarks share: both sides in turns, medians, and one JSON file with what ran where."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.datasets.breakhis import load_breakhis
from breastcls.datasets.dataset import Dataset
from breastcls.environment import describe_environment
from breastcls.files import write_text

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"


def find_real_data() -> Path:
    """Return the folder of real images, or stop and say how to name it."""
    folder = Path(os.environ.get("BREASTCLS_TEST_DATA", PROJECT.parent / "shared" / "data"))
    if not (folder / "BreaKHis_v1").is_dir():
        raise SystemExit(f"This benchmark needs real images and {folder} has none: set BREASTCLS_TEST_DATA.")
    return folder


def load_images(folder: Path, count: int | None) -> Dataset:
    """Return the real images of 200X, or so many of them, spread over all."""
    data = load_breakhis(folder / "BreaKHis_200X_224", magnification=200)
    return data if count is None else data[np.unique(np.linspace(0, len(data) - 1, count).round().astype(int))]


def run_in_turns(sides: Mapping[str, Callable[[], int]], rounds: int, warm_up: int = 1) -> dict[str, Any]:
    """Run each side once a round, so that whatever else the machine does hits all of them alike.

    Args:
        sides: For each side a function that does the work and returns how many images it did.
        rounds: Rounds that count.
        warm_up: Rounds before them that do not.

    Returns:
        For each side the median images per second of wall time and of processor time, and all rounds.
    """
    wall: dict[str, list[float]] = {name: [] for name in sides}
    processor: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name, work in sides.items():
            began, used = time.perf_counter(), time.process_time()
            count = work()
            if number >= warm_up:
                wall[name].append(count / (time.perf_counter() - began))
                processor[name].append(count / (time.process_time() - used))
    return {
        name: {
            "images_per_second": statistics.median(wall[name]),
            "images_per_processor_second": statistics.median(processor[name]),
            "rounds": [round(value, 1) for value in wall[name]],
        }
        for name in sides
    }


def run_in_new_process(file: str, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Any:
    """Run a benchmark with other arguments in a process of its own, so that memory and settings are its own.

    Args:
        file: The file of the benchmark, `__file__`.
        arguments: Its arguments.
        environment: Its environment; by default that of this process.

    Returns:
        The values of the last line that it prints, which is JSON.
    """
    command = [sys.executable, file, *map(str, arguments)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def link_images(images: Sequence[Path], folder: Path, count: int) -> None:
    """Fill a folder with `count` links to images, up to 1,000 in each subfolder; images are repeated as needed."""
    for number in range(count):
        link = folder / f"{number // 1000:03d}" / f"{number:06d}.png"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(images[number % len(images)])


def ratio(result: Mapping[str, Any], side: str, peer: str) -> float:
    """Return the median over rounds of how many times faster `side` was than `peer` in the same round."""
    pairs = zip(result[side]["rounds"], result[peer]["rounds"], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def write_result(name: str, result: Mapping[str, Any], output: Path | None = None) -> Path:
    """Write a result with the environment as JSON, print the way to it, and return it."""
    target = output or RESULTS / f"{name}.json"
    write_text(target, json.dumps({**result, "environment": describe_environment()}, indent=2) + "\n")
    print(f"written: {target.name}")
    return target


def update_rows(name: str, rows: Mapping[str, Any], output: Path | None = None) -> Path:
    """Write rows into a result: those measured anew replace their like, the others stay as they were measured before.

    For benchmarks that take so long that one row is repeated alone; each row still has both sides of one run.
    """
    target = output or RESULTS / f"{name}.json"
    before = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    before.pop("environment", None)
    return write_result(name, {**before, **rows}, target)
