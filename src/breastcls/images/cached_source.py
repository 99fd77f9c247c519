"""Reading from the image cache: finding images, and handling damaged files."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from breastcls.errors import DatasetWarning, OutputError
from breastcls.images.cache_segment import KEY_BYTES, SUFFIX, DamagedSegmentError, Segment
from breastcls.images.epoch_order import Rows
from breastcls.images.image_files import is_exhausted, missing_file_error
from breastcls.images.image_source import FileSource, ReadSettings, States
from breastcls.images.resize import Pixels, empty_images


class CachedSource:
    """Images in the image cache; images that are not in it are decoded from their files.

    Args:
        files: The image files.
        segments: The open segments.
        places: The position of each image, from `find_images`.
    """

    def __init__(self, files: FileSource, segments: list[Segment], places: Rows) -> None:
        self._files = files
        self._segments = segments
        self._segment_of = places // 2**32
        self._position_in = places % 2**32
        self._damaged: set[int] = set()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, 3)."""
        return self._files.shape

    @property
    def prepared(self) -> int:
        """Number of images that are read from the cache."""
        return int((self._segment_of >= 0).sum())

    def __len__(self) -> int:
        return len(self._files)

    def read(self, rows: Rows) -> Pixels:
        """Return the images at the positions `rows`, uint8 of shape (n, height, width, 3).

        An image with a wrong checksum is decoded from its file, with a `DatasetWarning`; the damaged segment of the
        cache is removed, so that the next call of `prepare_images` prepares its images again.

        Raises:
            ImageError: If a file has to be decoded and cannot be read.
        """
        out = empty_images(len(rows), self.shape)
        absent = []
        for place, (segment, position) in enumerate(
            zip(self._segment_of[rows].tolist(), self._position_in[rows].tolist(), strict=True)
        ):
            if segment < 0:
                absent.append(place)
            else:
                try:
                    intact = self._segments[segment].read_into(position, out[place])
                except OSError:
                    # An error of the disk or the network is no damage of the segment.
                    absent.append(place)
                    continue
                if not intact:
                    self._remove_segment(segment)
                    absent.append(place)
        if absent:
            out[absent] = self._files.read(rows[absent])
        return out

    def _remove_segment(self, segment: int) -> None:
        if segment in self._damaged:
            return
        self._damaged.add(segment)
        path = self._segments[segment].path
        remove_damaged(path, "the checksum of an image is wrong")


def image_keys(paths: Sequence[str], states: States) -> bytes:
    """Return the keys of files in the cache: 16 bytes per file, a hash of its path, size and modification time."""
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
    """Return the segments in `folder`, and the position of the image of each file.

    Args:
        folder: The folder of the settings.
        states: The result of `file_states` for the files.
        paths: The image files.
        settings: Image size, resize mode and normalizer.
        repair: Whether to remove damaged segments, with a warning; otherwise they are ignored.

    Returns:
        The open segments, and the positions, int64 of shape (n,): the number of the segment in the upper and the
        position in it in the lower 32 bits, or -1 for images that are not in the cache.
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
    """Return the segments in `folder`, and the position of the entry of each key.

    Args:
        folder: The folder of the segments.
        keys: The concatenated keys, of `KEY_BYTES` each.
        entry_bytes: Size of an entry in bytes.
        suffix: Suffix of the files.
        repair: Whether to remove damaged segments, with a warning; otherwise they are ignored.
        what: Description of the entries, for the warning.

    Returns:
        As in `find_images`.

    Raises:
        OutputError: If the folder cannot be listed.
        ImageError: If too many files are open.
    """
    wanted = np.frombuffer(keys, "<u8").reshape(-1, 2)
    sought = np.unique(wanted[:, 0])
    segments = []
    for path in _list_segments(folder, suffix):
        try:
            segment = Segment(path, entry_bytes)
            # The others are closed at once: a store of many segments would need as many descriptors.
            if _any_in(np.ascontiguousarray(segment.keys).view("<u8")[::2], sought):
                segments.append(segment)
        except DamagedSegmentError as error:
            # Only the process that holds the lock reports it and prepares the images again.
            if repair:
                remove_damaged(path, str(error), what)
        except OSError as error:
            # Without descriptors, intact segments cannot be opened; another segment may be unreadable or just removed.
            if is_exhausted(error):
                raise missing_file_error(path, error) from error
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


def _any_in(values: npt.NDArray[np.uint64], ordered: npt.NDArray[np.uint64]) -> bool:
    """Return whether any of the values is among ordered ones."""
    if not len(ordered) or not len(values):
        return False
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return bool((ordered[at] == values).any())


def _list_segments(folder: Path, suffix: str) -> list[Path]:
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.endswith(suffix))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if is_exhausted(error):
            raise missing_file_error(folder, error) from error
        raise OutputError(
            f"Cannot read the cache in {folder}: {error.strerror or error}. Set BREASTCLS_CACHE or cache_dir to "
            "another "
            "folder."
        ) from error


def remove_damaged(path: Path, reason: str, what: str = "prepared images") -> None:
    """Remove a damaged segment, with a warning."""
    warnings.warn(
        f"The {what} in {path} are damaged ({reason}); they are computed again.", DatasetWarning, stacklevel=3
    )
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        warnings.warn(
            f"{path} cannot be removed ({error.strerror or error}); it is ignored.", DatasetWarning, stacklevel=3
        )
