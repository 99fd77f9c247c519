"""Registries: mappings from names to the objects that are registered under them."""

from __future__ import annotations

import abc
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from typing_extensions import override

from breastcls.errors import RegistryError
from breastcls.html_parts import html_table
from breastcls.result import Result
from breastcls.text_tables import text_table

if TYPE_CHECKING:
    import pandas as pd

Item = TypeVar("Item")


class Named(Protocol):
    """An object with the name under which it is registered."""

    @property
    def name(self) -> str:
        """The name."""


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Item], Generic[Item]):
    """A mapping from names to registered objects, in order of registration.

    Args:
        kind: The kind of object in the singular, for messages: `"backbone"`.

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
            RegistryError: If the name is taken. Silent replacement would make the meaning of a name depend on the
                order of imports.
        """
        if name in self._items:
            raise RegistryError(f"A {self.kind} named {name!r} is registered already. Choose another name.")
        self._items[name] = item
        return item

    @override
    def __getitem__(self, name: str) -> Item:
        """Return the item, or raise `RegistryError` with the most similar names."""
        try:
            return self._items[name]
        except (KeyError, TypeError):
            near = difflib.get_close_matches(str(name), self._items, n=3)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            known = ", ".join(self._items) or "none"
            raise RegistryError(f"No {self.kind} is named {name!r}.{hint} Known: {known}.") from None

    @override
    def __contains__(self, name: object) -> bool:
        return name in self._items

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    @override
    def __len__(self) -> int:
        return len(self._items)

    @override
    def __repr__(self) -> str:
        return f"Registry({self.kind!r}: {', '.join(self._items)})"


@dataclass(frozen=True, repr=False)
class RegistryTable(Result, Generic[Entry]):
    """The entries of a registry: prints as a table and iterates over the entries.

    A subclass defines the printed columns by `headers` and `cells`, and the columns of the DataFrame by `record`.

    Attributes:
        entries: The registered objects, in order of registration.
    """

    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """The registered names."""
        return tuple(entry.name for entry in self.entries)

    @property
    @abc.abstractmethod
    def headers(self) -> tuple[str, ...]:
        """The headers of the printed columns."""

    @abc.abstractmethod
    def cells(self, entry: Entry) -> tuple[str, ...]:
        """Return the printed cells of an entry, one per column."""

    @abc.abstractmethod
    def record(self, entry: Entry) -> dict[str, Any]:
        """Return all attributes of an entry, including its `name`."""

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per entry, indexed by `name`."""
        import pandas as pd

        return pd.DataFrame([self.record(entry) for entry in self.entries]).set_index("name")

    @override
    def to_dict(self) -> dict[str, Any]:
        """Return all attributes of all entries as JSON values."""
        return {"entries": [self.record(entry) for entry in self.entries]}

    @override
    def _repr_html_(self) -> str:
        """Return the table as a notebook shows it."""
        return html_table([self.headers, *map(self.cells, self.entries)], left=True)

    @override
    def __str__(self) -> str:
        return text_table([self.headers, *map(self.cells, self.entries)], rule=True)
