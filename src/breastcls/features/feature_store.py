"""Features of images from a frozen model, computed once and stored beside the cached images.

The output of a frozen backbone for an image does not change. Features are stored under a key of the frozen model
(architecture and every byte of its weights), of how the image was read, of the version, and of the file as in the image
cache (path, size, time of change). Another checkpoint, image size or stain normalizer has another key. For another
split, fold, batch size or a larger dataset only missing features are computed. Stored features are those that would be
computed: neither the shape of the computation nor its precision depends on what was stored before.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.augmentation.policy import Policy
from breastcls.datasets.dataset import Dataset
from breastcls.errors import OutputError, TrainingError, TrainingWarning
from breastcls.features.augmented_versions import find_version_policy
from breastcls.features.feature_job import IF_CLOSE, FeatureJob, Positions, entry_keys, folder_name
from breastcls.features.frozen_inference import Features, preferred_precision
from breastcls.features.vector_features import read_vector_features
from breastcls.files import write_text
from breastcls.images.cache_segment import KEY_BYTES, TEMPORARY_SUFFIX, SegmentWriter
from breastcls.images.cached_source import find_entries, image_keys, remove_damaged
from breastcls.images.image_cache import cache_folder, open_images
from breastcls.images.image_source import ImageSource, Normalizer, ReadSettings, file_states
from breastcls.images.locking import hold_lock
from breastcls.images.progress_bar import progress_bar
from breastcls.images.resize import check_image_size
from breastcls.models.engines.choose_engine import KERAS
from breastcls.models.vector_input import check_vector_data, vector_size

SUFFIX = ".features"
_WHAT = "stored features"
# At most so many are lost when the process is killed.
_SEGMENT_ENTRIES = 512
# Each open segment is a file descriptor, of which a process may have about a thousand.
_MOST_SEGMENTS = 128


def read_features(
    frozen: keras.Model,
    data: Dataset,
    *,
    image_size: int | Sequence[int] | None,
    resize: str = "stretch",
    normalizer: Normalizer | None = None,
    augment: str | Policy | None = "none",
    versions: int = 1,
    seed: int = 0,
    precision: str = "auto",
    engine: str = KERAS,
    cache: bool = True,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> Features:
    """Return the output of a frozen model for each image; only features that are not stored yet are computed.

    For a model of vectors the vectors of the dataset take the place of the images; nothing is stored then.

    Args:
        frozen: The model that computes the features, run as in inference; from `split_model`.
        data: The images.
        image_size: (height, width) of the images, or one number; None for a model of vectors.
        resize: `"stretch"`, `"crop"` or `"pad"`.
        normalizer: A stain normalizer.
        augment: Name of an augmentation policy that does not mix images, a `Policy`, or `"none"`.
        versions: Augmented versions of each image. Version v of an image depends on its pixels, `seed` and v alone, so
            that with more versions only the further ones are computed.
        seed: The seed of the augmentation.
        precision: `"auto"` for the fastest whose features are within 1e-2 of those in float32 for sixteen images spread
            over `data`, `"float32"` or `"bfloat16"`.
        engine: `"keras"`, `"openvino"` or `"onnxruntime"`; other engines than Keras compute in float32.
        cache: Whether to store features, and images too.
        cache_dir: Where they are stored; see `breastcls.images.image_cache.cache_folder`.
        progress: Whether to show a progress bar; by default if standard error is a terminal.

    Returns:
        float32 of shape (versions, n, ...). If they cannot be stored, there is a `TrainingWarning`.

    Raises:
        ImageError: If files cannot be read.
        TrainingError: If there are no images, an argument is not valid, the policy mixes images, or the frozen model
            has no output of fixed shape.
        RegistryError: If the policy is unknown.

    Example:
        >>> frozen, head = split_model(model)  # doctest: +SKIP
        >>> read_features(frozen, train, image_size=224, augment="classic", versions=4).shape  # doctest: +SKIP
        (4, 571, 256)
    """
    policy = find_version_policy(augment)
    _check(data, policy, versions)
    shape = _feature_shape(frozen)
    check_vector_data(frozen, data, TrainingError)
    if vector_size(frozen) is not None:
        if policy is not None or normalizer is not None:
            raise TrainingError(
                "Vectors cannot be augmented or normalised in stain: pass augment='none' and no normalizer."
            )
        return read_vector_features(frozen, data)
    if image_size is None:
        raise TrainingError("image_size is None; expected (height, width), since the frozen model takes images.")
    states = file_states(data.paths)
    # The same file may be in the data twice; it is computed once.
    keys = entry_keys(image_keys(data.paths, states), versions)
    numbers: dict[bytes, int] = {}
    places = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    first = np.unique(places, return_index=True)[1]
    job = FeatureJob(
        frozen,
        ReadSettings(check_image_size(image_size), resize, normalizer),
        policy,
        seed,
        _precision(frozen, precision) if engine == KERAS else "float32",
        first // len(data),
        first % len(data),
        engine,
    )
    out = np.empty((len(numbers), *shape), np.float32)
    store = _Store(job, b"".join(numbers), out, data.paths, {"cache": cache, "cache_dir": cache_dir}, progress)
    store.fill(cache_folder(cache_dir) / "features" if cache else None)
    whole = out if len(out) == len(places) else out[places]
    return whole.reshape(versions, len(data), *shape)


class _Store:
    """Fills an array of features from their folder, and adds computed ones to the folder."""

    def __init__(
        self,
        job: FeatureJob,
        keys: bytes,
        out: Features,
        paths: Sequence[str],
        options: dict[str, Any],
        progress: bool | None,
    ) -> None:
        self._job, self._keys, self._out, self._paths = job, keys, out, paths
        self._options, self._progress = options, progress
        self._bytes = out.reshape(len(out), -1).view(np.uint8)
        self._folder: Path | None = None

    @cached_property
    def _source(self) -> ImageSource:
        return open_images(self._paths, self._job.settings, progress=self._progress, **self._options)

    def fill(self, root: Path | None) -> None:
        """Read the features stored below `root`, compute and store the rest; without a folder compute all."""
        every = np.arange(len(self._out))
        missing = every if root is None else self._read(root / folder_name(self._job), every, repair=False)
        if not len(missing):
            return
        if not self._job.is_close(self._source):
            self._job = replace(self._job, precision="float32")
            self.fill(root)
        elif root is None:
            self._compute(missing)
        else:
            self._compute_and_store(root / folder_name(self._job), missing)

    def _compute_and_store(self, folder: Path, missing: Positions) -> None:
        with ExitStack() as stack:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                alone = stack.enter_context(hold_lock(folder / "lock"))
                # Without a lock a temporary file may belong to another process that is still writing.
                for left in folder.glob("*" + TEMPORARY_SUFFIX) if alone else ():
                    left.unlink(missing_ok=True)
                write_text(folder / "settings.json", json.dumps(self._job.description, indent=2) + "\n")
                self._folder = folder
            except OSError as error:
                _warn_not_stored(folder, error)
            # Another process may have computed them while this one waited for the lock.
            self._compute(self._read(folder, missing, repair=self._folder is not None))

    def _compute(self, missing: Positions) -> None:
        """Compute the entries `missing`, and store them if the folder can be written to."""
        if not len(missing):
            return
        size = max(_SEGMENT_ENTRIES, -(-len(missing) // _MOST_SEGMENTS))
        waiting: list[int] = []
        with progress_bar("Computing features", len(missing), self._progress) as advance:

            def done(batch: Positions) -> None:
                waiting.extend(batch.tolist())
                if len(waiting) >= size:
                    self._store(waiting)
                    waiting.clear()
                for _ in batch:
                    advance()

            self._job.compute(self._source, missing, self._out, done)
            self._store(waiting)

    def _read(self, folder: Path, entries: Positions, *, repair: bool) -> Positions:
        """Read the stored ones of `entries`, and return the others."""
        try:
            segments, places = find_entries(
                folder, self._keys, self._bytes.shape[1], suffix=SUFFIX, repair=repair, what=_WHAT
            )
        except OutputError:
            # A folder that cannot be listed cannot be written to either, which is reported then.
            return entries
        missing, damaged = [], set()
        for entry in entries.tolist():
            place = int(places[entry])
            if place < 0:
                missing.append(entry)
            elif not segments[place // 2**32].read_into(place % 2**32, self._bytes[entry]):
                damaged.add(place // 2**32)
                missing.append(entry)
        for segment in sorted(damaged):
            remove_damaged(segments[segment].path, "a checksum is wrong", _WHAT)
        return np.array(missing, np.int64)

    def _store(self, entries: list[int]) -> None:
        """Write computed entries as one segment; after a failure warn once and store nothing more."""
        if self._folder is None or not entries:
            return
        keys = [self._keys[entry * KEY_BYTES : (entry + 1) * KEY_BYTES] for entry in entries]
        try:
            writer = SegmentWriter(self._folder, keys, self._bytes.shape[1], SUFFIX)
            try:
                for place, entry in enumerate(entries):
                    writer.write(place, self._bytes[entry])
                writer.finish()
            except BaseException:
                writer.abandon()
                raise
        except OSError as error:
            _warn_not_stored(self._folder, error)
            self._folder = None


def _check(data: Dataset, policy: Policy | None, versions: int) -> None:
    check_count("versions", versions, error=TrainingError)
    if policy is None and versions > 1:
        raise TrainingError(
            f"versions={versions}: without augmentation all versions are the same. Ask for one, or augment."
        )
    if not len(data):
        raise TrainingError("There are no images to compute features of.")


def _precision(frozen: keras.Model, wanted: str) -> str:
    if wanted != "auto":
        return wanted
    preferred = preferred_precision(frozen)
    return preferred if preferred == "float32" else preferred + IF_CLOSE


def _feature_shape(frozen: keras.Model) -> tuple[int, ...]:
    shape = frozen.output_shape
    if not isinstance(shape, tuple) or len(shape) < 2 or None in shape[1:]:
        raise TrainingError(
            f"The frozen model has outputs of shape {shape}; expected one output of a fixed shape (None, ...)."
        )
    return tuple(shape[1:])


def _warn_not_stored(folder: Path, error: OSError) -> None:
    warnings.warn(
        f"Features cannot be stored in {folder}: {error.strerror or error}. They are computed each time. Set "
        "BREASTCLS_CACHE or cache_dir to a folder that you may write to, with room enough, or free room with "
        "clear_cache().",
        TrainingWarning,
        stacklevel=4,
    )
