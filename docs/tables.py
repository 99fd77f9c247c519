"""MkDocs hook: tables that come from the registries when the site is built, so that they cannot fall behind."""

from __future__ import annotations

from typing import Any

MARKER = "<!-- table of backbones -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the table of backbones where a page has its marker."""
    return markdown.replace(MARKER, backbone_table()) if MARKER in markdown else markdown


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
