"""Reading text, JSON and archives of others only up to a size: a small file can unpack to more than fits in memory."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from itertools import pairwise
from typing import Any

MIB = 2**20
LARGEST_JSON = 16 * MIB
"""Largest JSON file of a run in bytes. Parsed it takes up to twenty times as much memory."""
LARGEST_MEMBER = 64 * MIB
"""Size in bytes up to which the ratio of compression of a part of an archive is not limited."""
LARGEST_RATIO = 200
"""Largest ratio of compression beyond that; Deflate reaches 1,030."""


class SizeError(ValueError):
    """A file is larger than its use explains, or unpacks to far more than it stores."""


def read_text(path: str | os.PathLike[str], limit: int = LARGEST_JSON) -> str:
    """Return the text of a file in UTF-8, which must be a regular file of at most `limit` bytes.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is larger, not a regular file, or not UTF-8.
    """
    # Opening a FIFO would wait for a writer.
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise SizeError("it is not a regular file")
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise SizeError(f"it is larger than {limit / MIB:.0f} MiB")
    return content.decode("utf-8")


def read_json(path: str | os.PathLike[str], limit: int = LARGEST_JSON, *, nan: bool = False) -> Any:
    """Return the values in a JSON file; see `parse_json`.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is larger than `limit` bytes, not a regular file, or not JSON.
    """
    return parse_json(read_text(path, limit), nan=nan)


def parse_json(text: str, *, nan: bool = False) -> Any:
    r"""Return the values of JSON text.

    Args:
        text: The text.
        nan: Whether NaN and infinities are accepted, as Python writes them though they are not JSON.

    Raises:
        ValueError: If it is not JSON, contains half of a surrogate pair, which no file in UTF-8 can hold, or is nested
            too deeply.

    Example:
        >>> parse_json('{"classes": ["benign", "malignant"]}')
        {'classes': ['benign', 'malignant']}
        >>> parse_json("[NaN]")
        Traceback (most recent call last):
        ...
        ValueError: it contains NaN, which is not JSON
    """
    try:
        values = json.loads(text, parse_constant=None if nan else _refuse_constant)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(values, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("it contains half of a surrogate pair, which is no character") from error
    return values


def check_archive(archive: zipfile.ZipFile, total: int | None = None) -> None:
    """Check the declared sizes of the parts of a zip archive before any of them is unpacked.

    Args:
        archive: The open archive.
        total: Largest size of all parts together in bytes, or None.

    Raises:
        SizeError: If a part unpacks to more than `LARGEST_MEMBER` bytes and `LARGEST_RATIO` times what it stores, all
            parts exceed `total`, or parts overlap in the file.
    """
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    for member in members:
        if member.file_size > max(LARGEST_MEMBER, LARGEST_RATIO * member.compress_size):
            raise SizeError(
                f"its part {member.filename!r:.80} unpacks to {member.file_size / MIB:,.0f} MiB from "
                f"{member.compress_size / MIB:,.1f} MiB, more than {LARGEST_RATIO} times as much"
            )
    for member, following in pairwise(members):
        if member.header_offset + member.compress_size > following.header_offset:
            raise SizeError(f"its parts {member.filename!r:.80} and {following.filename!r:.80} overlap")
    size = sum(member.file_size for member in members)
    if total is not None and size > total:
        raise SizeError(f"its parts unpack to {size / MIB:,.0f} MiB; at most {total / MIB:,.0f} MiB are read")


def check_member(archive: zipfile.ZipFile, name: str, limit: int) -> None:
    """Check that one part of an archive, if it is there, unpacks to at most `limit` bytes.

    Raises:
        SizeError: If it is larger.
    """
    for member in archive.infolist():
        if member.filename == name and member.file_size > limit:
            raise SizeError(
                f"its part {name} has {member.file_size / MIB:,.0f} MiB; expected {limit / MIB:.0f} at most"
            )


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it contains {name}, which is not JSON")
