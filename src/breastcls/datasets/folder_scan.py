"""Listing the files of a folder, and messages about files that are not images."""

from __future__ import annotations

import errno
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from breastcls.errors import DatasetWarning, LayoutError
from breastcls.images.decode import is_image_name
from breastcls.text_tables import choose_form, format_count

# Folders of operating systems and network storage.
_FOREIGN = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
_ARCHIVES = {".zip": "unzip", ".gz": "tar -xzf", ".tgz": "tar -xzf", ".tar": "tar -xf"}


def scan_files(root: str | os.PathLike[str], hidden: list[str] | None = None) -> tuple[list[str], list[str]]:
    """List all files below `root` in one pass, sorted by folder and name.

    Args:
        root: The folder.
        hidden: A list that gets the paths of what is skipped.

    Returns:
        Folder and name of each file, two lists of the same length. Hidden files and folders are skipped, and so are
        folders of operating systems and network storage, such as `__MACOSX` in archives that were created on macOS.

    Raises:
        LayoutError: If `root` does not exist, is a file, or cannot be listed, or a link leads to a folder that contains
            it.
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
                    if name[0] == "." or name in _FOREIGN:
                        if hidden is not None:
                            hidden.append(entry.path)
                        continue
                    if entry.is_symlink():
                        _check_link(entry.path, top)
                    if _is_folder(entry):
                        below.append(entry.path)
                    else:
                        inside.append(name)
        except OSError as error:
            raise LayoutError(f"Cannot list the folder {folder}: {error.strerror}. Check its permissions.") from error
        inside.sort()
        names += inside
        folders += [folder] * len(inside)
        pending += sorted(below, reverse=True)
    return folders, names


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        # A link that leads to itself is an error when it is read, as a link to nothing.
        if error.errno == errno.ELOOP:
            return False
        raise


def _check_link(link: str, top: str) -> None:
    """Refuse a link to a folder that contains it, which would be followed endlessly, and warn of a broken one."""
    target = os.path.realpath(link)
    if not os.path.exists(target):
        # A missing image is an error when it is read; a missing folder would not be noticed.
        if not is_image_name(link):
            warnings.warn(
                f"The link {link} leads to {os.readlink(link)}, which does not exist; it was skipped. Restore its "
                "target, "
                "or remove the link.",
                DatasetWarning,
                stacklevel=4,
            )
        return
    folder = os.path.realpath(os.path.dirname(link))
    if os.path.isdir(target) and os.path.commonpath([folder, target]) == target:
        raise LayoutError(
            f"The link {link} leads to {target}, a folder that contains it, and would be followed endlessly. Remove "
            "the "
            f"link, or read a folder without it; found while listing {top}."
        )


def describe_skipped(names: Sequence[str]) -> str:
    """Return a sentence with the number of skipped files, their suffixes and three examples."""
    suffixes = Counter(Path(name).suffix.lower() or "no suffix" for name in names)
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(4))
    skipped = f"{format_count(len(names), 'other file')} {choose_form(len(names), 'was', 'were')} skipped"
    return f"{skipped} ({kinds}), e.g. {', '.join(names[:3])}."


def archive_hint(folder: str | os.PathLike[str], names: Iterable[str]) -> str:
    """Return how to unpack the first archive among the names; an empty string if there is none."""
    for name in names:
        suffix = Path(name).suffix.lower()
        if suffix in _ARCHIVES:
            return f" It contains the archive {name}: unpack it first (`cd {folder} && {_ARCHIVES[suffix]} {name}`)."
    return ""


def _check_root(top: str) -> None:
    if os.path.isfile(top):
        path = Path(top)
        hint = archive_hint(path.parent or ".", [path.name]) or " Give the folder that contains the images."
        raise LayoutError(f"{top} is a file, not a folder.{hint}")
    if not os.path.isdir(top):
        parent = Path(top).absolute().parent
        while not parent.is_dir():
            parent = parent.parent
        raise LayoutError(f"The folder {top} does not exist. Its nearest existing parent is {parent}.")
