"""The first line of a CSV table of images, which lists the classes in order."""

from __future__ import annotations

import json
from collections.abc import Sequence

from breastcls.errors import DatasetError

CLASSES_LINE = "# classes: "


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
        return tuple(map(str, json.loads(names)))
    except ValueError as error:
        raise DatasetError(
            f"The line {line.strip()!r} should list the classes, as JSON or separated by '|'."
        ) from error
