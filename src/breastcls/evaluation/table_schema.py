"""The JSON Schema of a table."""

from __future__ import annotations

from typing import Any


def table_schema(*columns: str, index: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the JSON Schema of a table that has these columns; an index of several levels holds lists.

    Example:
        >>> table_schema("value")["properties"]
        {'columns': {'allOf': [{'contains': {'const': 'value'}}]}}
    """
    properties: dict[str, Any] = {}
    if columns:
        properties["columns"] = {"allOf": [{"contains": {"const": name}} for name in columns]}
    if len(index) > 1:
        levels = {"type": "array", "minItems": len(index), "maxItems": len(index)}
        properties["index"] = {"items": levels}
    return {"$ref": "#/$defs/table", **({"properties": properties} if properties else {})}


def exact_table_schema(*columns: str) -> dict[str, Any]:
    """Return the JSON Schema of a table of these columns in this order, with one name per row."""
    properties = {"columns": {"const": list(columns)}, "index": {"items": {"type": "string"}}}
    return {"$ref": "#/$defs/table", "properties": properties}
