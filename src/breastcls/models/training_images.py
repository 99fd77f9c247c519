"""What the training images of a model were like, in its card, and how other images differ from them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.datasets.breakhis import parse_breakhis_name
from breastcls.datasets.dataset import Dataset
from breastcls.errors import ImageError
from breastcls.images.formats import inspect_bytes
from breastcls.images.image_files import read_bytes
from breastcls.images.image_header import DamagedImageError, UnsupportedImageError
from breastcls.text_tables import format_count

PHYSICAL_SIZE_COLUMNS = ("um_per_pixel", "mpp", "micrometres_per_pixel", "micrometers_per_pixel")
"""Columns of a dataset that hold the physical size of a pixel in micrometres."""

# Sizes are read from the headers of so many images, evenly spaced.
_SAMPLE = 32
# Differences up to these factors are within one collection, such as BreakHis with 700x460 and 700x456 pixels.
_SMALLER, _LARGER, _OTHER_ASPECT, _OTHER_SCALE = 0.8, 2.0, 1.1, 1.25


@dataclass(frozen=True)
class ImageKinds:
    """What images are like.

    Attributes:
        sides: The shorter and the longer side in pixels of each image whose size is known.
        magnifications: The magnification of each image, 0 where it is not known.
        scales: Micrometres per pixel of each image where they are known.
    """

    sides: tuple[tuple[int, int], ...] = ()
    magnifications: tuple[int, ...] = ()
    scales: tuple[float, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return the ranges as JSON values; what is not known is left out."""
        record: dict[str, Any] = {}
        if self.sides:
            short, long = np.array(self.sides).T
            record["shorter_side"] = [int(short.min()), int(short.max())]
            record["aspect"] = [round(float((long / short).min()), 4), round(float((long / short).max()), 4)]
        known = sorted(set(self.magnifications) - {0})
        if known and 0 not in self.magnifications:
            record["magnifications"] = known
        if self.scales:
            record["um_per_pixel"] = [min(self.scales), max(self.scales)]
        return record


def describe_images(data: Dataset, sizes: Sequence[tuple[int, int]] | None = None) -> ImageKinds:
    """Return what the images of a dataset are like.

    Args:
        data: The images.
        sizes: (height, width) of the images, where they were read already; else the headers of some files are read.
    """
    frame = data.frame
    magnifications = frame["magnification"].fillna(0).astype(int).tolist()
    if not any(magnifications):
        magnifications = [_named_magnification(path) for path in frame["path"]]
    found = next((name for name in PHYSICAL_SIZE_COLUMNS if name in frame), None)
    scales = () if found is None else frame[found].dropna()
    return ImageKinds(
        tuple((min(one), max(one)) for one in (_sample_sizes(data) if sizes is None else sizes)),
        tuple(magnifications),
        tuple(float(value) for value in scales if isinstance(value, int | float | np.number) and value > 0),
    )


def find_differences(record: Any, images: ImageKinds) -> list[str]:
    """Return how images differ from the training images of a model, as phrases.

    Args:
        record: `ImageKinds.to_record()` of the training images; anything else gives no phrase.
        images: The images.

    Example:
        >>> training = ImageKinds(sides=((460, 700), (456, 700)), magnifications=(200, 200)).to_record()
        >>> find_differences(training, ImageKinds(sides=((50, 50),), magnifications=(40,)))
        ['1 image has a shorter side of 50 pixels (in training 456 to 460)', '1 image has an aspect ratio of 1 \
(in training 1.522 to 1.535)', '1 image has the magnification 40 (in training 200)']
    """
    if not isinstance(record, Mapping):
        return []
    phrases = []
    short = np.array([one for one, _ in images.sides], dtype=np.float64)
    aspects = np.array([long / short for short, long in images.sides], dtype=np.float64)
    scales = np.array(images.scales, dtype=np.float64)
    for values, key, least, most, what in (
        (short, "shorter_side", _SMALLER, _LARGER, "a shorter side of {} pixels"),
        (aspects, "aspect", 1 / _OTHER_ASPECT, _OTHER_ASPECT, "an aspect ratio of {}"),
        (scales, "um_per_pixel", 1 / _OTHER_SCALE, _OTHER_SCALE, "{} micrometres per pixel"),
    ):
        limits = _read_range(record.get(key))
        if limits is None or not len(values):
            continue
        unlike = values[(values < limits[0] * least) | (values > limits[1] * most)]
        if len(unlike):
            given = what.format(_show(float(unlike.min()), float(unlike.max())))
            phrases.append(f"{_have(len(unlike))} {given} (in training {_show(*limits)})")
    known = record.get("magnifications")
    if isinstance(known, list) and known:
        others = [one for one in images.magnifications if one and one not in known]
        if others:
            named, trained = (", ".join(map(str, sorted(set(values)))) for values in (others, known))
            phrases.append(f"{_have(len(others))} the magnification {named} (in training {trained})")
    return phrases


def _named_magnification(path: Any) -> int:
    name = parse_breakhis_name(os.path.basename(str(path)))
    return 0 if name is None else int(name.magnification)


def _sample_sizes(data: Dataset) -> list[tuple[int, int]]:
    rows = np.unique(np.linspace(0, max(0, len(data) - 1), _SAMPLE).round().astype(int))
    found = []
    for path in data.frame["path"].iloc[rows[rows < len(data)]]:
        try:
            header = inspect_bytes(read_bytes(str(path)))
        except (ImageError, DamagedImageError, UnsupportedImageError):
            # Whoever reads the image reports it.
            continue
        if header.height:
            found.append((header.height, header.width))
    return found


def _read_range(values: Any) -> tuple[float, float] | None:
    if isinstance(values, list) and len(values) == 2 and all(isinstance(one, int | float) for one in values):
        return float(values[0]), float(values[1])
    return None


def _show(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _have(count: int) -> str:
    return f"{format_count(count, 'image')} {'has' if count == 1 else 'have'}"
