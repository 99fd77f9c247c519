"""One output of a notebook cell that is replaced while work proceeds, instead of an output per step."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from breastcls.html_parts import html_text

# A notebook keeps every output in its file: of a long training the last lines are enough while it runs.
SHOWN_LINES = 12
_SECONDS_BETWEEN = 0.5


def in_notebook() -> bool:
    """Return whether the program runs in the kernel of a notebook: Jupyter, Colab, VS Code."""
    # Looked up, not imported: where IPython was not imported there is no kernel.
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def print_progress(text: str) -> None:
    """Print a line about the progress of work on standard error; in a notebook, which shows that in red, as text."""
    if in_notebook():
        NotebookDisplay().show([text], force=True)
    else:
        print(text, file=sys.stderr)


class NotebookDisplay:
    """Lines of text in one output, which is replaced at most twice a second."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._last = 0.0

    def due(self) -> bool:
        """Return whether the text may be replaced again without `force`."""
        return time.monotonic() - self._last >= _SECONDS_BETWEEN

    def show(self, lines: Sequence[str], *, head: Sequence[str] = (), force: bool = False) -> None:
        """Show the last of the lines instead of those before.

        Args:
            lines: The lines; of more than `SHOWN_LINES` the number of the earlier ones is stated.
            head: Lines above them, such as the names of columns.
            force: Show them also if the last ones were shown a moment ago.
        """
        if not (force or self.due()):
            return
        from IPython.display import display

        self._last = time.monotonic()
        hidden = len(lines) - SHOWN_LINES
        shown = [f"... {hidden} earlier lines", *lines[-SHOWN_LINES:]] if hidden > 1 else lines
        text = "\n".join([*head, *shown])
        bundle = {"text/plain": text, "text/html": html_text(text) if text else ""}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)

    def clear(self) -> None:
        """Leave nothing where something was shown."""
        if self._handle is not None:
            self.show([], force=True)


def describe_progress(what: str, done: int, total: int | None, began: float) -> str:
    """Return a line with a bar, the count and the remaining time, or only the count where the total is not known.

    `began` is a value of `time.monotonic`.

    Example:
        >>> describe_progress("Checking images", 30, 40, time.monotonic() - 60)
        'Checking images  ███████████████░░░░░  30/40  0:20 left'
    """
    if total is None:
        return f"{what}  {done:,}"
    filled = 20 * done // max(total, 1)
    left = round((time.monotonic() - began) * (total - done) / done) if done else None
    time_left = "" if left is None else f"  {left // 60}:{left % 60:02d} left"
    return f"{what}  {'█' * filled}{'░' * (20 - filled)}  {done:,}/{total:,}{time_left}"
