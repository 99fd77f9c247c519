"""The example of a web service: requests one after another, and many at a time.

`python benchmarks/service.py FOLDER [--engine openvino]` starts the service in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from harness import PROJECT, update_rows

import breastcls as bc

SERVICE = PROJECT / "examples" / "service"
sys.path.insert(0, str(SERVICE))
from load_test import compare, find_images  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--engine", default="keras")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--at-a-time", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    files = find_images(arguments.images, arguments.requests)
    with tempfile.TemporaryDirectory() as folder:
        model = bc.build_model(
            arguments.backbone, classes=("benign", "malignant"), image_size=224, weights=None, seed=7
        )
        path = bc.save_model(model, f"{folder}/model.keras")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [
            sys.executable,
            str(SERVICE / "app.py"),
            str(path),
            "--port",
            str(port),
            "--engine",
            arguments.engine,
        ]
        service = subprocess.Popen(command)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url, service)
            rounds = [asyncio.run(compare(url, files, arguments.at_a_time)) for _ in range(arguments.rounds)]
        finally:
            service.terminate()
            service.wait(30)
    row = {"backbone": arguments.backbone, "engine": arguments.engine, "requests": arguments.requests}
    for name, column in zip(("one_after_another", "at_a_time"), zip(*rounds, strict=True), strict=True):
        keys = ("images_per_second", "p50_ms", "p99_ms")
        row[name] = {
            "number": column[0]["at_a_time"],
            **{key: statistics.median(one[key] for one in column) for key in keys},
            "lost": sum(one["lost"] for one in column),
        }
    row["ratio"] = statistics.median(many["images_per_second"] / one["images_per_second"] for one, many in rounds)
    print(row)
    update_rows("service", {f"{arguments.backbone} {arguments.engine}": row}, arguments.output)


def wait_for(url: str, service: subprocess.Popen[bytes], seconds: float = 180) -> None:
    """Wait until the service answers."""
    end = time.monotonic() + seconds
    while service.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"The service did not answer within {seconds} s (exit status {service.poll()}).")


if __name__ == "__main__":
    main()
