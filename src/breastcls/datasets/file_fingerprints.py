"""What identifies a file and a picture: hashes of bytes and of pixels, computed once and remembered."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pandas as pd

from breastcls.errors import DatasetWarning, ImageError
from breastcls.files import hash_file

# Hashing decodes every picture (some 250 a second), and a run of five folds asks for the same ones ten times.
_remembered: dict[tuple[str, int, int], tuple[str, str | None]] = {}
_FILE = "fingerprints-1.sqlite"


def fingerprint_files(paths: Sequence[str], *, workers: int | None = None) -> pd.DataFrame:
    """Hash files and their pixels.

    Results are remembered in the cache folder by path, size and time of change.

    Args:
        paths: Image files.
        workers: Threads; as many as processors by default.

    Returns:
        Columns `bytes` (SHA-256 of the file) and `pixels` (of the decoded RGB pixels and their shape; None for a
        picture of one single colour, of which many may exist by right), one row a path, in order.

    Raises:
        ImageError: If a file is missing or cannot be read; the message names it.
    """
    keys = [_identity(path) for path in paths]
    unknown = list(dict.fromkeys(key for key in keys if key not in _remembered))
    if unknown:
        _recall(unknown)
        unknown = [key for key in unknown if key not in _remembered]
    if unknown:
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            _remembered.update(zip(unknown, pool.map(_hash, unknown), strict=True))
        _keep(unknown)
    found = [_remembered[key] for key in keys]
    return pd.DataFrame(
        {"bytes": [row[0] for row in found], "pixels": pd.Series([row[1] for row in found], dtype=object)}
    )


def known_files(paths: Sequence[str]) -> pd.DataFrame:
    """Tell what is known of files without reading them.

    Args:
        paths: Image files.

    Returns:
        Columns `size` (in bytes) and `sha256` (of the file, where `fingerprint_files` was asked for it before and it
        has not changed since, else ""), one row a path, in order.

    Raises:
        ImageError: If a file is missing.
    """
    keys = [_identity(path) for path in paths]
    _recall([key for key in dict.fromkeys(keys) if key not in _remembered])
    return pd.DataFrame(
        {"size": [key[1] for key in keys], "sha256": [_remembered.get(key, ("", None))[0] for key in keys]}
    )


def _identity(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise ImageError(
            f"Cannot open the image {path}: {error.strerror}. Was it moved since the folder was read?"
        ) from error
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


def _hash(key: tuple[str, int, int]) -> tuple[str, str | None]:
    from breastcls.images.decode import hash_array, read_image

    pixels = read_image(key[0])
    return hash_file(key[0]), None if (pixels == pixels[0, 0]).all() else hash_array(pixels)


def _place() -> Path:
    from breastcls.images.image_cache import cache_folder

    return cache_folder() / _FILE


def _connect() -> sqlite3.Connection:
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(place, timeout=20)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS prints (path TEXT, size INTEGER, changed INTEGER, bytes TEXT, pixels TEXT, "
        "PRIMARY KEY (path, size, changed))"
    )
    return connection


def _recall(keys: Sequence[tuple[str, int, int]]) -> None:
    try:
        if not _place().exists():
            return
        with closing(_connect()) as connection:
            for key in keys:
                row = connection.execute(
                    "SELECT bytes, pixels FROM prints WHERE path = ? AND size = ? AND changed = ?", key
                ).fetchone()
                if row:
                    _remembered[key] = row
    except (OSError, sqlite3.Error) as error:
        warnings.warn(
            f"Remembered picture hashes cannot be read ({error}); they are computed anew.",
            DatasetWarning,
            stacklevel=4,
        )


def _keep(keys: Sequence[tuple[str, int, int]]) -> None:
    try:
        with closing(_connect()) as connection, connection:
            connection.executemany(
                "INSERT OR REPLACE INTO prints VALUES (?, ?, ?, ?, ?)",
                [(*key, *_remembered[key]) for key in keys],
            )
    except (OSError, sqlite3.Error):
        # Without a place to write, hashes live as long as the process: slower, never wrong.
        return
