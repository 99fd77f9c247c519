"""What a path with images is: a folder of BreakHis, of IDC patches, of class folders, of images alone, or a table."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from breastcls.datasets.breakhis import parse_breakhis_name
from breastcls.datasets.folder_layout import recognise_layout
from breastcls.datasets.folder_scan import archive_hint, scan_files
from breastcls.datasets.idc import is_idc_name
from breastcls.errors import LayoutError
from breastcls.images.decode import is_image_name
from breastcls.text_tables import format_count

_TABLES = (".csv", ".csv.gz", ".tsv", ".txt", ".xlsx")


@dataclass(frozen=True)
class DataFormat:
    """What a path with images is.

    Attributes:
        name: "breakhis", "idc", "classes" (a folder with one folder per class), "images" (a folder of images without
            labels) or "table".
        reason: By what it was recognised, such as "1,995 of 1,995 images have such file names".
    """

    name: Literal["breakhis", "idc", "classes", "images", "table"]
    reason: str


def is_table(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a table by its suffix, and no folder; the file need not exist."""
    return os.fspath(path).lower().endswith(_TABLES) and not os.path.isdir(path)


def detect_format(path: str | os.PathLike[str]) -> DataFormat:
    """Recognise what a path with images is, by the names of its files and folders; no image is opened.

    A folder is one of BreakHis or IDC if at least half of its images have such names. Use `load_breakhis`, `load_idc`,
    `load_folder` or `load_table` to read it.

    Args:
        path: A folder, or a table (CSV, XLSX).

    Returns:
        A `DataFormat`: the name of the format and the reason why it was chosen.

    Raises:
        LayoutError: If the path does not exist, is a file but no table, or is a folder without images.

    Example:
        >>> import tempfile
        >>> from breastcls.datasets.synthetic.image_trees import make_idc
        >>> detect_format(make_idc(tempfile.mkdtemp(), patients=2, patches_per_patient=4))
        DataFormat(name='idc', reason='8 of 8 images have such file names')
    """
    text = os.fspath(path)
    if is_table(text):
        if not os.path.isfile(text):
            raise LayoutError(f"The table {text} does not exist. Check the path.")
        return DataFormat("table", f"{os.path.splitext(text)[1]} file")
    folders, names = scan_files(text)
    images = [(folder, name) for folder, name in zip(folders, names, strict=True) if is_image_name(name)]
    if not images:
        raise LayoutError(f"The folder {text} contains no images.{archive_hint(text, names)} Check the path.")
    count = format_count(len(images), "image")
    for collection, known in (("breakhis", parse_breakhis_name), ("idc", is_idc_name)):
        found = sum(bool(known(name)) for _, name in images)
        if 2 * found >= len(images):
            return DataFormat(collection, f"{found:,} of {count} have such file names")  # type: ignore[arg-type]
    inside = {os.path.relpath(folder, text) for folder, _ in images}
    levels = {tuple(folder.split(os.sep)) for folder in inside - {"."}}
    if levels and len({parts[0] for parts in levels}) > 1:
        layout = recognise_layout(levels)
        if layout.split("/")[-1] == "class":
            return DataFormat("classes", f"{count} in folders {layout.replace('content', '*')}")
    return DataFormat("images", f"{count}, and no folders of classes")
