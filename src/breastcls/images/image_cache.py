"""The image cache: each image is decoded and resized once, and read from the cache afterwards.

An image is identified by its path, size in bytes and modification time, and by the settings. Only new and changed files
are prepared. The cache can be deleted at any time; images are then prepared again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import platformdirs

from breastcls.errors import DatasetWarning, ImageError, OutputError
from breastcls.images.cache_segment import TEMPORARY_SUFFIX
from breastcls.images.cache_writer import write_images
from breastcls.images.cached_source import CachedSource, find_images
from breastcls.images.image_header import MAX_PIXELS
from breastcls.images.image_source import FileSource, ImageSource, Normalizer, ReadSettings, States, file_states
from breastcls.images.locking import hold_lock
from breastcls.images.resize import check_image_size

ENGINES_FOLDER = "engines"
"""The folder of models that were converted for other engines; see `breastcls.models.engines.converted_network`."""

# "features" contains the features of frozen backbones, see `breastcls.features.feature_store`.
_FOLDERS = ("prepared", "features", ENGINES_FOLDER)


def cache_folder(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the cache folder of prepared images, features, hashes and converted models.

    Args:
        cache_dir: The folder, if given; otherwise the environment variable `BREASTCLS_CACHE`, or else the cache folder
            of the user.

    Example:
        >>> cache_folder("/scratch/cache").name
        'cache'
    """
    named = cache_dir or os.environ.get("BREASTCLS_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("breastcls", appauthor=False))


def clear_cache(cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Delete all prepared images, cached features and converted models, and return the number of bytes that were freed.

    Args:
        cache_dir: As in `cache_folder`.

    Raises:
        OutputError: If they cannot be deleted.

    Example:
        >>> import tempfile
        >>> clear_cache(tempfile.mkdtemp())
        0
    """
    freed = cache_size(cache_dir)
    for folder in _folders(cache_dir):
        try:
            if os.path.lexists(folder):
                shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"Cannot delete the prepared images in {folder}: {error.strerror or error}.") from error
    return freed


def cache_size(cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Return the size of prepared images, cached features and converted models in bytes, without following links.

    Args:
        cache_dir: As in `cache_folder`.

    Raises:
        OutputError: If the folder cannot be listed.

    Example:
        >>> import tempfile
        >>> cache_size(tempfile.mkdtemp())
        0
    """
    try:
        return sum(_folder_size(folder) for folder in _folders(cache_dir))
    except OSError as error:
        raise OutputError(f"Cannot list the cache {cache_folder(cache_dir)}: {error.strerror or error}.") from error


def _folder_size(folder: str | os.PathLike[str]) -> int:
    if os.path.islink(folder):
        return 0
    try:
        with os.scandir(folder) as entries:
            return sum(
                _folder_size(entry.path)
                if entry.is_dir(follow_symlinks=False)
                else entry.stat(follow_symlinks=False).st_size
                for entry in entries
            )
    except FileNotFoundError:
        # It was removed by another process, or there is no cache.
        return 0


def open_images(
    paths: Sequence[str],
    settings: ReadSettings,
    *,
    cache: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> ImageSource:
    """Open images for reading, from the image cache if possible.

    Args:
        paths: Image files.
        settings: Image size, resize mode and normalizer.
        cache: Whether to use the image cache; without it, files are decoded whenever they are read.
        cache_dir: The folder of the cache; see `cache_folder`.
        workers: Number of threads; by default one per processor.
        progress: Whether to show a progress bar while images are prepared; by default if standard error is a terminal.

    Returns:
        A source of all images, in order. If the cache cannot be written, a `DatasetWarning` is issued, and images that
        are not in it are decoded whenever they are read.

    Raises:
        ImageError: If files cannot be read; the message names up to ten of them. All others are prepared.
    """
    states = file_states(paths)
    if not cache or not len(paths):
        return FileSource(paths, states, settings, workers)
    try:
        return open_cached(paths, settings, states=states, cache_dir=cache_dir, workers=workers, progress=progress)
    except OutputError as error:
        warnings.warn(f"{error} Images are decoded whenever they are read.", DatasetWarning, stacklevel=2)
        files = FileSource(paths, states, settings, workers)
        try:
            found = find_images(_settings_folder(cache_dir, settings), states, paths, settings)
        except OutputError:
            return files
        return CachedSource(files, *found)


def prepare_images(
    paths: Sequence[str],
    image_size: int | Sequence[int],
    *,
    resize: str = "stretch",
    normalizer: Normalizer | None = None,
    max_pixels: int = MAX_PIXELS,
    cache_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> CachedSource:
    """Decode and resize images ahead of time, and store them.

    Images that are already in the cache are not prepared again. The call may be interrupted or killed at any time; the
    next one continues where it stopped. If several processes prepare the same images, one works and the others wait.

    Args:
        paths: Image files.
        image_size: (height, width) in pixels, or one number for a square: the input size of the model.
        resize: `"stretch"`, `"crop"` or `"pad"`; see `resize_image`.
        normalizer: A stain normalizer, applied before resizing.
        max_pixels: Largest size of a file in pixels. Images that are prepared with a higher limit are afterwards read
            from the cache by training and prediction with the same image size.
        cache_dir: The folder of the cache; see `cache_folder`.
        workers: Number of threads; by default one per processor.
        progress: Whether to show a progress bar; by default if standard error is a terminal.

    Returns:
        The prepared images, for `read`.

    Raises:
        ImageError: If files cannot be read; the message names up to ten of them. All others are prepared.
        OutputError: If the cache cannot be written or the disk is full.

    Example:
        >>> prepare_images(data.paths, (224, 224))  # doctest: +SKIP
    """
    settings = ReadSettings(check_image_size(image_size), resize, normalizer, max_pixels)
    return open_cached(paths, settings, cache_dir=cache_dir, workers=workers, progress=progress)


def open_cached(
    paths: Sequence[str],
    settings: ReadSettings,
    *,
    states: States | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> CachedSource:
    """Prepare the images that are not in the cache yet, as `prepare_images` does, and open all.

    Args:
        paths: Image files.
        settings: Image size, resize mode and normalizer.
        states: The result of `file_states` for the files; determined here by default.
        cache_dir: The folder of the cache; see `cache_folder`.
        workers: Number of threads; by default one per processor.
        progress: Whether to show a progress bar; by default if standard error is a terminal.

    Raises:
        ImageError: If files cannot be read; the message names up to ten of them.
        OutputError: If the cache cannot be written or the disk is full.
    """
    states = file_states(paths) if states is None else states
    folder = _settings_folder(cache_dir, settings)
    files = FileSource(paths, states, settings, workers)
    found = find_images(folder, states, paths, settings)
    if (found[1] < 0).any():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with hold_lock(folder / "lock") as alone:
                # Without a lock, a temporary file may belong to another process that is still running.
                for left in folder.glob("*" + TEMPORARY_SUFFIX) if alone else ():
                    left.unlink(missing_ok=True)
                # Another process may have prepared them while this one waited.
                found = find_images(folder, states, paths, settings, repair=True)
                missing = np.flatnonzero(found[1] < 0)
                write_images(folder, files, missing, progress)
        except OSError as error:
            if isinstance(error, ImageError | OutputError):
                raise
            raise OutputError(
                f"Cannot write prepared images to {folder}: {error.strerror or error}. Set BREASTCLS_CACHE or "
                "cache_dir to a folder with write permission and enough space."
            ) from error
        found = find_images(folder, states, paths, settings)
    return CachedSource(files, *found)


def _folders(cache_dir: str | os.PathLike[str] | None) -> list[Path]:
    return [cache_folder(cache_dir) / name for name in _FOLDERS]


def _settings_folder(cache_dir: str | os.PathLike[str] | None, settings: ReadSettings) -> Path:
    name = hashlib.sha256(settings.key.encode()).hexdigest()[:16]
    height, width = settings.image_size
    return cache_folder(cache_dir) / "prepared" / f"{height}x{width}-{settings.resize}-{name}"
