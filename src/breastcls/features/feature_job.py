"""The work of computing features: which views of which images, read ahead while the ones before are computed."""

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
from breastcls.features.augmented_versions import augment_views
from breastcls.features.frozen_inference import Features, compile_frozen, settle_precision
from breastcls.features.frozen_key import hash_frozen
from breastcls.images.cache_segment import KEY_BYTES
from breastcls.images.image_source import ImageSource, ReadSettings
from breastcls.images.resize import Pixels

Positions = npt.NDArray[np.int64]

IF_NEAR = " if near"
"""Ends a precision that is taken only if its features agree with those in float32."""

_PROBES = 16
_PARALLEL_BATCHES = 2
_ENTRIES_AT_ONCE = 32
# Large images come in fewer at once, so that one pass takes no more memory than 32 images of this many pixels.
_MOST_PIXELS = _ENTRIES_AT_ONCE * 300 * 300


@dataclass(frozen=True)
class FeatureJob:
    """Entries to compute: entry e is view `views[e]` of image `images[e]`.

    Attributes:
        frozen: The part whose output is wanted.
        settings: How files become images.
        policy: What makes views, or None.
        seed: From which views follow.
        precision: "float32", "bfloat16", or "bfloat16 if near".
        views: Number of the view of each entry.
        images: Position of the image of each entry in the source.
    """

    frozen: keras.Model
    settings: ReadSettings
    policy: Policy | None
    seed: int
    precision: str
    views: Positions
    images: Positions

    @property
    def at_once(self) -> int:
        """Entries that are computed at once: always as many, filled up if need be.

        Kernels are chosen by the shape they work on, and another one may round otherwise. So the shape hangs on the
        image size alone, neither on the batch size of a training nor on how many entries are missing.
        """
        height, width = self.settings.image_size
        fitting = max(_MOST_PIXELS // (height * width), 1)
        return min(_ENTRIES_AT_ONCE, 1 << (fitting.bit_length() - 1))

    @cached_property
    def description(self) -> dict[str, Any]:
        """Everything that features follow from, but for the image and the view."""
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
            "at_once": self.at_once,
            "keras": f"{keras.__version__} {keras.backend.backend()}",
        }

    def is_near(self, source: ImageSource) -> bool:
        """Tell whether the precision may be used: tried on entries spread over all of them, where that was asked for.

        Not over those that are missing: the same images give the same answer, whatever was computed before.
        """
        if not self.precision.endswith(IF_NEAR):
            return True
        spread = np.unique(np.linspace(0, len(self.images) - 1, _PROBES).round().astype(np.int64))
        wanted = self.precision.removesuffix(IF_NEAR)
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
            out: Where the features of entry e are put: at e.
            done: Called with the entries of each batch.

        Raises:
            ImageError: If a file cannot be read.
        """
        run = compile_frozen(self.frozen, self.at_once, self.precision.removesuffix(IF_NEAR))
        # Views of one image beside one another: it is read once for several of them.
        entries = entries[np.lexsort((self.views[entries], self.images[entries]))]
        for batch, pixels in self._read_ahead(source, entries):
            out[batch] = run(pixels)
            done(batch)

    def read(self, source: ImageSource, entries: Positions) -> Pixels:
        """Return the views of images that some entries are of, uint8 of shape (b, height, width, 3)."""
        images, place = np.unique(self.images[entries], return_inverse=True)
        pixels = source.read(images)[place]
        return pixels if self.policy is None else augment_views(self.policy, pixels, self.seed, self.views[entries])

    def _read_ahead(self, source: ImageSource, entries: Positions) -> Iterator[tuple[Positions, Pixels]]:
        ahead: deque[tuple[Positions, Future[Pixels]]] = deque()
        with ThreadPoolExecutor(_PARALLEL_BATCHES) as pool:
            try:
                for start in range(0, len(entries), self.at_once):
                    batch = entries[start : start + self.at_once]
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
    """Return the name of the folder in which features of this kind are kept."""
    height, width = job.settings.image_size
    digest = hashlib.sha256(json.dumps(job.description, sort_keys=True).encode()).hexdigest()[:16]
    return f"{height}x{width}-{'plain' if job.policy is None else job.policy.name}-{digest}"


def entry_keys(images: bytes, views: int) -> list[bytes]:
    """Return the key of each view of each image, view by view.

    Args:
        images: What the image cache knows the images by, `KEY_BYTES` each.
        views: Number of views.
    """
    each = [images[start : start + KEY_BYTES] for start in range(0, len(images), KEY_BYTES)]
    return [
        hashlib.blake2b(image, digest_size=KEY_BYTES, salt=view.to_bytes(4, "little")).digest()
        for view in range(views)
        for image in each
    ]
