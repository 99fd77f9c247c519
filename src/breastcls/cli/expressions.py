"""Python expressions that are built without being evaluated, so that one object can be run and printed."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

_WIDTH = 100


class Expression:
    """A Python expression: attributes, calls, items and sums of it are expressions again.

    Args:
        source: The expression as Python source.
        evaluate: Returns its value, given the values of the names that it uses.

    Example:
        >>> total = name_expression("data")[:2] + name_expression("more")
        >>> source_of(total), value_of(total, {"data": [1, 2, 3], "more": [4]})
        ('data[:2] + more', [1, 2, 4])
    """

    __slots__ = ("_evaluate", "_source")

    def __init__(self, source: str, evaluate: Callable[[Mapping[str, Any]], Any]) -> None:
        self._source = source
        self._evaluate = evaluate

    def __getattr__(self, name: str) -> Expression:
        if name.startswith("__"):
            raise AttributeError(name)
        return Expression(f"{self._source}.{name}", lambda names: getattr(self._evaluate(names), name))

    def __call__(self, *arguments: Any, **named: Any) -> Expression:
        """Return the call of this expression; a long one is written over several lines."""
        written = [*map(source_of, arguments), *(f"{name}={source_of(value)}" for name, value in named.items())]
        line = f"{self._source}({', '.join(written)})"
        if len(line) > _WIDTH or "\n" in line:
            inner = textwrap.indent(",\n".join(written), "    ")
            line = f"{self._source}(\n{inner},\n)"
        return Expression(
            line,
            lambda names: self._evaluate(names)(
                *(value_of(one, names) for one in arguments),
                **{name: value_of(value, names) for name, value in named.items()},
            ),
        )

    def __getitem__(self, index: Any) -> Expression:
        if isinstance(index, slice):
            parts = ["" if part is None else str(part) for part in (index.start, index.stop, index.step)]
            written = ":".join(parts if index.step is not None else parts[:2])
        else:
            written = source_of(index)
        return Expression(f"{self._source}[{written}]", lambda names: self._evaluate(names)[value_of(index, names)])

    def __add__(self, other: Expression) -> Expression:
        return Expression(
            f"{self._source} + {source_of(other)}", lambda names: self._evaluate(names) + value_of(other, names)
        )


def name_expression(name: str) -> Expression:
    """Return the expression that is a name alone."""
    return Expression(name, lambda names: names[name])


def function_of_nothing(body: Expression) -> Expression:
    """Return `lambda: body`."""
    return Expression(f"lambda: {source_of(body)}", lambda names: lambda: value_of(body, names))


def source_of(value: Any) -> str:
    """Return an expression, or a value that may contain expressions, as Python source."""
    if isinstance(value, Expression):
        return object.__getattribute__(value, "_source")  # type: ignore[no-any-return]
    if isinstance(value, os.PathLike):
        return source_of(os.fspath(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{source_of(key)}: {source_of(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(source_of, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(source_of, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str) and not {'"', "'"} & set(value):
        return f'"{repr(value)[1:-1]}"'
    return repr(value)


def value_of(value: Any, names: Mapping[str, Any]) -> Any:
    """Return the value of an expression, or of a value that may contain expressions."""
    if isinstance(value, Expression):
        return object.__getattribute__(value, "_evaluate")(names)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, dict):
        return {value_of(key, names): value_of(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(value_of(one, names) for one in value)
    return value


bc = name_expression("bc")
"""The package, as `import breastcls as bc` gives it."""
