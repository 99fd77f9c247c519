"""Reading a folder with one subfolder per class."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_name import base_name
from breastcls.datasets.folder_scan import archive_hint, describe_skipped, scan_files
from breastcls.errors import DatasetError, DatasetWarning, LayoutError
from breastcls.images.decode import is_image_name

CASES_UNKNOWN = (
    "It is unknown which images come from the same patient, so each counts as a case of its own. If a patient has "
    "several images, splits are not case-wise, and metrics and confidence intervals are too optimistic. Pass {remedy}."
)


def load_folder(
    root: str | os.PathLike[str],
    *,
    group: str | Callable[[str], str] | None = None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    r"""Read a folder with one subfolder per class, `<root>/<class>/.../image.png`.

    Args:
        root: The folder that contains the class folders. Images may be at any depth below them.
        group: The case of an image as a function of its path below the class folder, with forward slashes: a regular
            expression of which the first group (or the whole match) is the case, or a function. `r"(.+?)_"` matches the
            text before the first underscore, `r"([^/]+)/"` the folder of each patient.
        classes: Names of the class folders, the positive class last; in alphabetical order by default.

    Returns:
        A dataset whose labels are the folder names.

    Raises:
        LayoutError: If the folder does not exist, or does not contain at least two class folders with images.
        DatasetError: If `group` does not match a path, or a folder in `classes` does not exist.

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
            f"{root} must contain at least two class folders with images; found {found or 'none'} and {len(loose)} "
            f"images outside of them.{archive_hint(root, names)} Give the parent folder of the class folders."
        )
    wanted = list(classes) if classes is not None else found
    absent = [name for name in wanted if name not in found]
    if absent:
        raise DatasetError(f"There are no images of the classes {absent} in {root}; found the folders {found}.")
    extra = [name for name in found if name not in wanted]
    rows = [row for row in rows if row[1] in wanted]
    notes = []
    if others:
        notes.append(describe_skipped(others))
    if extra:
        notes.append(f"The folders {extra} are not among the requested classes and were skipped.")
    if loose:
        notes.append(f"{len(loose)} images directly in {top.name} have no class and were skipped.")
        warnings.warn(notes[-1], DatasetWarning, stacklevel=2)
    table = pd.DataFrame(rows, columns=["path", "label", "below"])
    if group is None:
        warnings.warn(
            CASES_UNKNOWN.format(remedy="group=, a pattern that matches the patient in the path"),
            DatasetWarning,
            stacklevel=2,
        )
        notes.append("Each image counts as a case of its own (group= was not given).")
        table["case"] = table["label"] + "/" + table["below"]
    else:
        table["case"] = [_case_of(path, group) for path in table["below"]]
    table["source"] = top.name
    return Dataset(table, tuple(wanted), tuple(notes), f"folder {base_name(top)}", str(top))


def _case_of(path: str, group: str | Callable[[str], str]) -> str:
    if callable(group):
        case = group(path)
        if not isinstance(case, str) or not case:
            raise DatasetError(f"group returned {case!r} for {path!r}; it must return the case as a non-empty string.")
        return case
    try:
        match = re.search(group, path)
    except re.error as error:
        raise DatasetError(f"group={group!r} is not a valid regular expression: {error}.") from error
    found = match and (match[1] if match.re.groups else match[0])
    if not found:
        raise DatasetError(f"group={group!r} does not match {path!r}. Correct the pattern, or pass a function.")
    return str(found)
