"""A registry: from a name to whatever is built by that name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from breastcls.errors import RegistryError

Item = TypeVar("Item")


class Registry(Mapping[str, Item], Generic[Item]):
    """Names and what stands behind them, in order of registration.

    Args:
        kind: What is registered, in the singular, for messages: `"backbone"`.

    Example:
        >>> colours = Registry("colour")
        >>> colours.register("haematoxylin", "#483d8b")
        '#483d8b'
        >>> colours["haematoxilyn"]  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        breastcls.errors.RegistryError: No colour is named 'haematoxilyn'. Did you mean 'haematoxylin'? Known: ...
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, Item] = {}

    def register(self, name: str, item: Item) -> Item:
        """Add `item` under `name` and return it.

        Raises:
            RegistryError: If the name is taken. Replacing in silence would make the meaning of a name depend on the
                order of imports.
        """
        if name in self._items:
            raise RegistryError(f"A {self.kind} named {name!r} is registered already. Choose another name.")
        self._items[name] = item
        return item

    def __getitem__(self, name: str) -> Item:
        """Return the item, or raise `RegistryError` with the nearest names."""
        try:
            return self._items[name]
        except (KeyError, TypeError):
            near = difflib.get_close_matches(str(name), self._items, n=3)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            known = ", ".join(self._items) or "nothing yet"
            raise RegistryError(f"No {self.kind} is named {name!r}.{hint} Known: {known}.") from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}: {', '.join(self._items)})"
