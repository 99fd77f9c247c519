"""What the command line writes: results on standard output, messages on standard error."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

import click

from breastcls.errors import BreastclsWarning

_FOR_PROGRAMMERS = (DeprecationWarning, FutureWarning, PendingDeprecationWarning)
_DEEPEST = 8
_INDENT = re.compile(r" *(- )?")


@dataclass
class Terminal:
    """Where a command writes.

    Attributes:
        quiet: Whether messages and progress are left out; errors and warnings are not.
        json: Whether the result is one JSON object; warnings are then part of it, too.
        traceback: Whether an error is printed with its traceback.
        warnings: The warnings so far.
    """

    quiet: bool = False
    json: bool = False
    traceback: bool = False
    warnings: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Write a message on standard error, unless it is quiet."""
        if not self.quiet:
            self._write(text)

    def warn(self, text: str) -> None:
        """Write a warning on standard error, once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._write(text, "Warning: ", "yellow")

    def fail(self, text: str) -> None:
        """Write an error on standard error."""
        self._write(text, "Error: ", "red")

    def write(self, text: str) -> None:
        """Write a result on standard output."""
        click.echo(text if self.json else wrap_lines(text, sys.stdout))

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block, write warnings as messages; if quiet, discard the progress that the library shows."""
        errors = sys.stderr

        def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
            if issubclass(category, _FOR_PROGRAMMERS):
                return
            with contextlib.redirect_stderr(errors) if self.quiet else contextlib.nullcontext():
                self.warn(str(message))

        with warnings.catch_warnings(), contextlib.ExitStack() as stack:
            warnings.showwarning = show  # type: ignore[assignment]
            warnings.filterwarnings("always", category=BreastclsWarning)
            if self.quiet:
                stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            yield

    def _write(self, text: str, label: str = "", colour: str | None = None) -> None:
        if label:
            label = click.style(label.rstrip(), fg=colour, bold=True) + " "
        shown = wrap_lines(text, sys.stderr, len(click.unstyle(label)))
        click.echo(label + shown, err=True, color=_colour())


def is_quiet() -> bool:
    """Return whether the current command is called with `--quiet`; functions of the library then show no progress."""
    return click.get_current_context().ensure_object(Terminal).quiet


def wrap_lines(text: str, stream: TextIO, first: int = 0) -> str:
    """Return text whose sentences are wrapped where the stream is a terminal; lines of tables are unchanged.

    Args:
        text: The text.
        stream: Where it is written.
        first: Characters that precede the first line.
    """
    if not stream.isatty():
        return text
    width = max(40, min(100, shutil.get_terminal_size().columns))
    lines = []
    for number, line in enumerate(text.split("\n")):
        before = first if number == 0 else 0
        # Columns are separated by two spaces or more; a path that is longer than a line remains in one piece.
        longest = max(map(len, line.split()), default=0)
        if before + len(line) <= width or "  " in line.strip() or longest > width - _DEEPEST:
            lines.append(line)
            continue
        found = _INDENT.match(line)
        hanging = " " * (0 if found is None else found.end())
        filled = textwrap.fill(
            " " * before + line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
        )
        lines.append(filled[before:])
    return "\n".join(lines)


def _colour() -> bool | None:
    """Return False where https://no-color.org asks for no colours, else None: colours in terminals only."""
    return False if os.environ.get("NO_COLOR") else None
