"""Where the patches of one slide are, and which of them are in a region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from breastcls.errors import DatasetError, ImageError

Integers = npt.NDArray[np.int64]
# Patches are found by the squares of this side that they touch.
_SQUARE = 512


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
        """The share of the rectangle that patches cover, counted on a grid of the smallest patch."""
        step = max(1, int(min(self.width.min(), self.height.min())) // 4)
        rows, columns = (max(1, -(-side // step)) for side in self.size)
        grid = np.zeros((rows, columns), bool)
        for number in range(len(self)):
            top, left = int(self.top[number]) // step, int(self.left[number]) // step
            bottom = -(-int(self.top[number] + self.height[number]) // step)
            right = -(-int(self.left[number] + self.width[number]) // step)
            grid[top:bottom, left:right] = True
        return float(grid.mean())

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
                sizes.append((image.height, image.width))
        except OSError as error:
            raise ImageError(
                f"{file} cannot be read: {error}. Pass patch_size=(height, width) to stitch without the images."
            ) from error
    return sizes


def fixed_sizes(patch_size: int | Sequence[int], count: int) -> list[tuple[int, int]]:
    """Return one (height, width) per patch.

    Raises:
        DatasetError: If it is not one or two positive numbers.
    """
    sides = (patch_size, patch_size) if isinstance(patch_size, (int, np.integer)) else tuple(patch_size)
    if len(sides) != 2 or min(sides) < 1:
        raise DatasetError(f"patch_size is {patch_size}; expected a number of pixels, or (height, width).")
    return [(int(sides[0]), int(sides[1]))] * count
