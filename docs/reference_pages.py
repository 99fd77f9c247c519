"""MkDocs hook: the public names of a page of the reference, from the stub file that defines them."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "breastcls"
MARKER = re.compile(r"^<!-- public names of (?P<package>breastcls[\w.]*) -->$", re.M)


def public_names(package: str) -> list[str]:
    """Return the public names of a subpackage, or of the top level without the subpackages, in alphabetical order."""
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    tree = ast.parse((folder / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    return sorted(names - {"__version__"}, key=lambda name: (name.lower(), name))


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marker of a page by one entry per public name, which mkdocstrings then renders."""
    return MARKER.sub(lambda match: _entries(match["package"]), markdown)


def _entries(package: str) -> str:
    return "\n\n".join(f"::: {package}.{name}" for name in public_names(package))
