"""Atomic writing: a file is complete or does not exist."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from breastcls.errors import BreastclsError, OutputError


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Create `folder` and its parents unless they exist, and return its path.

    Raises:
        OutputError: If it cannot be created, or is a file.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot create the folder {path}: {error.strerror or error}. Choose a folder with write permission."
        ) from error
    return path


def file_stem(name: str, longest: int = 150) -> str:
    """Return a name as the stem of a file name: other characters than letters, digits, `.`, `_` and `-` become `_`.

    Args:
        name: Any text, such as the name of a slide.
        longest: The largest number of bytes in UTF-8; file systems limit a name to 255 bytes.

    Example:
        >>> file_stem("slide 7/B"), file_stem("../x"), file_stem("?")
        ('slide_7_B', '_x', '_')
    """
    stem = re.sub(r"[^\w.-]+", "_", name).lstrip(".")  # A leading dot would hide the file.
    return stem.encode()[:longest].decode(errors="ignore")


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `target`, which replaces `target` if the block ends without an error.

    The temporary file has the suffix of the target, since Keras, Matplotlib and others derive the format from it.

    Raises:
        OutputError: If the folder cannot be written to or the disk is full.
    """
    target = Path(target)
    folder = make_folder(target.parent)
    temporary = folder / f".{target.stem}.{secrets.token_hex(4)}{target.suffix}"
    try:
        # Not by `tempfile`, which restricts a file to its owner: a result has the permissions of any other new file.
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise OutputError(
            f"Cannot write {target}: {error.strerror or error}. Choose a folder with write permission."
        ) from error
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        if isinstance(error, BreastclsError):
            raise
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporaries(target: str | os.PathLike[str]) -> None:
    """Remove temporary files of `atomic_path` that a killed process left in the folder of `target`.

    No other process may be writing `target` at the same time.
    """
    target = Path(target)
    for left in target.parent.glob(f".{glob.escape(target.stem)}.????????{glob.escape(target.suffix)}"):
        left.unlink(missing_ok=True)


def write_text(target: str | os.PathLike[str], text: str) -> Path:
    r"""Write `text` to `target` as UTF-8, atomically, and return the path.

    Bytes of file names that are not UTF-8 are written as `\udcff`.

    Raises:
        OutputError: If it cannot be written.
    """
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return Path(target)


def export_text(text: str, target: str | os.PathLike[str] | None = None) -> str:
    """Return `text` and, given a target, write it there; see `write_text`.

    Raises:
        OutputError: If it cannot be written.
    """
    if target is not None:
        write_text(target, text)
    return text


def write_json(values: Mapping[str, Any], target: str | os.PathLike[str] | None = None) -> str:
    """Return JSON values as text and, given a target, write it there atomically.

    Args:
        values: JSON values; see `to_json_values`. NaN and infinity are not valid JSON.
        target: The file, or None to write nothing.

    Returns:
        The JSON text.

    Raises:
        ValueError: If a value is NaN or infinite.
        OutputError: If the file cannot be written.

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


def hash_file(path: str | os.PathLike[str], algorithm: str = "sha256") -> str:
    """Return a hash of the content of a file, in hexadecimal; it is meant to find damage, not forgery."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
