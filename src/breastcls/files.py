"""Writing without halves: a file is there whole or not at all."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from breastcls.errors import BreastclsError, OutputError


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Create `folder` with its parents if need be, and return it.

    Raises:
        OutputError: If it cannot be created or is a file.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot create the folder {path}: {error.strerror or error}. Choose a folder that you may write to."
        ) from error
    return path


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `target` that takes its place when the block ends without an error.

    The temporary name keeps the suffix of the target, since Keras, Matplotlib and others choose the format by it.

    Raises:
        OutputError: If the folder cannot be written to or the disk is full.
    """
    target = Path(target)
    folder = make_folder(target.parent)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=folder)
    except OSError as error:
        raise OutputError(
            f"Cannot write {target}: {error.strerror or error}. Choose a place that you may write to."
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; a result should have the permissions of any other new file.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, target)
    except OSError as error:
        if isinstance(error, BreastclsError):
            raise
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporaries(target: str | os.PathLike[str]) -> None:
    """Remove the temporary files of `atomic_path` that a process left beside `target` when it was killed.

    Nobody else may be writing `target` meanwhile.
    """
    target = Path(target)
    for left in target.parent.glob(f".{glob.escape(target.stem)}.????????{glob.escape(target.suffix)}"):
        left.unlink(missing_ok=True)


def write_text(target: str | os.PathLike[str], text: str) -> Path:
    """Write `text` as UTF-8 to `target`, whole or not at all, and return the path.

    Raises:
        OutputError: If it cannot be written.
    """
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Path(target)


def write_json(values: Mapping[str, Any], target: str | os.PathLike[str] | None = None) -> str:
    """Return plain values as JSON and, given a target, write it there, whole or not at all.

    Args:
        values: What JSON can hold; NaN and infinity are not among it.
        target: The file, or None to write nothing.

    Raises:
        OutputError: If it cannot be written.

    Example:
        >>> print(write_json({"auc": 0.5}))
        {
          "auc": 0.5
        }
    """
    text = json.dumps(values, indent=2, allow_nan=False)
    if target is not None:
        write_text(target, text + "\n")
    return text


def hash_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
