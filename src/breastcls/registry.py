"""A registry: from a name to whatever is built by that name."""

from __future__ import annotations

import abc
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from breastcls.errors import RegistryError
from breastcls.text_tables import plain_table

if TYPE_CHECKING:
    import pandas as pd

Item = TypeVar("Item")


class Named(Protocol):
    """Whatever knows the name it is registered under."""

    @property
    def name(self) -> str:
        """The name."""


Entry = TypeVar("Entry", bound=Named)


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


@dataclass(frozen=True, repr=False)
class RegistryTable(abc.ABC, Generic[Entry]):
    """What is registered, to look at: prints as a table, iterates over the entries.

    A sub-class says which columns there are, by `heads` and `cells` for print and by `record` for the DataFrame.

    Attributes:
        entries: In order of registration.
    """

    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are known."""
        return tuple(entry.name for entry in self.entries)

    @property
    @abc.abstractmethod
    def heads(self) -> tuple[str, ...]:
        """Heads of the printed columns."""

    @abc.abstractmethod
    def cells(self, entry: Entry) -> tuple[str, ...]:
        """What is printed of an entry, one text a column."""

    @abc.abstractmethod
    def record(self, entry: Entry) -> dict[str, Any]:
        """Everything that is known of an entry, with its `name`."""

    def to_frame(self) -> pd.DataFrame:
        """Everything that is known, one row an entry, indexed by `name`."""
        import pandas as pd

        return pd.DataFrame([self.record(entry) for entry in self.entries]).set_index("name")

    def __str__(self) -> str:
        return plain_table([self.heads, *map(self.cells, self.entries)], rule=True)

    def __repr__(self) -> str:
        return str(self)
