"""The image files that a path stands for: one file, or all images below a folder."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from breastcls.datasets.folder_scan import archive_hint, describe_skipped, scan_files
from breastcls.errors import BreastclsError, DatasetWarning
from breastcls.images.decode import is_image_name
from breastcls.text_tables import format_count

_PATTERN = re.compile(r"[*?\[]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_TABLES = (".csv", ".tsv", ".xlsx", ".xls", ".ods", ".parquet")
_MODELS = (".keras", ".h5", ".onnx", ".tflite", ".xml")


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a folder; the name of an image is taken for a file, which saves a look at the disk."""
    return not is_image_name(path) and os.path.isdir(path)


def check_name(path: str | os.PathLike[str], error: type[BreastclsError]) -> str:
    """Return a path as text that can be written to a table.

    Raises:
        error: If it has bytes that are not UTF-8, as names of old archives have.
    """
    text = os.fsdecode(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        shown = text.encode("utf-8", "backslashreplace").decode()
        raise error(
            f"{shown}: the name has bytes that are not UTF-8 and cannot be written to a table. Rename the file, for "
            "example with `convmv -f latin1 -t utf8 --notest`."
        ) from None
    return text


def find_files(path: str | os.PathLike[str], error: type[BreastclsError]) -> tuple[list[str], str]:
    """Return the image files that a path stands for, and the folder that they are relative to.

    Args:
        path: An image file, or a folder, of which all images are taken, in subfolders too, sorted by folder and name.
        error: The exception to raise.

    Raises:
        error: If the path does not exist, is no image but a table or a model, or the folder has no images.

    Warns:
        DatasetWarning: If files of a folder are ignored: hidden ones, and those without the suffix of an image.
    """
    text = check_name(path, error)
    if os.path.isdir(text):
        return _find_in_folder(text, error), text
    if not os.path.lexists(text):
        raise error(_describe_missing(text))
    suffix = Path(text).suffix.lower()
    if suffix in _TABLES:
        raise error(
            f"{text} is a table. Read it with `breastcls.load_table`, and give the Dataset or its column of files."
        )
    if suffix in _MODELS:
        raise error(f"{text} is a model, not an image. The model is the first argument, the images are the second.")
    hint = archive_hint(Path(text).parent, [Path(text).name])
    if hint and not is_image_name(text):
        raise error(f"{text} is not an image.{hint}")
    return [text], os.path.dirname(text) or os.curdir


def _find_in_folder(folder: str, error: type[BreastclsError]) -> list[str]:
    hidden: list[str] = []
    folders, names = scan_files(folder, hidden)
    images: list[str] = []
    others: list[str] = []
    for inside, name in zip(folders, names, strict=True):
        if is_image_name(name):
            images.append(check_name(os.path.join(inside, name), error))
        else:
            others.append(os.path.join(inside, name))
    shown = [Path(name).name for name in others]
    if not images:
        found = f" {describe_skipped(shown)}" if shown else ""
        raise error(
            f"There are no images in the folder {folder}, also not in its subfolders."
            f"{found}{archive_hint(folder, shown)}"
        )
    if others or hidden:
        parts = [describe_skipped(shown)] if others else []
        if hidden:
            parts.append(f"{format_count(len(hidden), 'hidden file')} or folder, e.g. {Path(hidden[0]).name}.")
        warnings.warn(
            f"In {folder}, files that are not images were ignored: {' '.join(parts)}", DatasetWarning, stacklevel=4
        )
    return images


def _describe_missing(path: str) -> str:
    if not path:
        return 'The path is empty (""); expected an image file or a folder.'
    if _ADDRESS.match(path):
        return f"{path} is an address. Images are not downloaded: give the file, or its bytes."
    if _PATTERN.search(path):
        return (
            f"The path {path} does not exist. Patterns are not expanded: give a folder, whose images are all taken, or "
            f"the list `sorted(glob.glob({path!r}, recursive=True))`."
        )
    if path.startswith("~"):
        return f"The path {path} does not exist. Expand it: `os.path.expanduser({path!r})`."
    parent = Path(path).absolute().parent
    while not parent.is_dir():
        parent = parent.parent
    return f"The path {path} does not exist. Its nearest existing parent is {parent}."
