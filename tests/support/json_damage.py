"""Damaged JSON: every value of a document replaced by others, keys missing, and text that is no JSON."""

import copy
import json
from collections.abc import Iterator
from typing import Any

VALUES: tuple[Any, ...] = (None, True, -1, 10**400, float("nan"), "", "\ud800", "x" * 100, [], [[]], [None], {})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def damage(document: Any, *, most_per_list: int = 2) -> Iterator[tuple[str, str]]:
    """Yield what was done to a document, and its JSON text.

    Args:
        document: JSON values.
        most_per_list: Of a list, only so many items are damaged; the others are alike.
    """
    for path in places(document):
        if any(isinstance(key, int) and key >= most_per_list for key in path):
            continue
        for value in VALUES:
            yield f"{path} = {str(value)[:20]!r}", json.dumps(_with(document, path, value))
        if path:
            yield f"{path} removed", json.dumps(_without(document, path))
    text = json.dumps(document)
    yield from (("cut", text[: len(text) // 2]), ("empty", ""), ("no JSON", "\x00\xff"), ("deep", "[" * 100_000))
    yield "a further key", json.dumps({**document, "unknown": 1}) if isinstance(document, dict) else "[]"


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(document)
    owner = changed
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    return changed


def _without(document: Any, path: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(document)
    owner = changed
    for key in path[:-1]:
        owner = owner[key]
    del owner[path[-1]]
    return changed
