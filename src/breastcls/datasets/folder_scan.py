"""Walking a folder once: which files are there, and what to say when they are not images."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from breastcls.errors import LayoutError

_ARCHIVES = {".zip": "unzip", ".gz": "tar -xzf", ".tgz": "tar -xzf", ".tar": "tar -xf"}


def scan_files(root: str | os.PathLike[str]) -> tuple[list[str], list[str]]:
    """List every file below `root` in one pass, folders and names sorted.

    Returns:
        Folder and file name of each file, two lists of the same length; hidden files and folders are passed over, and
        so is the `__MACOSX` that archives made on a Mac leave behind.

    Raises:
        LayoutError: If `root` does not exist, is a file, or cannot be listed.
    """
    top = os.fspath(root)
    _check_root(top)
    folders: list[str] = []
    names: list[str] = []
    pending = [top]
    while pending:
        folder = pending.pop()
        inside, below = [], []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    if name[0] == "." or name == "__MACOSX":
                        continue
                    if entry.is_dir():
                        below.append(entry.path)
                    else:
                        inside.append(name)
        except OSError as error:
            raise LayoutError(f"Cannot list the folder {folder}: {error.strerror}. Check its permissions.") from error
        inside.sort()
        names += inside
        folders += [folder] * len(inside)
        # A folder that is linked into itself would be walked for ever.
        if len(folder) > 4000:
            raise LayoutError(f"Folders below {top} are nested without end (a link to a parent?): {folder[:200]}...")
        pending += sorted(below, reverse=True)
    return folders, names


def describe_others(names: Sequence[str]) -> str:
    """Say in one sentence how many files were passed over, of what endings, and name a few."""
    endings = Counter(Path(name).suffix.lower() or "no ending" for name in names)
    kinds = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(4))
    return f"{len(names)} other files were passed over ({kinds}), e.g. {', '.join(names[:3])}."


def archives_hint(folder: str | os.PathLike[str], names: Iterable[str]) -> str:
    """Say how to unpack an archive, where the names hold one; else an empty string."""
    for name in names:
        suffix = Path(name).suffix.lower()
        if suffix in _ARCHIVES:
            return f" There is an archive, {name}: unpack it first (`cd {folder} && {_ARCHIVES[suffix]} {name}`)."
    return ""


def _check_root(top: str) -> None:
    if os.path.isfile(top):
        path = Path(top)
        hint = archives_hint(path.parent or ".", [path.name]) or " Give the folder that holds the images."
        raise LayoutError(f"{top} is a file, not a folder.{hint}")
    if not os.path.isdir(top):
        parent = Path(top).absolute().parent
        while not parent.is_dir():
            parent = parent.parent
        raise LayoutError(f"There is no folder {top}. The nearest that exists is {parent}.")
