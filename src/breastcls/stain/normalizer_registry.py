"""The stain normalizers by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from breastcls.errors import ImageError
from breastcls.images.resize import Pixels
from breastcls.registry import Registry
from breastcls.stain.macenko import Macenko
from breastcls.stain.normalizer import MOST_REFERENCE_PIXELS, StainNormalizer, UnfitImageError
from breastcls.stain.reinhard import Reinhard
from breastcls.stain.vahadane import Vahadane

NORMALIZERS: Registry[type[StainNormalizer]] = Registry("stain normalizer")
"""Classes of normalizers by name."""

for _kind in (Macenko, Reinhard, Vahadane):
    NORMALIZERS.register(_kind.name, _kind)


def list_normalizers() -> tuple[str, ...]:
    """Return the names of all stain normalizers.

    Example:
        >>> list_normalizers()
        ('macenko', 'reinhard', 'vahadane')
    """
    return tuple(NORMALIZERS)


def register_normalizer(kind: type[StainNormalizer]) -> type[StainNormalizer]:
    """Make a class of normalizers known by its `name`, and return it; may be used as a decorator.

    Raises:
        RegistryError: If the name is taken.
    """
    return NORMALIZERS.register(kind.name, kind)


def fit_on_images(name: str, reference: Pixels | Sequence[Pixels]) -> StainNormalizer:
    """Fit a stain normalizer on one or several reference images.

    Of several images the pixels are pooled, so that one odd image does not decide. Take the reference from training
    images only.

    Args:
        name: `"macenko"`, `"reinhard"`, `"vahadane"` or what was registered.
        reference: uint8 of shape (height, width, 3) or (n, height, width, 3), or a list of images of any sizes.

    Returns:
        The fitted normalizer; pass it to `fit` as `stain`, or to the pipeline as `normalizer`. For the images of a
        `Dataset` see `breastcls.stain.fitting.fit_normalizer`.

    Raises:
        RegistryError: If no normalizer has that name.
        ImageError: If the reference does not show the stains.

    Example:
        >>> import numpy as np
        >>> amounts = np.random.default_rng(0).random((50, 50, 2))
        >>> light = 255 * np.exp(-amounts @ [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
        >>> image = light.astype(np.uint8)
        >>> fit_on_images("macenko", image).transform(image).shape
        (50, 50, 3)
    """
    kind = NORMALIZERS[name]
    images = [reference] if isinstance(reference, np.ndarray) and reference.ndim == 3 else list(reference)
    if not images:
        raise ImageError(f"The stain normalizer {name!r} needs at least one reference image; got none.")
    if len(images) > 1:
        rows = [image.reshape(-1, 3) for image in images]
        step = max(1, -(-sum(len(row) for row in rows) // MOST_REFERENCE_PIXELS))
        pooled = np.concatenate([row[::step] for row in rows])[:, None]
    else:
        pooled = images[0]
    try:
        return kind.fit(np.ascontiguousarray(pooled))
    except UnfitImageError as error:
        raise ImageError(
            f"The reference for the stain normalizer {name!r} shows {error}. Choose an image full of tissue, stained "
            "with haematoxylin and eosin."
        ) from error


def normalizer_from_dict(values: Mapping[str, Any]) -> StainNormalizer:
    """Make the stain normalizer again that `StainNormalizer.to_dict` described.

    Args:
        values: What `to_dict` returned, also after a way through JSON.

    Returns:
        A normalizer that gives the same pixels bit for bit.

    Raises:
        RegistryError: If no normalizer has that name: one of another package is registered when that is imported.
        ImageError: If the values are not those of a normalizer of that name.

    Example:
        >>> values = {"name": "reinhard", "means": [70.0, 20.0, -10.0], "spreads": [15.0, 8.0, 6.0]}
        >>> normalizer_from_dict(values).to_dict() == values
        True
    """
    name = values.get("name") if isinstance(values, Mapping) else None
    if not isinstance(name, str):
        raise ImageError(
            f"A stain normalizer is described by a dict with its `name`, as `to_dict` gives it; found {values!r}."
        )
    return NORMALIZERS[name].from_dict(values)
