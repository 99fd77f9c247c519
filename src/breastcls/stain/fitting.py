"""Fitting a stain normalizer on reference images: of a dataset, as files, or as arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from breastcls.argument_checks import check_count
from breastcls.errors import DatasetError, ImageError
from breastcls.images.decode import read_image
from breastcls.images.resize import Pixels
from breastcls.stain.normalizer import StainNormalizer, UnfitImageError
from breastcls.stain.normalizer_registry import NORMALIZERS

_MAX_PIXELS = 4_000_000


@runtime_checkable
class ImagesOfCases(Protocol):
    """Image files and the case of each, such as a `Dataset`."""

    @property
    def paths(self) -> list[str]:
        """The image files."""
        ...

    @property
    def cases(self) -> npt.NDArray[Any]:
        """The case of each image, of shape (n,)."""
        ...


def fit_normalizer(
    images: ImagesOfCases | Pixels | str | os.PathLike[str] | Sequence[Pixels | str | os.PathLike[str]],
    method: str = "macenko",
    *,
    max_images: int = 20,
    seed: int = 0,
) -> StainNormalizer:
    """Fit a stain normalizer on reference images.

    The pixels of all images are pooled, so that no single image determines the fit. Of a dataset, images are drawn
    case by case in random order: one image of each case, then a second one, until there are `max_images`. The
    reference is then not dominated by the cases with the most images.

    Args:
        images: The reference, from **training** images only: a `Dataset`; one path or several; or uint8 RGB, one image
            of shape (height, width, 3), several of shape (n, height, width, 3), or a list of images of any sizes.
        method: `"macenko"`, `"reinhard"`, `"vahadane"` or a registered name.
        max_images: Number of images drawn from a dataset; all of them if it has fewer. Paths and arrays are all used.
        seed: Seed of the draw; the result does not depend on the order of the rows.

    Returns:
        The fitted normalizer, for `Preprocessing(stain=...)` of `fit`, or `Dataset.to_tf(..., normalizer=...)`.

    Raises:
        RegistryError: If no normalizer has that name.
        DatasetError: If there are no images, or `max_images` is not a whole number of at least 1.
        ImageError: If an image cannot be read, an array is not an RGB image, or the stains cannot be estimated.

    Example:
        >>> import numpy as np
        >>> amounts = np.random.default_rng(0).random((50, 50, 2))
        >>> light = 255 * np.exp(-amounts @ [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
        >>> image = light.astype(np.uint8)
        >>> fit_normalizer(image, "macenko").transform(image).shape
        (50, 50, 3)
    """
    kind = NORMALIZERS[method]
    if isinstance(images, ImagesOfCases):
        check_count("max_images", max_images, error=DatasetError)
        images = _draw_from_cases(images, int(max_images), seed)
    elif isinstance(images, (str, os.PathLike)) or (isinstance(images, np.ndarray) and images.ndim == 3):
        images = [images]
    reference = [_read_pixels(image) for image in images]
    if not reference:
        raise DatasetError(f"The stain normalizer {method!r} needs at least one reference image; found none.")
    try:
        return kind.fit(np.ascontiguousarray(_pool_pixels(reference)))
    except UnfitImageError as error:
        raise ImageError(
            f"The reference for the stain normalizer {method!r} shows {error}. Choose images full of tissue, stained "
            "with haematoxylin and eosin."
        ) from error


def _read_pixels(image: Pixels | str | os.PathLike[str]) -> Pixels:
    if isinstance(image, (str, os.PathLike)):
        return read_image(image)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        found = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ImageError(f"A reference image must be a path or uint8 of shape (height, width, 3); found {found}.")
    return image


def _pool_pixels(images: Sequence[Pixels]) -> Pixels:
    """Return a single image unchanged, of several a regular sample of all pixels, of shape (n, 1, 3)."""
    if len(images) == 1:
        return images[0]
    rows = [image.reshape(-1, 3) for image in images]
    step = max(1, -(-sum(len(row) for row in rows) // _MAX_PIXELS))
    return np.concatenate([row[::step] for row in rows])[:, None]


def _draw_from_cases(data: ImagesOfCases, count: int, seed: int) -> list[str]:
    """Choose `count` files: the next one of every case before another one of any case."""
    generator = np.random.default_rng(seed)
    paths, cases = np.array(data.paths), data.cases.astype(str)
    names = np.unique(cases)
    shuffled = [generator.permutation(np.sort(paths[cases == name])) for name in generator.permutation(names)]
    turns = [(turn, place, path) for place, case in enumerate(shuffled) for turn, path in enumerate(case)]
    return [str(path) for _, _, path in sorted(turns)[:count]]
