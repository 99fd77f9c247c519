"""The base class of all results: printing, display in a notebook, and export as JSON."""

from __future__ import annotations

import abc
import dataclasses
import os
from typing import Any

from typing_extensions import override

from breastcls.files import write_json
from breastcls.html_parts import html_fields, html_text


class ShownInNotebook:
    """Base class of what prints: a notebook shows its text, or its fields as a table if it has no text of its own."""

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        shown: Any = self
        if type(self).__str__ is object.__str__ and dataclasses.is_dataclass(shown):
            values = {field.name: getattr(self, field.name) for field in dataclasses.fields(shown) if field.repr}
            return html_fields(type(self).__name__, values)
        return html_text(str(self))


class Result(ShownInNotebook, abc.ABC):
    """Base class of results; a subclass defines the text by `__str__` and the JSON values by `to_dict`.

    Example:
        >>> class Count(Result):
        ...     def __str__(self):
        ...         return "three images"
        ...     def to_dict(self):
        ...         return {"images": 3}
        >>> Count()
        three images
        >>> print(Count().to_json())
        {
          "images": 3
        }
    """

    @abc.abstractmethod
    @override
    def __str__(self) -> str: ...

    @override
    def __repr__(self) -> str:
        return str(self)

    def print(self) -> None:
        """Print the result, the same as `print(result)`."""
        print(self)

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values: dicts, lists, numbers, strings, booleans and None."""

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return `to_dict()` as JSON and, given a path, write it to that file, atomically.

        Raises:
            OutputError: If the file cannot be written.
        """
        return write_json(self.to_dict(), path)
