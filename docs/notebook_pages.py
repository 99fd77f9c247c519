"""MkDocs hook: a page for each notebook of the folder `notebooks`, with its outputs, and the notebook to download."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File, Files

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
BADGE = "open-in-colab.svg"
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg"}
_TITLE = re.compile(r"^# .+$", re.M)


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages, their pictures and the notebooks themselves to the site."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        text, pictures = notebook_page(path)
        added = {f"notebooks/{path.stem}.md": text, f"notebooks/{path.name}": path.read_bytes(), **pictures}
        for name, content in added.items():
            files.append(File.generated(config, name, content=content))
    files.append(File.generated(config, f"notebooks/{BADGE}", content=(NOTEBOOKS / BADGE).read_bytes()))
    return files


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and the pictures of its outputs by their place in the site."""
    parts, pictures = [], {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            kind = next((kind for kind in _SUFFIXES if kind in data), None)
            if kind is not None:
                name = f"{path.stem}-{len(pictures) + 1}.{_SUFFIXES[kind]}"
                pictures[f"notebooks/{name}"] = base64.b64decode(data[kind])
                width = output.metadata.get(kind, {}).get("width")
                parts.append(f"![Figure of the cell above]({name})" + (f'{{ width="{width}" }}' if width else ""))
            elif "text/html" in data:
                # One line, so that it is not parsed as Markdown; the lines of preformatted text are kept.
                parts.append(f'<div class="notebook-output">{_one_line(data["text/html"])}</div>')
            else:
                shown = output.get("text") or data.get("text/plain", "")
                parts.append(f"```text\n{shown.rstrip()}\n```")
    text = "\n\n".join(parts)
    download = f"\n\nThis page is a notebook: [download {path.name}]({path.name}).\n"
    return _TITLE.sub(lambda found: found[0] + download, text, count=1), pictures


def _one_line(html: str) -> str:
    return re.sub(r"<style scoped>.*?</style>", "", html, flags=re.S).replace("\n", "&#10;")
