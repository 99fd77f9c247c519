"""A stain normalizer fitted on images of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetError

if TYPE_CHECKING:
    from breastcls.stain.normalizer import StainNormalizer


def fit_normalizer(data: Dataset, name: str = "macenko", *, images: int = 20, seed: int = 0) -> StainNormalizer:
    """Fit a stain normalizer on images of a dataset, spread over its cases.

    Cases are gone through in random order, one image of each, then a second one, until there are enough: the reference
    is then the common stain and not that of the case with the most images. The pixels of all are pooled.

    Args:
        data: The **training** images. A reference from test images is a leak.
        name: `"macenko"`, `"reinhard"`, `"vahadane"` or what was registered.
        images: Images to take; all where there are fewer.
        seed: The same seed takes the same images, whatever the order of the rows.

    Returns:
        The fitted normalizer, for `fit(..., stain=...)`.

    Raises:
        DatasetError: If there are no images, or `images` is not a whole number of at least 1.
        RegistryError: If no normalizer has that name.
        ImageError: If an image cannot be read, or they do not show the stains.

    Example:
        >>> import tempfile
        >>> from breastcls.datasets.breakhis import load_breakhis
        >>> from breastcls.datasets.synthetic.image_trees import make_breakhis
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = make_breakhis(folder, magnifications=(200,), images_per_slide=1, image_size=(96, 128))
        ...     fit_normalizer(load_breakhis(root), "reinhard", images=4).name
        'reinhard'
    """
    from breastcls.images.decode import read_image
    from breastcls.stain.normalizer_registry import fit_on_images

    if isinstance(images, bool) or not isinstance(images, (int, np.integer)) or images < 1:
        raise DatasetError(f"images must be a whole number of at least 1; found {images!r}.")
    if len(data) == 0:
        raise DatasetError(f"The stain normalizer {name!r} needs at least one reference image; the dataset is empty.")
    return fit_on_images(name, [read_image(path) for path in _spread_over_cases(data, int(images), seed)])


def _spread_over_cases(data: Dataset, count: int, seed: int) -> list[str]:
    """Choose `count` files, every case giving its next one before any gives one more."""
    generator = np.random.default_rng(seed)
    paths, cases = np.array(data.paths), data.cases.astype(str)
    names = np.unique(cases)
    shuffled = [generator.permutation(np.sort(paths[cases == name])) for name in generator.permutation(names)]
    turns = [(turn, place, path) for place, case in enumerate(shuffled) for turn, path in enumerate(case)]
    return [str(path) for _, _, path in sorted(turns)[:count]]
