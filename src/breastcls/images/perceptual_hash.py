"""Perceptual hashes, which differ in few bits for similar images, independent of scaling and compression."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from breastcls.images.resize import Pixels

Hashes = npt.NDArray[np.uint64]

_SIDE = 32
_KEPT = 8
_BANDS = 8
_BLOCK = 4_000_000
_BITS_OF_BYTE = np.array([int(value).bit_count() for value in range(256)], np.uint8)

MOST_DISTANCE = _BANDS - 1
"""Largest distance at which all pairs are found: with up to seven differing bits, one of eight bytes is equal."""


def perceptual_hash(image: Pixels) -> int:
    """Return 64 bits: whether each of the lowest frequencies of an image is above their median.

    Args:
        image: uint8 of shape (height, width, 3).

    Returns:
        An integer below 2**64; the distance of two hashes is the number of differing bits.

    Example:
        >>> import numpy as np
        >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        >>> brighter = np.minimum(image, 225) + 30
        >>> (perceptual_hash(image) ^ perceptual_hash(brighter.astype(np.uint8))).bit_count() < 8
        True
    """
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # Row and column 0 contain the mean brightness and its gradients, which depend on staining and illumination.
    frequencies = cv2.dct(grey)[1 : _KEPT + 1, 1 : _KEPT + 1].ravel()
    bits = np.packbits(frequencies > np.median(frequencies))
    return int.from_bytes(bits.tobytes(), "little")


def find_near_pairs(hashes: Hashes, distance: int) -> npt.NDArray[np.int64]:
    """Return all pairs of positions whose hashes differ in at most `distance` bits.

    Args:
        hashes: uint64 of shape (n,).
        distance: 0 to 7.

    Returns:
        int64 of shape (pairs, 2), the smaller position first.

    Raises:
        ValueError: If the distance is out of this range.
    """
    if not 0 <= distance <= MOST_DISTANCE:
        raise ValueError(f"distance is {distance}; expected 0 to {MOST_DISTANCE}.")
    found = []
    parts = hashes.astype("<u8").view(np.uint8).reshape(-1, _BANDS)
    for band in range(_BANDS):
        order = np.argsort(parts[:, band], kind="stable")
        edges = np.searchsorted(parts[order, band], np.arange(257))
        for value in range(256):
            members = order[edges[value] : edges[value + 1]]
            step = max(1, _BLOCK // max(1, len(members)))
            for start in range(0, len(members), step):
                near = _distances(hashes[members[start : start + step, None]], hashes[members[None, :]]) <= distance
                first, second = np.nonzero(near)
                first, second = members[first + start], members[second]
                found.append(np.stack([first, second], axis=1)[first < second])
    return np.unique(np.concatenate(found), axis=0) if found else np.empty((0, 2), np.int64)


def _distances(first: Hashes, second: Hashes) -> npt.NDArray[np.uint8]:
    different = first ^ second
    if hasattr(np, "bitwise_count"):
        return cast("npt.NDArray[np.uint8]", np.bitwise_count(different))
    counts: npt.NDArray[np.uint8] = _BITS_OF_BYTE[different[..., None].view(np.uint8)].sum(axis=-1, dtype=np.uint8)
    return counts
