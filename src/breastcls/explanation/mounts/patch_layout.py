"""Where the patches of one slide are, and which of them are in a region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from breastcls.errors import DatasetError, ImageError

Integers = npt.NDArray[np.int64]
# Patches are found by the squares of this side that they touch.
_SQUARE = 512
# The EXIF tag of the orientation, and its values of images that are stored on their side.
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)


@dataclass(frozen=True, eq=False)
class PatchLayout:
    """The rectangles of n patches in pixels of the slide, from the upper left corner of all of them.

    Attributes:
        left: int64 (n,).
        top: int64 (n,).
        width: int64 (n,).
        height: int64 (n,).
        origin: (x, y) of the upper left corner in the slide.
    """

    left: Integers
    top: Integers
    width: Integers
    height: Integers
    origin: tuple[int, int]

    def __len__(self) -> int:
        return len(self.left)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the rectangle that holds all patches."""
        return int((self.top + self.height).max()), int((self.left + self.width).max())

    def overlapping(self, top: int, left: int, height: int, width: int) -> Iterator[int]:
        """Yield the numbers of the patches that touch a region, in their order."""
        found: set[int] = set()
        for row in range(top // _SQUARE, (top + height - 1) // _SQUARE + 1):
            for column in range(left // _SQUARE, (left + width - 1) // _SQUARE + 1):
                found.update(self._squares.get((row, column), ()))
        for number in sorted(found):
            below = self.top[number] < top + height and self.top[number] + self.height[number] > top
            beside = self.left[number] < left + width and self.left[number] + self.width[number] > left
            if below and beside:
                yield number

    @cached_property
    def covered(self) -> float:
        """The share of the rectangle that patches cover."""
        right, bottom = self.left + self.width, self.top + self.height
        rows, columns = (np.unique(np.concatenate(ends)) for ends in ((self.top, bottom), (self.left, right)))
        widths = np.diff(columns)
        first, last = np.searchsorted(columns, self.left), np.searchsorted(columns, right)
        area = 0
        # Between two neighbouring edges of patches, every row is covered by the same patches.
        for above, below in pairwise(rows.tolist()):
            here = (self.top <= above) & (bottom >= below)
            starts, stops = (np.bincount(ends[here], minlength=len(columns)) for ends in (first, last))
            area += (below - above) * int(widths[np.cumsum(starts - stops)[:-1] > 0].sum())
        height, width = self.size
        return area / (height * width)

    @cached_property
    def _squares(self) -> dict[tuple[int, int], list[int]]:
        squares: dict[tuple[int, int], list[int]] = {}
        for number in range(len(self)):
            top, left = int(self.top[number]), int(self.left[number])
            for row in range(top // _SQUARE, (top + int(self.height[number]) - 1) // _SQUARE + 1):
                for column in range(left // _SQUARE, (left + int(self.width[number]) - 1) // _SQUARE + 1):
                    squares.setdefault((row, column), []).append(number)
        return squares


def lay_out(x: Integers, y: Integers, sizes: Sequence[tuple[int, int]]) -> PatchLayout:
    """Return the layout of patches.

    Args:
        x: Column of the left edge of each patch in the slide, int64 (n,).
        y: Row of the upper edge.
        sizes: (height, width) of each patch.

    Example:
        >>> layout = lay_out(np.array([51, 101]), np.array([1, 1]), [(50, 50), (50, 30)])
        >>> layout.size, list(layout.overlapping(0, 60, 10, 10))
        ((50, 80), [1])
    """
    height, width = (np.array([size[axis] for size in sizes], dtype=np.int64) for axis in (0, 1))
    origin = (int(x.min()), int(y.min()))
    return PatchLayout(x - origin[0], y - origin[1], width, height, origin)


def read_sizes(files: Sequence[str]) -> list[tuple[int, int]]:
    """Return (height, width) of image files from their headers.

    Raises:
        ImageError: If a file cannot be read.
    """
    sizes = []
    for file in files:
        try:
            with Image.open(file) as image:
                sizes.append(_upright_size(image))
        except OSError as error:
            raise ImageError(
                f"{file} cannot be read: {error}. Pass patch_size=(height, width) to stitch without the images."
            ) from error
    return sizes


def _upright_size(image: Any) -> tuple[int, int]:
    # Pillow decodes a whole PNG to find an EXIF tag behind the pixels, where no common software writes it.
    exif = image.getexif() if image.format != "PNG" or "exif" in image.info else {}
    size: tuple[int, int] = image.size
    return size if exif.get(_ORIENTATION, 1) in _TURNED else size[::-1]


def fixed_sizes(patch_size: int | Sequence[int], count: int) -> list[tuple[int, int]]:
    """Return one (height, width) per patch.

    Raises:
        DatasetError: If it is not one or two positive numbers.
    """
    sides = (patch_size, patch_size) if isinstance(patch_size, (int, np.integer)) else tuple(patch_size)
    if len(sides) != 2 or min(sides) < 1:
        raise DatasetError(f"patch_size is {patch_size}; expected a number of pixels, or (height, width).")
    return [(int(sides[0]), int(sides[1]))] * count
