"""Griffe extension: the section `Example:` of our docstrings is shown as code, as `Examples:` is."""

from __future__ import annotations

import re
from typing import Any

import griffe

HEADING = re.compile(r"^Example:$", re.M)


class ExampleSections(griffe.Extension):
    """Rename the section before it is parsed; in the code the singular stays, since there is one example."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one class, function or module."""
        if obj.docstring is not None:
            obj.docstring.value = HEADING.sub("Examples:", obj.docstring.value)
