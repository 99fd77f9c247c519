"""What all results have in common: they print, and they become JSON, in one way."""

from __future__ import annotations

import abc
import os
from typing import Any

from breastcls.files import write_json


class Result(abc.ABC):
    """What a call found. A sub-class says it in words, by `__str__`, and as plain types, by `to_dict`.

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
    def __str__(self) -> str: ...

    def __repr__(self) -> str:
        return str(self)

    def print(self) -> None:
        """Print the result in words and tables, the same as `print(result)`."""
        print(self)

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain dicts, lists, numbers and strings, for JSON."""

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return `to_dict()` as JSON and, given a path, write it there, whole or not at all.

        Raises:
            OutputError: If it cannot be written.
        """
        return write_json(self.to_dict(), path)
