"""The registry of stain normalizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.errors import ImageError
from breastcls.registry import Registry
from breastcls.stain.macenko import Macenko
from breastcls.stain.normalizer import StainNormalizer
from breastcls.stain.reinhard import Reinhard
from breastcls.stain.vahadane import Vahadane

NORMALIZERS: Registry[type[StainNormalizer]] = Registry("stain normalizer")
"""Classes of normalizers by name, in the order of `list_normalizers`."""


def register_normalizer(normalizer: type[StainNormalizer]) -> type[StainNormalizer]:
    """Register a class of normalizers under its `name`, and return it; works as a decorator.

    Args:
        normalizer: A subclass of `StainNormalizer` with a `name`.

    Raises:
        RegistryError: If the name is taken.
    """
    return NORMALIZERS.register(normalizer.name, normalizer)


for _normalizer in (Macenko, Reinhard, Vahadane):
    register_normalizer(_normalizer)


def list_normalizers() -> tuple[str, ...]:
    """Return the names of all stain normalizers.

    Example:
        >>> list_normalizers()
        ('macenko', 'reinhard', 'vahadane')
    """
    return tuple(NORMALIZERS)


def normalizer_from_dict(values: Mapping[str, Any]) -> StainNormalizer:
    """Restore a stain normalizer from the result of `StainNormalizer.to_dict`.

    Args:
        values: The result of `to_dict`, also after conversion to JSON and back.

    Returns:
        A normalizer that gives the same pixels, bit for bit.

    Raises:
        RegistryError: If no normalizer has that name; the package that registers it has to be imported first.
        ImageError: If the values are not those of a normalizer of that name.

    Example:
        >>> values = {"name": "reinhard", "means": [70.0, 20.0, -10.0], "spreads": [15.0, 8.0, 6.0]}
        >>> normalizer_from_dict(values).to_dict() == values
        True
    """
    name = values.get("name") if isinstance(values, Mapping) else None
    if not isinstance(name, str):
        raise ImageError(
            f"A stain normalizer is restored from a dict with its `name`, as `to_dict` returns it; found {values!r}."
        )
    return NORMALIZERS[name].from_dict(values)
