"""Reading from the image cache: which image lies where, and what to do when it is not what was written."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from breastcls.errors import DatasetWarning
from breastcls.images.cache_segment import KEY_BYTES, SUFFIX, DamagedSegmentError, Segment
from breastcls.images.epoch_order import Rows
from breastcls.images.image_source import FileSource, ReadSettings, States
from breastcls.images.resize import Pixels, empty_images


class CachedSource:
    """Images from the image cache; those that are not in it are decoded from their files.

    Args:
        files: The image files.
        segments: The open segments.
        places: Where each image is, from `find_images`.
    """

    def __init__(self, files: FileSource, segments: list[Segment], places: Rows) -> None:
        self._files = files
        self._segments = segments
        self._segment_of = places // 2**32
        self._position_in = places % 2**32
        self._distrusted: set[int] = set()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, 3)."""
        return self._files.shape

    @property
    def prepared(self) -> int:
        """How many of the images come from the cache."""
        return int((self._segment_of >= 0).sum())

    def __len__(self) -> int:
        return len(self._files)

    def read(self, rows: Rows) -> Pixels:
        """Return the images `rows`, uint8 of shape (n, height, width, 3).

        A stored image whose checksum is wrong is decoded from its file; a `DatasetWarning` says so, and the damaged
        part of the cache is removed, so that the next call of `prepare_images` makes it again.

        Raises:
            ImageError: If a file is needed and cannot be read.
        """
        out = empty_images(len(rows), self.shape)
        absent = []
        for place, (segment, position) in enumerate(
            zip(self._segment_of[rows].tolist(), self._position_in[rows].tolist(), strict=True)
        ):
            if segment < 0:
                absent.append(place)
            elif not self._segments[segment].read_into(position, out[place]):
                self._distrust(segment)
                absent.append(place)
        if absent:
            out[absent] = self._files.read(rows[absent])
        return out

    def _distrust(self, segment: int) -> None:
        if segment in self._distrusted:
            return
        self._distrusted.add(segment)
        path = self._segments[segment].path
        remove_damaged(path, "an image's checksum is wrong")


def image_keys(paths: Sequence[str], states: States) -> bytes:
    """Return what the cache knows each file by: 16 bytes that follow from its path, size and time of change."""
    here = os.getcwd()
    parts = []
    for path, state in zip(paths, states.tolist(), strict=True):
        absolute = path if os.path.isabs(path) else os.path.join(here, path)
        text = f"{absolute}\0{state[0]}\0{state[1]}"
        parts.append(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:KEY_BYTES])
    return b"".join(parts)


def find_images(
    folder: Path, states: States, paths: Sequence[str], settings: ReadSettings, *, repair: bool = False
) -> tuple[list[Segment], Rows]:
    """Return the segments in `folder`, and for each file where its image is.

    Args:
        folder: That of the settings.
        states: What `file_states` said of the files.
        paths: The files.
        settings: Size and treatment.
        repair: Whether to remove damaged segments, with a warning; otherwise they are ignored.

    Returns:
        The open segments, and int64 of shape (n,): the number of the segment in the upper and the position in the
            lower 32
        bits, -1 for an image that is not there.
    """
    height, width = settings.image_size
    return find_entries(folder, image_keys(paths, states), height * width * 3, repair=repair)


def find_entries(
    folder: Path,
    keys: bytes,
    entry_bytes: int,
    *,
    suffix: str = SUFFIX,
    repair: bool = False,
    what: str = "prepared images",
) -> tuple[list[Segment], Rows]:
    """Return the segments in `folder`, and for each key where its entry is.

    Args:
        folder: Where the segments are.
        keys: What is looked for, `KEY_BYTES` each, one after another.
        entry_bytes: Bytes of one entry.
        suffix: That of the files.
        repair: Whether to remove damaged segments, with a warning; otherwise they are ignored.
        what: What the entries are, for the warning.

    Returns:
        As `find_images`.
    """
    segments = []
    for path in sorted(folder.glob("*" + suffix)) if folder.is_dir() else ():
        try:
            segments.append(Segment(path, entry_bytes))
        except (DamagedSegmentError, OSError) as error:
            # Told once, by whoever holds the lock and makes it again.
            if repair:
                remove_damaged(path, str(error), what)
    wanted = np.frombuffer(keys, "<u8").reshape(-1, 2)
    places = np.full(len(wanted), -1, np.int64)
    if not segments or not len(wanted):
        return segments, places
    stored = np.concatenate([segment.keys for segment in segments]).view("<u8").reshape(-1, 2)
    where = np.concatenate(
        [number * 2**32 + np.arange(len(segment.keys), dtype=np.int64) for number, segment in enumerate(segments)]
    )
    order = np.argsort(stored[:, 0], kind="stable")
    at = np.minimum(np.searchsorted(stored[order, 0], wanted[:, 0]), len(order) - 1)
    hit = (stored[order[at]] == wanted).all(axis=1)
    places[hit] = where[order[at[hit]]]
    return segments, places


def remove_damaged(path: Path, reason: str, what: str = "prepared images") -> None:
    """Remove a segment that is not what was written, and say so."""
    warnings.warn(f"The {what} in {path} are damaged ({reason}); they are made again.", DatasetWarning, stacklevel=3)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        warnings.warn(
            f"{path} cannot be removed ({error.strerror or error}); it is ignored.", DatasetWarning, stacklevel=3
        )
