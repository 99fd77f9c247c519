"""Reading images in several threads, ahead of their use and in order."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from breastcls.errors import ImageError
from breastcls.images.image_files import is_exhausted

Item = TypeVar("Item")
Result = TypeVar("Result")

# The images of one task: fewer tasks take less time, and several threads still share a batch.
_GROUP = 4


def read_in_order(
    items: Iterable[Item], read: Callable[[Item], Result], *, ahead: int, workers: int | None = None
) -> Iterator[tuple[Item, Result | ImageError]]:
    """Yield each item with what was read from it, or with the reason why it cannot be read.

    The items are taken one after another in the thread of the caller, and only a limited number ahead, so that a
    generator is consumed lazily and memory does not depend on the number of items.

    Args:
        items: The items.
        read: Reads one item, in any thread.
        ahead: How many items to read ahead.
        workers: Number of threads; by default one per processor.

    Yields:
        The item, and the result of `read`, or the `ImageError` that it raised.

    Raises:
        ImageError: If too many files are open, which says nothing about an image.

    Example:
        >>> list(read_in_order([1, 2, 3], lambda number: 10 * number, ahead=2))
        [(1, 10), (2, 20), (3, 30)]
    """
    workers = workers or os.cpu_count() or 1

    def read_group(group: tuple[Item, ...]) -> list[tuple[Item, Result | ImageError]]:
        return [(item, _read_one(item, read)) for item in group]

    groups = _take_groups(items)
    if workers == 1:
        for group in groups:
            yield from read_group(group)
        return
    pending: deque[Future[list[tuple[Item, Result | ImageError]]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="breastcls-read")
    try:
        for group in groups:
            pending.append(pool.submit(read_group, group))
            if len(pending) * _GROUP > ahead:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        # After an error, or where the caller stops early, what is pending is not needed.
        pool.shutdown(wait=True, cancel_futures=True)


def _read_one(item: Item, read: Callable[[Item], Result]) -> Result | ImageError:
    try:
        return read(item)
    except ImageError as error:
        if is_exhausted(error):
            raise
        return error


def _take_groups(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    iterator = iter(items)
    while group := tuple(itertools.islice(iterator, _GROUP)):
        yield group
