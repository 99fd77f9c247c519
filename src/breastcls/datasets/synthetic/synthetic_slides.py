"""The slides of synthetic BreakHis images and the names of their files; the same seed gives the same slide."""

from __future__ import annotations

import re

import numpy as np

from breastcls.datasets.synthetic.tissue import SUBTYPES, Slide, sample_slide

# No real slide or patient has these numbers, so that synthetic images cannot be confused with real ones.
_FIRST_CASE = 900_000
# Of every four slides of a subtype, the last two are blocks of one case; BreakHis has such cases too.
_BLOCKS = ((0, ""), (1, ""), (2, "AB"), (2, "CD"))
SYNTHETIC_NAME = re.compile(r"SOB_[BM]_([A-Z]+)-14-(9\d{5})([A-Z]*)-(\d+)-(\d+)\.png")
"""The file name of a synthetic image, with its subtype, case, blocks, magnification and number."""


def open_slide(subtype: str, slide_index: int, seed: int) -> tuple[Slide, str, tuple[int, ...]]:
    """Return a slide, its number in file names, and the key of the random numbers of its images.

    Args:
        subtype: One of `SUBTYPES`.
        slide_index: Number of the slide among those of the subtype, from 0.
        seed: The seed of the data set.
    """
    subtype_index = SUBTYPES.index(subtype)
    offset, blocks = _BLOCKS[slide_index % len(_BLOCKS)]
    case = 3 * (slide_index // len(_BLOCKS)) + offset
    case_seed = np.random.SeedSequence(seed, spawn_key=(subtype_index, case))
    key = (subtype_index, case, slide_index)
    slide = sample_slide(case_seed, np.random.SeedSequence(seed, spawn_key=key), subtype)
    return slide, f"14-{_FIRST_CASE + 1000 * subtype_index + case}{blocks}", key


def image_seed(key: tuple[int, ...], magnification: int, number: int, seed: int) -> np.random.SeedSequence:
    """Return the seed of one image of a slide; `number` counts from 1."""
    return np.random.SeedSequence(seed, spawn_key=(*key, magnification, number))


def parse_synthetic_name(name: str) -> tuple[str, int, int, int] | None:
    """Return subtype, slide index, magnification and number of a synthetic image; None for any other name.

    Example:
        >>> parse_synthetic_name("SOB_M_DC-14-904002CD-200-001.png")
        ('DC', 3, 200, 1)
    """
    found = SYNTHETIC_NAME.fullmatch(name)
    if found is None:
        return None
    subtype, digits, blocks, magnification, number = found.groups()
    if subtype not in SUBTYPES:
        return None
    case = int(digits) - _FIRST_CASE - 1000 * SUBTYPES.index(subtype)
    if (case % 3, blocks) not in _BLOCKS or case < 0:
        return None
    slide_index = len(_BLOCKS) * (case // 3) + _BLOCKS.index((case % 3, blocks))
    return subtype, slide_index, int(magnification), int(number)
