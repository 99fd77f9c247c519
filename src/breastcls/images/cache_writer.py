"""Writing the image cache: decoding in parallel, segment by segment."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from breastcls.errors import DatasetWarning, ImageError, OutputError
from breastcls.files import write_text
from breastcls.images.cache_segment import KEY_BYTES, SegmentWriter
from breastcls.images.cached_source import image_keys
from breastcls.images.epoch_order import Rows
from breastcls.images.image_files import is_exhausted
from breastcls.images.image_source import FileSource
from breastcls.images.progress_bar import progress_bar
from breastcls.images.threads import run_in_threads
from breastcls.text_tables import format_count

_SEGMENT_BYTES = 64 * 2**20
# Each open segment uses a file descriptor, the number of which is limited to about a thousand per process.
_MAX_SEGMENTS = 128
_MAX_NAMED = 10


def write_images(folder: Path, files: FileSource, missing: Rows, progress: bool | None) -> None:
    """Prepare the images `missing` and write them to `folder`.

    Raises:
        ImageError: If files cannot be read; the message names up to ten. All others are written first.
        OutputError: If the disk has too little space.
        OSError: If writing fails.
    """
    if not len(missing):
        return
    keys = image_keys([files.paths[row] for row in missing], files.states[missing])
    each = [keys[place * KEY_BYTES : (place + 1) * KEY_BYTES] for place in range(len(missing))]
    # The same file can occur several times, for example after oversampling.
    unique = list(dict(zip(each, missing.tolist(), strict=True)).items())
    image_bytes = int(np.prod(files.shape))
    needed = len(unique) * image_bytes
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"Preparing {format_count(len(unique), 'image')} needs {needed / 2**20:.1f} MiB, and {folder} has "
            f"{free / 2**20:.1f} MiB "
            "left. Set BREASTCLS_CACHE or cache_dir to a folder on a larger disk, or free space with clear_cache()."
        )
    per_segment = max(1, _SEGMENT_BYTES // image_bytes, -(-len(unique) // _MAX_SEGMENTS))
    failures: dict[int, ImageError] = {}
    # Replaced, not overwritten: it may be a symbolic link to another file.
    write_text(folder / "settings.txt", files.settings.key + "\n")
    with progress_bar("Preparing images", len(unique), progress) as advance:
        for start in range(0, len(unique), per_segment):
            chunk = unique[start : start + per_segment]
            _write_segment(folder, files, chunk, image_bytes, failures, advance)
    # Stain normalizers count the images that they cannot normalise.
    fallbacks = getattr(files.settings.normalizer, "fallbacks", None)
    if fallbacks is not None and fallbacks.total:
        warnings.warn(f"Stain normalisation: {fallbacks}.", DatasetWarning, stacklevel=3)
    if failures:
        named = [str(failures[row]) for row in sorted(failures)]
        more = f"\n... and {len(named) - _MAX_NAMED} more." if len(named) > _MAX_NAMED else ""
        if len(named) == 1:
            raise ImageError(named[0])
        raise ImageError(
            f"{len(named)} of {format_count(len(unique), 'image')} cannot be read:\n"
            + "\n".join(named[:_MAX_NAMED])
            + more
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
            if is_exhausted(error):
                raise
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
