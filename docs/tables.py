"""MkDocs hook: tables that come from the registries when the site is built, so that they cannot fall behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKER = "<!-- table of backbones -->"
BENCHMARKS = "<!-- table of benchmarks -->"
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables where a page has their markers."""
    for marker, table in ((MARKER, backbone_table), (BENCHMARKS, benchmark_table)):
        if marker in markdown:
            markdown = markdown.replace(marker, table())
    return markdown


def benchmark_table() -> str:
    """Return every ratio that a benchmark wrote as a Markdown table."""
    lines = ["| what | against | times as fast | target |", "|---|---|---|---|"]
    for path in sorted(RESULTS.glob("*.json")):
        lines += _ratios(json.loads(path.read_text()), path.stem.replace("_", " "))
    return "\n".join(lines)


def _ratios(result: dict[str, Any], name: str) -> Iterator[str]:
    what = result.get("what", name)
    if {"ratio", "target", "sides"} <= set(result):
        peer = list(result["sides"])[1]
        verdict = "met" if result["met"] else "not met"
        yield f"| {what} | {peer} | {result['ratio']:.2f} | {result['target']:g}, {verdict} |"
    for key, value in result.items():
        if isinstance(value, dict) and key not in ("sides", "environment"):
            yield from _ratios({"what": f"{key}: {what}", **value} if "what" not in value else value, key)


def backbone_table() -> str:
    """Return every registered backbone as a Markdown table; loads neither Keras nor TensorFlow."""
    from breastcls.models.catalogue import list_backbones

    lines = [
        "| backbone | size | scaling | options | ImageNet weights | licence of the weights | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in list_backbones():
        height, width = entry.image_size
        options = ", ".join(f"`{name}`" for name in entry.options) or "–"
        pretrained = "yes" if entry.pretrained is not None else "no"
        lines.append(
            f"| `{entry.name}` | {height}×{width} | `{entry.scaling}` | {options} | {pretrained} | {entry.licence} "
            f"| {_link(entry.paper)} |"
        )
    return "\n".join(lines)


def _link(paper: str) -> str:
    return f"[paper]({paper})" if paper.startswith("https://") else paper or "–"
