"""Perturbed images, prepared in a thread while the model runs on the batch before."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def prepare_ahead(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the items of a generator; the next one is computed in a thread while the caller uses this one.

    Args:
        batches: What is computed, usually a generator. One item is computed ahead, so that memory does not depend on
            their number.

    Example:
        >>> list(prepare_ahead(number**2 for number in range(4)))
        [0, 1, 4, 9]
    """
    iterator = iter(batches)
    with ThreadPoolExecutor(1, thread_name_prefix="breastcls-perturb") as thread:
        ahead = thread.submit(_take, iterator)
        while batch := ahead.result():
            ahead = thread.submit(_take, iterator)
            yield batch[0]


def _take(iterator: Iterator[Batch]) -> list[Batch]:
    """Return the next item, or nothing at the end: a `StopIteration` cannot be passed from a thread."""
    return list(itertools.islice(iterator, 1))
