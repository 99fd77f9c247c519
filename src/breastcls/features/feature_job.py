"""The computation of features: which versions of which images, read ahead while earlier ones are computed."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.augmentation.policy import Policy
from breastcls.features.augmented_versions import augment_versions
from breastcls.features.engine_features import open_feature_session
from breastcls.features.frozen_inference import Features, compile_frozen, settle_precision
from breastcls.images.cache_segment import KEY_BYTES
from breastcls.images.image_source import ImageSource, ReadSettings
from breastcls.images.resize import Pixels
from breastcls.models.engines.choose_engine import KERAS
from breastcls.models.engines.engine_registry import ENGINES
from breastcls.models.frozen_key import hash_frozen

Positions = npt.NDArray[np.int64]

IF_CLOSE = " if close"
"""The end of the name of a precision that is used only if its features are close to those in float32."""

_CHECKED_ENTRIES = 16
_PARALLEL_BATCHES = 2
_ENTRIES_AT_ONCE = 32
# Large images are computed in smaller batches, so that a batch has at most the pixels of 32 images of this size.
_MOST_PIXELS = _ENTRIES_AT_ONCE * 300 * 300


@dataclass(frozen=True)
class FeatureJob:
    """Entries to compute: entry e is version `versions[e]` of image `images[e]`.

    Attributes:
        frozen: The model that computes the features.
        settings: How images are read.
        policy: The policy that makes the versions, or None.
        seed: The seed of the versions.
        precision: "float32", "bfloat16", or "bfloat16 if close".
        versions: Number of the version of each entry.
        images: Position of the image of each entry in the source.
        engine: What runs the model: "keras", or the name of another engine, in float32.
    """

    frozen: keras.Model
    settings: ReadSettings
    policy: Policy | None
    seed: int
    precision: str
    versions: Positions
    images: Positions
    engine: str = KERAS

    @property
    def batch_size(self) -> int:
        """Entries per batch, always the same number; the last batch is filled up.

        Kernels are chosen by shape, and another kernel may round differently. So the shape depends on the image size
        alone, and neither on the batch size of the training nor on the number of missing entries.
        """
        height, width = self.settings.image_size
        fitting = max(_MOST_PIXELS // (height * width), 1)
        return min(_ENTRIES_AT_ONCE, 1 << (fitting.bit_length() - 1))

    @cached_property
    def description(self) -> dict[str, Any]:
        """Everything that features depend on, except for the image and the version."""
        augment = None
        if self.policy is not None:
            augment = {**self.policy.to_dict(), "seed": int(self.seed)}
            del augment["name"], augment["summary"]
        return {
            "format": 1,
            "frozen": hash_frozen(self.frozen),
            "images": self.settings.key,
            "augment": augment,
            "precision": self.precision,
            "batch_size": self.batch_size,
            "keras": f"{keras.__version__} {keras.backend.backend()}",
            **({} if self.engine == KERAS else {"engine": f"{self.engine} {ENGINES[self.engine].version}"}),
        }

    def is_close(self, source: ImageSource) -> bool:
        """Return whether the precision may be used; one that ends in `IF_CLOSE` is tried on evenly spaced entries.

        They are spaced over all entries and not over the missing ones, so that the result does not depend on what was
        computed before.
        """
        if not self.precision.endswith(IF_CLOSE):
            return True
        spread = np.unique(np.linspace(0, len(self.images) - 1, _CHECKED_ENTRIES).round().astype(np.int64))
        wanted = self.precision.removesuffix(IF_CLOSE)
        return settle_precision(self.frozen, self.read(source, spread), wanted) == wanted

    def compute(
        self,
        source: ImageSource,
        entries: Positions,
        out: Features,
        done: Callable[[Positions], None],
    ) -> None:
        """Compute some entries.

        Args:
            source: All images.
            entries: Which entries.
            out: The features of entry e are written to `out[e]`.
            done: Called with the entries of each batch.

        Raises:
            ImageError: If a file cannot be read.
        """
        # Versions of one image are adjacent, so that it is read once for several of them.
        entries = entries[np.lexsort((self.versions[entries], self.images[entries]))]
        if self.engine != KERAS:
            self._compute_by_engine(source, entries, out, done)
            return
        run = compile_frozen(self.frozen, self.batch_size, self.precision.removesuffix(IF_CLOSE))
        for batch, pixels in self._read_ahead(source, entries):
            out[batch] = run(pixels)
            done(batch)

    def _compute_by_engine(
        self, source: ImageSource, entries: Positions, out: Features, done: Callable[[Positions], None]
    ) -> None:
        waiting: deque[Positions] = deque()

        def full_batches() -> Iterator[Pixels]:
            for batch, pixels in self._read_ahead(source, entries):
                waiting.append(batch)
                missing = self.batch_size - len(pixels)
                yield np.concatenate([pixels, np.repeat(pixels[-1:], missing, axis=0)]) if missing else pixels

        with open_feature_session(self.frozen, self.engine) as session:
            for features in session.run_batches(full_batches()):
                batch = waiting.popleft()
                out[batch] = features[: len(batch)].reshape(len(batch), *out.shape[1:])
                done(batch)

    def read(self, source: ImageSource, entries: Positions) -> Pixels:
        """Return the images of some entries, augmented, uint8 of shape (b, height, width, 3)."""
        images, place = np.unique(self.images[entries], return_inverse=True)
        pixels = source.read(images)[place]
        return (
            pixels if self.policy is None else augment_versions(self.policy, pixels, self.seed, self.versions[entries])
        )

    def _read_ahead(self, source: ImageSource, entries: Positions) -> Iterator[tuple[Positions, Pixels]]:
        ahead: deque[tuple[Positions, Future[Pixels]]] = deque()
        with ThreadPoolExecutor(_PARALLEL_BATCHES) as pool:
            try:
                for start in range(0, len(entries), self.batch_size):
                    batch = entries[start : start + self.batch_size]
                    ahead.append((batch, pool.submit(self.read, source, batch)))
                    if len(ahead) > _PARALLEL_BATCHES:
                        first, reading = ahead.popleft()
                        yield first, reading.result()
                while ahead:
                    first, reading = ahead.popleft()
                    yield first, reading.result()
            finally:
                for _, reading in ahead:
                    reading.cancel()


def folder_name(job: FeatureJob) -> str:
    """Return the name of the folder in which features of this kind are stored."""
    height, width = job.settings.image_size
    digest = hashlib.sha256(json.dumps(job.description, sort_keys=True).encode()).hexdigest()[:16]
    return f"{height}x{width}-{'unaugmented' if job.policy is None else job.policy.name}-{digest}"


def entry_keys(images: bytes, versions: int) -> list[bytes]:
    """Return the key of each version of each image, version by version.

    Args:
        images: The keys of the images in the image cache, `KEY_BYTES` each.
        versions: Number of versions.
    """
    each = [images[start : start + KEY_BYTES] for start in range(0, len(images), KEY_BYTES)]
    return [
        hashlib.blake2b(image, digest_size=KEY_BYTES, salt=version.to_bytes(4, "little")).digest()
        for version in range(versions)
        for image in each
    ]
