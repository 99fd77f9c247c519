"""Reading a user's own tree: one folder a class."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.folder_scan import archives_hint, describe_others, scan_files
from breastcls.errors import DatasetError, DatasetWarning, LayoutError
from breastcls.images.decode import is_image_name

NO_CASES = (
    "Nothing says which images come from the same patient, so each counts as a case of its own. If some do, splits by "
    "case cannot keep them together, and scores and intervals will be too good. Pass {remedy}."
)


def load_folder(
    root: str | os.PathLike[str],
    *,
    group: str | Callable[[str], str] | None = None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    r"""Read a tree with one folder a class, `<root>/<class>/.../image.png`.

    Args:
        root: The folder that holds the class folders. Images may lie at any depth below them.
        group: How to find the case of an image from its path below the class folder, with forward slashes: a regular
            expression whose first group (or whole match) is the case, or a function. `r"(.+?)_"` takes what stands
            before the first underscore, `r"([^/]+)/"` the folder of each patient.
        classes: Names of the folders in the order wanted, the positive class last; alphabetical by default.

    Returns:
        A dataset whose labels are the folder names.

    Raises:
        LayoutError: If there is no such folder, or it does not hold at least two class folders with images.
        DatasetError: If `group` does not fit a path, or `classes` names a folder that is not there.

    Example:
        >>> data = load_folder("mine", group=r"(P\d+)_")  # doctest: +SKIP
    """
    top = Path(root)
    folders, names = scan_files(root)
    rows, others, loose = [], [], []
    for folder, name in zip(folders, names, strict=True):
        relative = Path(folder, name).relative_to(top)
        if not is_image_name(name):
            others.append(name)
        elif len(relative.parts) < 2:
            loose.append(name)
        else:
            rows.append((str(top / relative), relative.parts[0], relative.as_posix().split("/", 1)[1]))
    found = sorted({row[1] for row in rows})
    if len(found) < 2:
        raise LayoutError(
            f"{root} must hold at least two class folders with images; found {found or 'none'} and {len(loose)} images "
            f"beside them.{archives_hint(root, names)} Give the folder above the classes."
        )
    wanted = list(classes) if classes is not None else found
    absent = [name for name in wanted if name not in found]
    if absent:
        raise DatasetError(f"There are no images of the classes {absent} in {root}; folders found: {found}.")
    extra = [name for name in found if name not in wanted]
    rows = [row for row in rows if row[1] in wanted]
    notes = []
    if others:
        notes.append(describe_others(others))
    if extra:
        notes.append(f"The folders {extra} are not among the classes asked for and were passed over.")
    if loose:
        notes.append(f"{len(loose)} images directly in {top.name} belong to no class and were passed over.")
        warnings.warn(notes[-1], DatasetWarning, stacklevel=2)
    table = pd.DataFrame(rows, columns=["path", "label", "below"])
    if group is None:
        warnings.warn(
            NO_CASES.format(remedy="group=, a pattern that finds the patient in the path"),
            DatasetWarning,
            stacklevel=2,
        )
        notes.append("Each image counts as a case of its own (no group= was given).")
        table["case"] = table["label"] + "/" + table["below"]
    else:
        table["case"] = [_case_of(path, group) for path in table["below"]]
    table["source"] = top.name
    return Dataset(table, tuple(wanted), tuple(notes))


def _case_of(path: str, group: str | Callable[[str], str]) -> str:
    if callable(group):
        case = group(path)
        if not isinstance(case, str) or not case:
            raise DatasetError(f"group gave {case!r} for {path!r}; it must give the case as a non-empty string.")
        return case
    try:
        match = re.search(group, path)
    except re.error as error:
        raise DatasetError(f"group={group!r} is not a valid regular expression: {error}.") from error
    found = match and (match[1] if match.re.groups else match[0])
    if not found:
        raise DatasetError(f"group={group!r} finds no case in {path!r}. Correct the pattern, or give a function.")
    return str(found)
