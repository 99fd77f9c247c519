"""Hashes of files and of their pixels, computed once and stored in the cache folder."""

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

# Hashing decodes every image (about 250 per second), and a five-fold cross-validation hashes each image ten times.
_hashes: dict[tuple[str, int, int], tuple[str, str | None, bytes | None]] = {}
_FILE = "fingerprints-2.sqlite"
# Below this standard deviation in grey levels, the low frequencies are noise, and so is their hash.
_NEAR_CONSTANT = 4.0


def fingerprint_files(paths: Sequence[str], *, workers: int | None = None) -> pd.DataFrame:
    """Compute hashes of files and of their pixels.

    Results are stored in the cache folder by path, size and modification time.

    Args:
        paths: Image files.
        workers: Number of threads; by default one per processor.

    Returns:
        A table with one row per path, in order: `bytes` (SHA-256 of the file), `pixels` (SHA-256 of the decoded RGB
        pixels and their shape; None for an image of a single colour, since such images are legitimate duplicates) and
        `perceptual` (64 bytes: the perceptual hashes of the eight orientations; None for an almost constant image).

    Raises:
        ImageError: If a file is missing or cannot be read; the message names it.
    """
    keys = [_identity(path) for path in paths]
    unknown = list(dict.fromkeys(key for key in keys if key not in _hashes))
    if unknown:
        _load_stored(unknown)
        unknown = [key for key in unknown if key not in _hashes]
    if unknown:
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            _hashes.update(zip(unknown, pool.map(_hash, unknown), strict=True))
        _store(unknown)
    found = [_hashes[key] for key in keys]
    columns = ("bytes", "pixels", "perceptual")
    return pd.DataFrame(
        {name: pd.Series([row[place] for row in found], dtype=object) for place, name in enumerate(columns)}
    )


def describe_files(paths: Sequence[str]) -> pd.DataFrame:
    """Return sizes and stored hashes of files without reading them.

    Args:
        paths: Image files.

    Returns:
        A table with one row per path, in order: `size` (in bytes) and `sha256` (of the file, if `fingerprint_files` has
        computed it and the file has not changed since, else "").

    Raises:
        ImageError: If a file is missing.
    """
    keys = [_identity(path) for path in paths]
    _load_stored([key for key in dict.fromkeys(keys) if key not in _hashes])
    return pd.DataFrame(
        {"size": [key[1] for key in keys], "sha256": [_hashes.get(key, ("", None, None))[0] for key in keys]}
    )


def _identity(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise ImageError(
            f"Cannot open the image {path}: {error.strerror}. If it was moved, read the folder again."
        ) from error
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


def _hash(key: tuple[str, int, int]) -> tuple[str, str | None, bytes | None]:
    from breastcls.images.decode import hash_array, read_image
    from breastcls.images.perceptual_hash import grey_thumbnail, oriented_hashes

    pixels = read_image(key[0])
    if (pixels == pixels[0, 0]).all():
        return hash_file(key[0]), None, None
    varied = float(grey_thumbnail(pixels).std()) >= _NEAR_CONSTANT
    return hash_file(key[0]), hash_array(pixels), oriented_hashes(pixels).astype("<u8").tobytes() if varied else None


def _database_path() -> Path:
    from breastcls.images.image_cache import cache_folder

    return cache_folder() / _FILE


def _connect() -> sqlite3.Connection:
    path = _database_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=20)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS prints (path TEXT, size INTEGER, changed INTEGER, bytes TEXT, pixels TEXT, "
        "perceptual BLOB, "
        "PRIMARY KEY (path, size, changed))"
    )
    return connection


def _row(key: tuple[str, int, int]) -> tuple[str, int, int]:
    """Return a key as it is stored: SQLite takes no name of a file that is not UTF-8."""
    return key[0].encode("utf-8", "backslashreplace").decode("utf-8"), key[1], key[2]


def _load_stored(keys: Sequence[tuple[str, int, int]]) -> None:
    try:
        if not _database_path().exists():
            return
        with closing(_connect()) as connection:
            for key in keys:
                row = connection.execute(
                    "SELECT bytes, pixels, perceptual FROM prints WHERE path = ? AND size = ? AND changed = ?",
                    _row(key),
                ).fetchone()
                if row:
                    _hashes[key] = row
    except (OSError, sqlite3.Error) as error:
        warnings.warn(
            f"Stored image hashes cannot be read ({error}); they are computed again.",
            DatasetWarning,
            stacklevel=4,
        )


def _store(keys: Sequence[tuple[str, int, int]]) -> None:
    try:
        with closing(_connect()) as connection, connection:
            connection.executemany(
                "INSERT OR REPLACE INTO prints VALUES (?, ?, ?, ?, ?, ?)",
                [(*_row(key), *_hashes[key]) for key in keys],
            )
    except (OSError, sqlite3.Error):
        # If the cache folder is not writable, the hashes are kept in memory only.
        return
