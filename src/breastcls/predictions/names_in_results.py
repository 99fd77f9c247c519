"""The names of cases, slides and files in results: found, and replaced, wherever they are in JSON values and tables."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

KINDS = ("case", "slide", "image")
# What the entries of JSON values, the columns and indices of tables, and the fields of results that hold names are
# called.
_KEYS = {
    **dict.fromkeys(("case", "cases", "shared_cases", "similar_cases"), "case"),
    **dict.fromkeys(("slide", "slides", "shared_slides", "similar_slides"), "slide"),
    **dict.fromkeys(("path", "paths", "identical_files", "identical_pixels", "near_duplicates"), "image"),
    **dict.fromkeys(("identical_vectors", "similar_vectors"), "image"),
}
# The attributes of results that hold names further down.
_PARTS = ("predictions", "images", "evaluation", "sections", "leakage", "model", "calibration", "runs")
# Tables call counts `cases` and `slides`.
_COLUMNS = {"case": "case", "slide": "slide", "path": "image"}
_QUOTED = re.compile(r"'([^'\n]+)'")

# From a kind and names to other names, and from any text to another.
Replace = Callable[[str, Iterable[Any]], list[str]]
ReplaceText = Callable[[str], str]


def collect_names(source: Any, names: Mapping[str, set[str]]) -> None:
    """Add the names in a dataset, predictions, a result or JSON values to `names`, by kind."""
    if isinstance(source, Mapping):
        for key, value in source.items():
            kind = _KEYS.get(str(key))
            if kind is not None and _holds_names(value):
                _add(value, names[kind])
            else:
                collect_names(value, names)
        return
    if isinstance(source, (list, tuple)):
        for one in source:
            collect_names(one, names)
        return
    if isinstance(source, pd.DataFrame):  # Its rows are of the images of the result, and its columns no attributes.
        return
    for kind, attribute in (("case", "cases"), ("slide", "slides"), ("image", "relative_paths")):
        found = getattr(source, attribute, None)
        if found is not None and not callable(found):
            _add([str(name) for name in found], names[kind])
    for part in _PARTS:
        value = getattr(source, part, None)
        if value is not None and not callable(value):
            # Of a leak, the files of the training images are known by their relative paths only here.
            collect_names(value.to_dict() if part == "leakage" and hasattr(value, "to_dict") else value, names)
    for attribute in ("config", "data", "leakage"):
        value = getattr(source, attribute, None)
        if isinstance(value, Mapping):
            collect_names(value, names)


def drop_names(values: Any) -> Any:
    """Return JSON values without names: an empty list, or "", in the place of each.

    Example:
        >>> drop_names({"method": "platt", "cases": ["14-22549"], "case": "14-22549"})
        {'method': 'platt', 'cases': [], 'case': ''}
    """
    if isinstance(values, Mapping):
        return {key: _drop_under(str(key), value) for key, value in values.items()}
    return [drop_names(one) for one in values] if isinstance(values, (list, tuple)) else values


def count_names(values: Any) -> dict[str, int]:
    """Return the number of different names under each key of JSON values, where there are some.

    Example:
        >>> count_names({"cases": ["a", "b"], "trained_on": {"cases": ["a"], "slides": []}})
        {'cases': 2}
    """
    names: dict[str, set[str]] = {kind: set() for kind in KINDS}
    collect_names(values, names)
    return {f"{kind}s": len(found) for kind, found in names.items() if found}


def replace_names(values: Any, replace: Replace, replace_text: ReplaceText) -> Any:
    """Return JSON values, a table, a dataclass or text in which names are replaced.

    Args:
        values: The values. Names are what is under a key, or in a column, an index or a field, that is called by the
            kind; in text, what is quoted.
        replace: From a kind and names to other names.
        replace_text: From quoted text to other text, the same where it is no name.
    """
    if isinstance(values, str):
        return _QUOTED.sub(lambda found: f"'{replace_text(found[1])}'", values)
    if isinstance(values, Mapping):
        return {key: _replace_under(str(key), value, replace, replace_text) for key, value in values.items()}
    if isinstance(values, pd.DataFrame):
        return _replace_in_table(values, replace)
    if isinstance(values, (list, tuple)):
        return type(values)(replace_names(one, replace, replace_text) for one in values)
    if dataclasses.is_dataclass(values) and not isinstance(values, type):
        fields = {one.name: getattr(values, one.name) for one in dataclasses.fields(values) if one.init}
        changed = {name: _replace_under(name, value, replace, replace_text) for name, value in fields.items()}
        return dataclasses.replace(values, **changed)
    return values


def _replace_under(key: str, value: Any, replace: Replace, replace_text: ReplaceText) -> Any:
    kind = _KEYS.get(key)
    if kind is None or not _holds_names(value):
        return replace_names(value, replace, replace_text)
    if isinstance(value, str):
        return replace(kind, [value])[0]
    if all(isinstance(one, str) for one in value):
        # The names were sorted: in their order the list would show that of the names.
        return type(value)(sorted(replace(kind, value)))
    return type(value)(type(pair)(replace(kind, pair)) for pair in value)


def _drop_under(key: str, value: Any) -> Any:
    if key not in _KEYS or not _holds_names(value):
        return drop_names(value)
    return "" if isinstance(value, str) else []


def _replace_in_table(table: pd.DataFrame, replace: Replace) -> pd.DataFrame:
    changed = table.copy()
    for column in changed.columns:
        kind = _COLUMNS.get(str(column))
        if kind is not None:
            changed[column] = replace(kind, changed[column])
    levels = []
    for level, name in enumerate(table.index.names):
        values = table.index.get_level_values(level)
        kind = _COLUMNS.get(str(name))
        levels.append(values if kind is None else pd.Index(replace(kind, values), name=name))
    if any(str(name) in _COLUMNS for name in table.index.names):
        changed.index = levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels, names=table.index.names)
    return changed


def _holds_names(value: Any) -> bool:
    """Return whether a value is a name, or a list of names or of pairs of names."""
    if isinstance(value, str):
        return True
    return isinstance(value, (list, tuple)) and all(map(_holds_names, value))


def _add(value: Any, names: set[str]) -> None:
    if isinstance(value, str):
        names |= {value} - {""}
    else:
        for one in value:
            _add(one, names)
