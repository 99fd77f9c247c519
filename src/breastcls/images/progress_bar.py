"""A progress bar, shown in terminals only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


@contextmanager
def progress_bar(what: str, total: int | None, show: bool | None = None) -> Iterator[Callable[[], None]]:
    """Show a progress bar during the block; yields a function to call after each step, from any thread.

    Args:
        what: Description of the task, at the beginning of the line.
        total: Number of steps; None where it is not known.
        show: Whether to show the progress bar, in a terminal or a notebook; by default if standard error is a terminal.
    """
    if not (sys.stderr.isatty() if show is None else show):
        yield lambda: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        # In a log file the bar would be an empty line.
        yield lambda: None
        return
    with make_progress(console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def make_progress(console: Console) -> Progress:
    """Return a progress display with bar, counter and remaining time, which disappears when it is finished."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
