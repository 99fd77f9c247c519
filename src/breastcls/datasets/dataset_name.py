"""The name of a dataset, for reports: what was read, and the name of its folder or table without the path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

# The cases that `make_breakhis` numbers from 900000 and `make_idc` from 90000; no case of the real collections does.
_SYNTHETIC_CASE = re.compile(r"14-9\d{5}|9\d{4}")


def name_collection(title: str, root: str | os.PathLike[str], cases: Iterable[str]) -> str:
    """Return the name of a public collection that was read from a folder.

    Args:
        title: The name of the collection.
        root: The folder; only its base name is used.
        cases: The cases that were read, by which synthetic images are recognised.

    Example:
        >>> name_collection("BreakHis", "/scans/BreaKHis_v1", ["14-22549"])
        'BreakHis, folder BreaKHis_v1'
        >>> name_collection("BreakHis", "demo/images", ["14-900002"])
        'synthetic images in the layout of BreakHis, folder images'
    """
    synthetic = all(_SYNTHETIC_CASE.fullmatch(case) for case in cases)
    what = f"synthetic images in the layout of {title}" if synthetic else title
    return f"{what}, folder {base_name(root)}"


def base_name(path: str | os.PathLike[str]) -> str:
    """Return the last part of a path, also of `.` and of one that ends with a separator.

    Example:
        >>> base_name("/scans/BreaKHis_v1/")
        'BreaKHis_v1'
    """
    return Path(path).resolve().name


def join_names(first: str, second: str) -> str:
    """Return the name of two datasets that were concatenated.

    Example:
        >>> join_names("a", "a"), join_names("a", "b"), join_names("", "b")
        ('a', 'a + b', 'b')
    """
    return " + ".join(dict.fromkeys(part for name in (first, second) for part in name.split(" + ") if part))
