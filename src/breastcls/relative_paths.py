"""Paths of files as they are written into results: relative, and the same on every machine."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath, PureWindowsPath
from typing import Any

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
# The name of no file.
_ANY_NAME = "\0"


def relative_paths(paths: Iterable[str], root: str | os.PathLike[str] | None = None) -> list[str]:
    """Return paths relative to a folder, with forward slashes; a result must not show the folders of its author.

    Args:
        paths: Paths of files; "" where not known. Those that are relative and not below `root` stay as they are.
        root: The folder. Without it, or where a path is outside of it, paths are relative to their common folder.

    Example:
        >>> relative_paths(["/data/B/1.png", "/data/M/2.png", "", "3.png"])
        ['B/1.png', 'M/2.png', '', '3.png']
        >>> relative_paths(["/data/B/1.png"], "/data")
        ['B/1.png']
    """
    split = [_split(path) for path in paths]
    # Of a million files few differ in their folder, and pathlib takes several microseconds for each path.
    known = list(dict.fromkeys(path for path, _ in split))
    written = dict(zip(known, _write_relative(known, root), strict=True))
    return [written[path].removesuffix(_ANY_NAME) + name for path, name in split]


def without_folders(values: Any) -> Any:
    """Return JSON values in which every absolute path is replaced by the name of its file or folder.

    Example:
        >>> without_folders({"run_dir": "/home/alice/runs/first", "epochs": 3, "csv": ["curves.csv"]})
        {'run_dir': 'first', 'epochs': 3, 'csv': ['curves.csv']}
    """
    if isinstance(values, Mapping):
        return {key: without_folders(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return type(values)(map(without_folders, values))
    if isinstance(values, str) and values and _pure(values).is_absolute():
        return _pure(values).name
    return values


def _split(path: str) -> tuple[str, str]:
    """Return the path of any file in the folder of a path, and the name of its file; or the path itself and ""."""
    folder, slash, name = path.rpartition("/")
    if name in ("", ".") or "\\" in path:
        return path, ""
    return folder + slash + _ANY_NAME, name


def _write_relative(paths: Sequence[str], root: str | os.PathLike[str] | None) -> list[str]:
    pure = [_pure(path) for path in paths]
    if root is not None:
        below = [_below(path, root) for path in pure]
        if all(one is not None for one in below):
            return [str(one) for one in below]
    folders = {path.parent.parts for path in pure if path.is_absolute()}
    # The first and the last in order differ where any two do. Without a common folder, as on two drives, the drive
    # alone is left out.
    ends = zip(min(folders), max(folders), strict=False) if folders else ()
    skipped = max(1, sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], ends)))
    return ["/".join(path.parts[skipped:]) if path.is_absolute() else _text(path) for path in pure]


def _below(path: PurePath, root: str | os.PathLike[str]) -> str | None:
    """Return a path relative to a folder, "" for no path, and None where the path is not below the folder."""
    if path == type(path)(""):
        return ""
    for folder in (_pure(os.fspath(root)), _pure(os.path.abspath(root))):
        if type(folder) is type(path) and path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return None


def _pure(path: str) -> PurePath:
    return PureWindowsPath(path) if _OF_WINDOWS.match(path) else PurePath(path)


def _text(path: PurePath) -> str:
    return "" if path == type(path)("") else path.as_posix()
