"""Work on numbered items in several threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def run_in_threads(work: Callable[[int], None], count: int, workers: int | None = None) -> None:
    """Call `work` with 0..count-1 in several threads; an error stops further calls and is raised."""
    workers = min(workers or os.cpu_count() or 1, count)
    if workers <= 1:
        for position in range(count):
            work(position)
        return
    numbers = iter(range(count))
    lock = threading.Lock()
    failures: dict[int, BaseException] = {}

    def loop() -> None:
        while not failures:
            with lock:
                position = next(numbers, None)
            if position is None:
                return
            try:
                work(position)
            except BaseException as error:
                failures[position] = error

    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(loop) for _ in range(workers)]:
            future.result()
    if failures:
        raise failures[min(failures)]
