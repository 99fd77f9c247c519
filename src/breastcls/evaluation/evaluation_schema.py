"""The JSON that an evaluation is written as: its version, and the schema that it keeps to."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

# Grows when a reader of the old form could misread the new one; the schema names it.
SCHEMA = "breastcls.evaluation/2"
# Written in this order; each is None where the evaluation does not have it.
TABLES = (
    "metrics",
    "by_level",
    "per_class",
    "confusion",
    "roc",
    "precision_recall",
    "operating",
    "decision_curve",
    "risk_histogram",
    "worst_cases",
    "by_subtype",
    "by_magnification",
    "by_stain",
    "by_sharpness",
    "colour_baseline",
    "colour_difference",
    "baselines",
    "shortcuts",
    "robustness",
    "ood",
    "risk_coverage",
)


def read_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `Evaluation.to_json`.

    Example:
        >>> read_schema()["properties"]["schema"]
        {'const': 'breastcls.evaluation/2'}
    """
    text = resources.files("breastcls.evaluation").joinpath("schema.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
