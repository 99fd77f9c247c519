"""Reading a folder whose subfolders are classes, parts of a split, cases or other groups of images."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_name import base_name
from breastcls.datasets.file_agreement import check_files_agree
from breastcls.datasets.folder_layout import describe_level, level_below_class, recognise_layout, single_folders
from breastcls.datasets.folder_scan import archive_hint, describe_skipped, scan_files
from breastcls.datasets.similar_names import warn_similar_names
from breastcls.datasets.table_columns import parse_numbers
from breastcls.errors import DatasetError, DatasetWarning, LayoutError
from breastcls.identifiers import TEXT, clean_name, format_name
from breastcls.images.decode import is_image_name
from breastcls.text_tables import choose_form, format_count

CASES_UNKNOWN = (
    "It is unknown which images come from the same patient, so each counts as a case of its own in metrics and "
    "confidence intervals, which are too optimistic if a patient has several images. Splits by case are not possible. "
    "Pass {remedy}."
)


@dataclass(frozen=True)
class _Found:
    """The images below a folder."""

    paths: list[str]
    folders: list[tuple[str, ...]]
    other_files: list[str]


def load_folder(
    root: str | os.PathLike[str],
    *,
    layout: str | None = None,
    group: str | Callable[[str], str] | None = None,
    classes: Sequence[str] | None = None,
    distinct: object = (),
) -> Dataset:
    r"""Read a folder with one subfolder per class, `<root>/<class>/.../image.png`, or another layout.

    Args:
        root: The folder that contains the images. They may be at any depth below the folders of the layout.
        layout: What the levels of folders below `root` are, from the top, separated by "/": "class" is the label,
            "case", "slide", "magnification" and "subtype" the columns of these names, "*" is ignored, and any other
            word is a further column. `"split/class"` reads `train/benign/1.png` and keeps "train" in the column
            `split`; `"case/class"` reads folders of patients. Without "class" the images have no labels: `""` reads a
            folder of images, `"case"` one folder per patient. Default: "class", and an error if the first level is
            probably something else (parts of a split, folds, magnifications, cases).
        group: The case of an image as a function of its path below the folders of the layout, with forward slashes: a
            regular expression of which the first group (or the whole match) is the case, or a function. `r"(.+?)_"`
            matches the text before the first underscore, `r"([^/]+)/"` the folder of each patient, `r".+"` the whole
            path, where each image is a case of its own.
        classes: Names of the class folders, the positive class last; in alphabetical order by default.
        distinct: As in `load_table`.

    Returns:
        A dataset whose labels are the names of the class folders.

    Raises:
        LayoutError: If the folder does not exist, does not contain at least two class folders with images, or has
            another layout; the message says how to read it.
        DatasetError: If `layout` is invalid, `group` does not match a path, a folder in `classes` does not exist,
            classes differ in spelling only, or a file (through links) has several labels or cases.

    Warns:
        DatasetWarning: If cases are not known, or images are skipped.

    Example:
        >>> data = load_folder("mine", group=r"(P\d+)_")  # doctest: +SKIP
        >>> data = load_folder("kaggle", layout="split/class", group=r"(P\d+)_")  # doctest: +SKIP
        >>> train, test = data.where(split="train"), data.where(split="test")  # doctest: +SKIP
    """
    levels = _read_layout(layout)
    if "case" in levels and group is not None:
        raise DatasetError(f"layout={layout!r} gives the case of each image already; leave group= out.")
    found = _find_images(root)
    if layout is None:
        _check_layout(root, found)
    deep = [len(of_image) >= len(levels) for of_image in found.folders]
    table = pd.DataFrame({"path": [path for path, keep in zip(found.paths, deep, strict=True) if keep]}, dtype=TEXT)
    kept = [of_image for of_image, keep in zip(found.folders, deep, strict=True) if keep]
    for place, level in enumerate(levels):
        if level != "*":
            table["label" if level == "class" else level] = [format_name(of_image[place]) for of_image in kept]
    if "magnification" in table:
        table["magnification"] = parse_numbers(table["magnification"], f"The folder {root}", DatasetError)
    below = [
        "/".join((*of, os.path.basename(path))) for of, path in zip(_cut(kept, levels), table["path"], strict=True)
    ]
    notes = [describe_skipped(found.other_files)] if found.other_files else []
    names = tuple(classes or ())
    if "label" in table:
        names, notes = _choose_classes(root, table, classes, notes, found)
        table = table.assign(below=pd.array(below, dtype=TEXT))
        table = table[table["label"].isin(names)]
        below = table.pop("below").tolist()
    elif not len(table):
        raise LayoutError(f"{root} contains no image in folders {'/'.join(levels) or '(any)'}.{_hint(root, found)}")
    if len(kept) < len(deep):
        left = len(deep) - len(kept)
        within = f"directly in {Path(root).name}, without a class," if levels == ("class",) else f"not in {layout}"
        notes.append(f"{format_count(left, 'image')} {within} {choose_form(left, 'was', 'were')} skipped.")
        warnings.warn(notes[-1], DatasetWarning, stacklevel=2)
    if group is not None:
        table["case"] = pd.array([_case_of(path, group) for path in below], dtype=TEXT)
    elif "case" not in table and "label" in table:
        warnings.warn(
            CASES_UNKNOWN.format(remedy="group=, a pattern that matches the patient in the path, or layout="),
            DatasetWarning,
            stacklevel=2,
        )
        notes.append("The cases are not known (neither group= nor a level 'case' of layout= was given).")
    table["source"] = Path(root).name
    data = Dataset(table, names, tuple(notes), f"folder {base_name(root)}", os.fspath(root), distinct)
    check_files_agree(data.frame)
    warn_similar_names(data.frame, data.distinct)
    return data


def _read_layout(layout: str | None) -> tuple[str, ...]:
    if layout is None:
        return ("class",)
    levels = tuple(level.strip() for level in layout.strip("/").split("/")) if layout.strip("/ ") else ()
    named = [level for level in levels if level != "*"]
    reserved = {"path", "label", "x", "y", "source"} & set(named)
    if len(set(named)) < len(named) or "" in levels or reserved:
        raise DatasetError(
            f"layout={layout!r} must hold different words separated by '/', such as 'split/class' or 'class/case'"
            + (
                f"; {sorted(reserved)[0]!r} is a column that no level can be ('class' is the label)."
                if reserved
                else "."
            )
        )
    return levels


def _find_images(root: str | os.PathLike[str]) -> _Found:
    top = os.fspath(root)
    found = _Found([], [], [])
    for folder, name in zip(*scan_files(root), strict=True):
        if not is_image_name(name):
            found.other_files.append(name)
            continue
        inside = os.path.relpath(folder, top)
        found.paths.append(os.path.join(folder, name))
        found.folders.append(() if inside == "." else tuple(inside.split(os.sep)))
    return found


def _check_layout(root: str | os.PathLike[str], found: _Found) -> None:
    """Raise an error if the first level of folders is not the class, and warn of a split below the classes."""
    folders = {of_image for of_image in found.folders if of_image}
    if not folders:
        return
    layout = recognise_layout(folders)
    first = layout.split("/")[0]
    names = sorted({of_image[0] for of_image in folders})
    shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
    if first != "class":
        kept = "" if first in ("case", "content") else f", which keeps the {first} as a column"
        if layout.split("/")[-1] == "class":
            remedy = f"Read them with layout={layout.replace('content', '*')!r}{kept}."
        else:
            remedy = (
                f"No level of folders seems to be the class: layout={layout.replace('content', '*')!r} reads the "
                "images without labels; load_table reads labels from a table, load_breakhis the names of BreakHis."
            )
        raise LayoutError(
            f"The folders in {root} are probably not classes but {describe_level(first)} ({shown}). {remedy} If they "
            "are classes, pass layout='class'."
        )
    within = level_below_class(folders)
    if within:
        warnings.warn(
            f"Below the class folders of {root} are {describe_level(within)}, which are not kept. Pass "
            f"layout='class/{within}' to keep them as a column, or layout='class' if they have no meaning.",
            DatasetWarning,
            stacklevel=3,
        )


def _choose_classes(
    root: str | os.PathLike[str], table: pd.DataFrame, classes: Sequence[str] | None, notes: list[str], found: _Found
) -> tuple[tuple[str, ...], list[str]]:
    """Return the class names and the notes, extended by the class folders that are left out."""
    there = sorted(set(table["label"]))
    if len(there) < 2:
        raise LayoutError(
            f"{root} must contain at least two class folders with images; found {there or 'none'} and "
            f"{len(found.paths) - len(table)} images outside of them.{_hint(root, found)}"
        )
    names = tuple(map(format_name, classes)) if classes is not None else tuple(there)
    absent = [name for name in names if name not in there]
    if absent:
        raise DatasetError(f"There are no images of the classes {absent} in {root}; found the folders {there}.")
    extra = [name for name in there if name not in names]
    if extra:
        notes = [*notes, f"The folders {extra} are not among the requested classes and were skipped."]
    return names, notes


def _hint(root: str | os.PathLike[str], found: _Found) -> str:
    """Return how to read a folder that has no two class folders."""
    shared = single_folders([of_image for of_image in found.folders if of_image])
    inner = [of_image for of_image in found.folders if len(of_image) > len(shared)]
    if shared and inner:
        return f" All images are in {'/'.join(shared)}: give that folder, {os.path.join(root, *shared)!r}."
    if found.paths:
        return " If these images have no labels, pass layout=''; otherwise give the parent folder of the class folders."
    return archive_hint(root, found.other_files) + " Give the parent folder of the class folders."


def _cut(folders: Sequence[tuple[str, ...]], levels: Sequence[str]) -> list[tuple[str, ...]]:
    return [of_image[len(levels) :] for of_image in folders]


def _case_of(path: str, group: str | Callable[[str], str]) -> str:
    if callable(group):
        case = group(path)
        if not isinstance(case, str) or not clean_name(case):
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
