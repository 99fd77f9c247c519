"""Perceptual hashes, which differ in few bits for similar images, independent of scaling and compression."""

from __future__ import annotations

from typing import Any, cast

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

ORIENTATIONS = 8
"""Number of turned and mirrored versions of an image: the dihedral group of the square."""

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
    return _hash_thumbnail(grey_thumbnail(image))


def oriented_hashes(image: Pixels) -> Hashes:
    """Return the hashes of the eight turned and mirrored versions of an image; the first is that of the image itself.

    Args:
        image: uint8 of shape (height, width, 3).

    Returns:
        uint64 of shape (8,).
    """
    thumbnail = grey_thumbnail(image)
    return np.array([_hash_thumbnail(np.ascontiguousarray(one)) for one in orientations(thumbnail)], np.uint64)


def grey_thumbnail(image: Pixels) -> npt.NDArray[np.float32]:
    """Return an image in 32 x 32 grey levels, float32 of shape (32, 32), averaged over the area of each pixel."""
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def orientations(square: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """Return the eight turned and mirrored versions of an array of shape (n, n), the array itself first."""
    return [np.rot90(one, turns) for one in (square, square[:, ::-1]) for turns in range(4)]


def _hash_thumbnail(grey: npt.NDArray[np.float32]) -> int:
    # Row and column 0 contain the mean brightness and its gradients, which depend on staining and illumination.
    frequencies = cv2.dct(grey)[1 : _KEPT + 1, 1 : _KEPT + 1].ravel()
    bits = np.packbits(frequencies > np.median(frequencies))
    return int.from_bytes(bits.tobytes(), "little")


def find_near_pairs(hashes: Hashes, distance: int, others: Hashes | None = None) -> npt.NDArray[np.int64]:
    """Return all pairs of positions whose hashes differ in at most `distance` bits.

    Args:
        hashes: uint64 of shape (n,).
        distance: 0 to 7.
        others: uint64 of shape (m,): the second hash of each pair is one of these. By default pairs within `hashes`.

    Returns:
        int64 of shape (pairs, 2): positions in `hashes` and in `others`; within `hashes` the smaller one first.

    Raises:
        ValueError: If the distance is out of this range.
    """
    if not 0 <= distance <= MOST_DISTANCE:
        raise ValueError(f"distance is {distance}; expected 0 to {MOST_DISTANCE}.")
    seconds = hashes if others is None else others
    found = []
    for band in range(_BANDS):
        for rows, columns in zip(_members(hashes, band), _members(seconds, band), strict=True):
            step = max(1, _BLOCK // max(1, len(columns)))
            for start in range(0, len(rows), step):
                block = rows[start : start + step]
                first, second = np.nonzero(_distances(hashes[block, None], seconds[None, columns]) <= distance)
                first, second = block[first], columns[second]
                pairs = np.stack([first, second], axis=1)
                found.append(pairs[first < second] if others is None else pairs)
    return np.unique(np.concatenate(found), axis=0) if found else np.empty((0, 2), np.int64)


def _members(hashes: Hashes, band: int) -> list[npt.NDArray[np.int64]]:
    """Return the positions of the hashes with each value, 0 to 255, of one byte."""
    values = hashes.astype("<u8").view(np.uint8).reshape(-1, _BANDS)[:, band]
    order = np.argsort(values, kind="stable")
    return np.split(order, np.searchsorted(values[order], np.arange(1, 256)))


def _distances(first: Hashes, second: Hashes) -> npt.NDArray[np.uint8]:
    different = first ^ second
    if hasattr(np, "bitwise_count"):
        return cast("npt.NDArray[np.uint8]", np.bitwise_count(different))
    counts: npt.NDArray[np.uint8] = _BITS_OF_BYTE[different[..., None].view(np.uint8)].sum(axis=-1, dtype=np.uint8)
    return counts
