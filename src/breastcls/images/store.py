"""The prepared store: each image is decoded and brought to size once, and read from there ever after.

An image is known by its path, size in bytes and time of change, and by what was done to it. A file that changed or
came new is prepared again, and nothing else is. What is stored can always be made again: whoever clears it loses time
only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import platformdirs

from breastcls.errors import DatasetWarning, ImageError, OutputError
from breastcls.images.locking import hold_lock
from breastcls.images.order import Rows
from breastcls.images.progress import progress_bar
from breastcls.images.resize import Pixels, empty_images
from breastcls.images.segment import (
    KEY_BYTES,
    SUFFIX,
    TEMPORARY_SUFFIX,
    DamagedSegmentError,
    Segment,
    SegmentWriter,
)
from breastcls.images.source import FileSource, ImageSource, Settings, States, file_states, run_in_threads

_SEGMENT_BYTES = 64 * 2**20
# Each open segment is a file descriptor, of which a process has a thousand or so.
_MOST_SEGMENTS = 128
_NAMED_FAILURES = 10


def cache_folder(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder for what may be computed again.

    Args:
        cache_dir: Taken if given; else the environment variable `BREASTCLS_CACHE`, else the user's cache folder.
    """
    named = cache_dir or os.environ.get("BREASTCLS_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("breastcls", appauthor=False))


def clear_store(cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Delete all prepared images and return how many bytes that freed.

    Args:
        cache_dir: As for `cache_folder`.

    Raises:
        OutputError: If they cannot be deleted.
    """
    folder = cache_folder(cache_dir) / "prepared"
    freed = store_size(cache_dir)
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(f"Cannot clear the prepared images in {folder}: {error.strerror or error}.") from error
    return freed


def store_size(cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Return how many bytes the prepared images take."""
    folder = cache_folder(cache_dir) / "prepared"
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def open_images(
    paths: Sequence[str],
    settings: Settings,
    *,
    cache: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> ImageSource:
    """Open images for reading, by way of the prepared store where possible.

    Args:
        paths: Image files.
        settings: Size and treatment.
        cache: Whether to use the prepared store; without it each reading decodes the file.
        cache_dir: Where the store is; see `cache_folder`.
        workers: Threads; as many as processors by default.
        progress: Whether to show a progress bar while preparing; by default if standard error is a terminal.

    Returns:
        A source of all images, in order. If the store cannot be written, a `DatasetWarning` says so, and what is not
        in it is decoded at each reading.

    Raises:
        ImageError: If files cannot be read; the message names up to ten of them. The others are prepared all the same.
    """
    states = file_states(paths)
    if not cache or not len(paths):
        return FileSource(paths, states, settings, workers)
    try:
        return prepare_images(paths, settings, states=states, cache_dir=cache_dir, workers=workers, progress=progress)
    except OutputError as error:
        warnings.warn(f"{error} Images are decoded anew at each reading.", DatasetWarning, stacklevel=2)
        found = _find(_store_folder(cache_dir, settings), states, paths, settings)
        return PreparedSource(FileSource(paths, states, settings, workers), *found)


def prepare_images(
    paths: Sequence[str],
    settings: Settings,
    *,
    states: States | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> PreparedSource:
    """Put images into the prepared store that are not there yet, and open them.

    May be interrupted at any time, killed too: the next call goes on where it stopped. Of several processes one
        prepares
    and the others wait for it.

    Args:
        paths: Image files.
        settings: Size and treatment.
        states: What `file_states` said of the files; asked again by default.
        cache_dir: Where the store is; see `cache_folder`.
        workers: Threads; as many as processors by default.
        progress: Whether to show a progress bar; by default if standard error is a terminal.

    Raises:
        ImageError: If files cannot be read; the message names up to ten of them.
        OutputError: If the store cannot be written or the disk is full.
    """
    states = file_states(paths) if states is None else states
    folder = _store_folder(cache_dir, settings)
    files = FileSource(paths, states, settings, workers)
    found = _find(folder, states, paths, settings)
    if (found[1] < 0).any():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with hold_lock(folder / "lock"):
                for left in folder.glob("*" + TEMPORARY_SUFFIX):
                    left.unlink(missing_ok=True)
                # Another process may have prepared them while this one waited.
                found = _find(folder, states, paths, settings, repair=True)
                missing = np.flatnonzero(found[1] < 0)
                _write_missing(folder, files, missing, progress)
        except OSError as error:
            if isinstance(error, ImageError | OutputError):
                raise
            raise OutputError(
                f"Cannot keep prepared images in {folder}: {error.strerror or error}. Set BREASTCLS_CACHE or cache_dir "
                "to a folder that you may write to, with room enough."
            ) from error
        found = _find(folder, states, paths, settings)
    return PreparedSource(files, *found)


class PreparedSource:
    """Images from the prepared store; those that are not in it are decoded from their files.

    Args:
        files: The image files.
        segments: The open segments.
        places: For each image the number of its segment (-1 for none) and its position there, int64 of shape (n, 2).
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
        """How many of the images come from the store."""
        return int((self._segment_of >= 0).sum())

    def __len__(self) -> int:
        return len(self._files)

    def read(self, rows: Rows) -> Pixels:
        """Return the images `rows`, uint8 of shape (n, height, width, 3).

        A stored image whose checksum is wrong is decoded from its file; a `DatasetWarning` says so, and the damaged
        part of the store is removed, so that the next call of `prepare_images` makes it again.

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
        _remove_damaged(path, "an image's checksum is wrong")


def _store_folder(cache_dir: str | os.PathLike[str] | None, settings: Settings) -> Path:
    name = hashlib.sha256(settings.key.encode()).hexdigest()[:16]
    height, width = settings.image_size
    return cache_folder(cache_dir) / "prepared" / f"{height}x{width}-{settings.resize}-{name}"


def _image_keys(paths: Sequence[str], states: States) -> bytes:
    here = os.getcwd()
    parts = []
    for path, state in zip(paths, states.tolist(), strict=True):
        absolute = path if os.path.isabs(path) else os.path.join(here, path)
        text = f"{absolute}\0{state[0]}\0{state[1]}"
        parts.append(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:KEY_BYTES])
    return b"".join(parts)


def _find(
    folder: Path, states: States, paths: Sequence[str], settings: Settings, *, repair: bool = False
) -> tuple[list[Segment], Rows]:
    height, width = settings.image_size
    segments = []
    for path in sorted(folder.glob("*" + SUFFIX)) if folder.is_dir() else ():
        try:
            segments.append(Segment(path, height * width * 3))
        except (DamagedSegmentError, OSError) as error:
            # Told once, by whoever holds the lock and makes it again.
            if repair:
                _remove_damaged(path, str(error))
    wanted = np.frombuffer(_image_keys(paths, states), "<u8").reshape(-1, 2)
    places = np.full(len(paths), -1, np.int64)
    if not segments or not len(paths):
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


def _remove_damaged(path: Path, reason: str) -> None:
    warnings.warn(
        f"The prepared images in {path} are damaged ({reason}); they are made again.", DatasetWarning, stacklevel=3
    )
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        warnings.warn(
            f"{path} cannot be removed ({error.strerror or error}); it is ignored.", DatasetWarning, stacklevel=3
        )


def _write_missing(folder: Path, files: FileSource, missing: Rows, progress: bool | None) -> None:
    if not len(missing):
        return
    keys = _image_keys([files.paths[row] for row in missing], files.states[missing])
    each = [keys[place * KEY_BYTES : (place + 1) * KEY_BYTES] for place in range(len(missing))]
    # The same file may stand in the list twice, as an oversampled one does.
    unique = list(dict(zip(each, missing.tolist(), strict=True)).items())
    image_bytes = int(np.prod(files.shape))
    needed = len(unique) * image_bytes
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"Preparing {len(unique)} images needs {needed / 2**20:.0f} MiB, and {folder} has {free / 2**20:.0f} MiB "
            "left. Set BREASTCLS_CACHE or cache_dir to a folder on a larger disk, or free room with clear_store()."
        )
    per_segment = max(1, _SEGMENT_BYTES // image_bytes, -(-len(unique) // _MOST_SEGMENTS))
    failures: dict[int, ImageError] = {}
    (folder / "settings.txt").write_text(files.settings.key + "\n", encoding="utf-8")
    with progress_bar("Preparing images", len(unique), progress) as advance:
        for start in range(0, len(unique), per_segment):
            chunk = unique[start : start + per_segment]
            _write_segment(folder, files, chunk, image_bytes, failures, advance)
    # Only a normaliser of stains counts what it could not do.
    fallbacks = getattr(files.settings.normaliser, "fallbacks", None)
    if fallbacks is not None and fallbacks.total:
        warnings.warn(f"Stain normalisation: {fallbacks}.", DatasetWarning, stacklevel=3)
    if failures:
        named = [str(failures[row]) for row in sorted(failures)]
        more = f"\n... and {len(named) - _NAMED_FAILURES} more." if len(named) > _NAMED_FAILURES else ""
        if len(named) == 1:
            raise ImageError(named[0])
        raise ImageError(
            f"{len(named)} of {len(unique)} images cannot be read:\n" + "\n".join(named[:_NAMED_FAILURES]) + more
        )


def _write_segment(
    folder: Path,
    files: FileSource,
    chunk: list[tuple[bytes, int]],
    image_bytes: int,
    failures: dict[int, ImageError],
    advance: Callable[[], None],
) -> None:
    writer = SegmentWriter(folder, [key for key, _ in chunk], image_bytes)

    def prepare(position: int) -> None:
        row = chunk[position][1]
        try:
            image = files.settings.prepare(files.paths[row], files.states[row])
        except ImageError as error:
            failures[row] = error
        else:
            writer.write(position, image)
        advance()

    try:
        run_in_threads(prepare, len(chunk), files.workers)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise
