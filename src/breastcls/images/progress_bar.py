"""A progress bar, shown in terminals and in notebooks."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from breastcls.images.notebook_display import NotebookDisplay, describe_progress, in_notebook

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


@contextmanager
def progress_bar(what: str, total: int | None, show: bool | None = None) -> Iterator[Callable[[], None]]:
    """Show a progress bar during the block; yields a function to call after each step, from any thread.

    Args:
        what: Description of the task, at the beginning of the line.
        total: Number of steps; None where it is not known.
        show: Whether to show the progress bar, in a terminal or a notebook; by default if standard error is a terminal,
            or in a notebook.
    """
    if show is not False and in_notebook():
        with _notebook_bar(what, total) as advance:
            yield advance
        return
    if not (sys.stderr.isatty() if show is None else show):
        yield lambda: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        # In a log file the bar would be an empty line.
        yield lambda: None
        return
    with make_progress(console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def _notebook_bar(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Show a line that is replaced while the work proceeds and removed at its end; none for work of a second."""
    display, began, lock, done = NotebookDisplay(), time.monotonic(), threading.Lock(), 0

    def advance() -> None:
        nonlocal done
        with lock:
            done += 1
            if time.monotonic() - began > 1.0:
                display.show([describe_progress(what, done, total, began)])

    try:
        yield advance
    finally:
        display.clear()


def make_progress(console: Console) -> Progress:
    """Return a progress display with bar, counter and remaining time, which disappears when it is finished."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
