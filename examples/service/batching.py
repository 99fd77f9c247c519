"""Predict images of concurrent requests in batches, by one model in one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class QueueFullError(Exception):
    """Raised when more images wait than the queue may hold."""


class BatchQueue(Generic[Item, Result]):
    """A bounded queue whose items are processed in batches, in the order in which they arrive.

    A batch starts as soon as the previous one ends: a single request does not wait, and under load the batches
    become larger. The function runs in one thread, so that the event loop stays free to accept requests.

    Args:
        process: Takes up to `batch_size` items and returns one result per item; an exception as a result is raised for
            that item only.
        batch_size: Largest number of items per call. The number is always a power of two.
        capacity: Largest number of items that wait; beyond it `submit` raises `QueueFullError`.
    """

    def __init__(
        self, process: Callable[[Sequence[Item]], Sequence[Result | Exception]], *, batch_size: int, capacity: int
    ) -> None:
        self._process, self._batch_size, self._capacity = process, batch_size, capacity
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Number of items that wait for the next batch."""
        return len(self._waiting)

    @property
    def is_running(self) -> bool:
        """Whether items are being processed."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Start to process items."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop after the present batch; items that still wait are cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for _, future in self._waiting:
            future.cancel()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    async def submit(self, items: Sequence[Item]) -> list[Result | Exception]:
        """Return the result of each item, or the exception of an item that failed.

        Raises:
            QueueFullError: If the queue cannot take all of the items. None of them is processed then.
        """
        if len(self._waiting) + len(items) > self._capacity:
            raise QueueFullError(f"{len(self._waiting)} images wait; the queue takes {self._capacity}.")
        if not items:
            return []
        if not self.is_running:
            raise RuntimeError("The queue is not running.")
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        self._arrived.set()
        found = await asyncio.gather(*futures, return_exceptions=True)
        return [_raise_if_fatal(one) for one in found]

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            # The items of a request that was cancelled need no result.
            self._waiting = [(item, future) for item, future in self._waiting if not future.done()]
            if not self._waiting:
                self._arrived.clear()
                continue
            # A power of two, because an engine prepares the network again for each batch size that is new to it.
            size = 1 << (min(len(self._waiting), self._batch_size).bit_length() - 1)
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            try:
                results = await loop.run_in_executor(self._thread, self._process, [item for item, _ in batch])
            except Exception as error:
                results = [error] * len(batch)
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)


def _raise_if_fatal(result: Result | BaseException) -> Result | Exception:
    if isinstance(result, BaseException) and not isinstance(result, Exception):
        raise result
    return result
