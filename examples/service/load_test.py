"""Send a bounded number of images to a running service, one after another and concurrently, and compare the rates.

python examples/service/load_test.py http://127.0.0.1:8000 images/ --requests 400 --at-a-time 32
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}


def find_images(folder: Path, count: int) -> list[tuple[str, bytes]]:
    """Return the names and contents of so many images of a folder; images are repeated if it has fewer."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"{folder} contains no images.")
    return [(path.name, path.read_bytes()) for path in (paths[number % len(paths)] for number in range(count))]


async def send(client: httpx.AsyncClient, files: list[tuple[str, bytes]], at_a_time: int) -> dict[str, Any]:
    """Send each file in a request of its own and return the rate, the latencies in milliseconds and the losses."""
    seconds: list[float] = []
    statuses: list[int] = []
    waiting = iter(files)

    async def work() -> None:
        for name, content in waiting:
            began = time.perf_counter()
            try:
                reply = await client.post("/predict", files=[("files", (name, content))])
            except httpx.HTTPError:
                statuses.append(0)
                continue
            seconds.append(time.perf_counter() - began)
            statuses.append(reply.status_code)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_a_time)))
    whole = time.perf_counter() - began
    p50, p99 = np.percentile(seconds, (50, 99)) * 1000 if seconds else (float("nan"),) * 2
    return {
        "at_a_time": at_a_time,
        "requests": len(files),
        "predicted": statuses.count(200),
        "lost": len(files) - statuses.count(200),
        "images_per_second": len(files) / whole,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
    }


async def compare(url: str, files: list[tuple[str, bytes]], at_a_time: int) -> list[dict[str, Any]]:
    """Send the files one after another, then concurrently."""
    limits = httpx.Limits(max_connections=at_a_time)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        await send(client, files[:at_a_time], at_a_time)
        return [await send(client, files, 1), await send(client, files, at_a_time)]


def main() -> None:
    """Read the images, send them, and print one line of JSON for the serial and one for the concurrent requests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="address of the service, such as http://127.0.0.1:8000")
    parser.add_argument("images", type=Path, help="folder of images, read recursively")
    parser.add_argument("--requests", type=int, default=200, help="number of requests in each of the two runs")
    parser.add_argument("--at-a-time", type=int, default=32, help="number of concurrent requests")
    arguments = parser.parse_args()
    files = find_images(arguments.images, arguments.requests)
    for result in asyncio.run(compare(arguments.url, files, arguments.at_a_time)):
        print(json.dumps(result))


if __name__ == "__main__":
    main()
