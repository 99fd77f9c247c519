"""The first lines of a CSV table of images: the classes in order, and the file of its vectors."""

from __future__ import annotations

import json
from collections.abc import Sequence

from breastcls.errors import DatasetError
from breastcls.size_limits import parse_json

CLASSES_LINE = "# classes: "
VECTORS_LINE = "# vectors: "


def write_classes(classes: Sequence[str]) -> str:
    """Return the first line of a CSV table, which lists the classes in order.

    Example:
        >>> write_classes(("benign", "malignant")), write_classes(("a|b", "c"))
        ('# classes: benign|malignant', '# classes: ["a|b", "c"]')
    """
    text = "|".join(classes)
    ambiguous = "\n" in text or "\r" in text or text.startswith("[") or text.count("|") >= max(len(classes), 1)
    return CLASSES_LINE + (json.dumps(list(classes), ensure_ascii=False) if ambiguous or not classes else text)


def read_classes(line: str) -> tuple[str, ...]:
    """Return the classes that `write_classes` wrote.

    Raises:
        DatasetError: If the line is damaged.
    """
    names = line.removeprefix(CLASSES_LINE).rstrip("\r\n")
    if not names.startswith("["):
        return tuple(names.split("|"))
    try:
        found = parse_json(names)
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise ValueError("it is not a list of texts")
    except ValueError as error:
        raise DatasetError(
            f"The line {line.strip()!r:.80} should list the classes, as JSON or separated by '|': {error}."
        ) from error
    return tuple(found)
