"""The JSON that an evaluation is written as: its version and its JSON Schema."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from breastcls.evaluation.section import Section
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.evaluation.table_schema import table_schema

# Grows when a reader of the old form could misread the new one; the schema names it.
SCHEMA = "breastcls.evaluation/4"


def read_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `Evaluation.to_json`, with every registered section.

    Example:
        >>> read_schema()["properties"]["schema"]
        {'const': 'breastcls.evaluation/4'}
    """
    text = resources.files("breastcls.evaluation").joinpath("schema.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    content["properties"] |= {section.name: _schema_of(section) for section in SECTIONS.values()}
    content["required"] = list(content["properties"])
    return content


def _schema_of(section: Section) -> dict[str, Any]:
    value = section.schema or table_schema(*section.columns, index=section.index)
    if section.always:
        return {"description": section.description, **value}
    return {"description": section.description, "anyOf": [{"type": "null"}, dict(value)]}
