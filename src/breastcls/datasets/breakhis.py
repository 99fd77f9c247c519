"""Reading BreakHis by file name, independent of the folder layout.

The data set: Spanhol et al. 2016, DOI 10.1109/TBME.2015.2496264, CC BY 4.0.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from breastcls.argument_checks import check_choice
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_name import name_collection
from breastcls.datasets.duplicates import drop_identical_images, drop_repeated_names
from breastcls.datasets.folder_scan import archive_hint, describe_skipped, scan_files
from breastcls.datasets.image_table import BENIGN_SUBTYPES, MALIGNANCY, SUBTYPES
from breastcls.datasets.similar_names import warn_similar_names
from breastcls.errors import DatasetError, DatasetWarning, LayoutError
from breastcls.images.decode import is_image_name
from breastcls.text_tables import choose_form, format_count

MAGNIFICATIONS = (40, 100, 200, 400)
LAYOUTS = (
    "BreaKHis_v1/histology_slides/breast/{benign,malignant}/SOB/<subtype>/<slide>/<magnification>X/*.png (official)",
    "the official layout in a second folder of the same name (Kaggle), with or without Folds.csv",
    "{train,test}/{benign,malignant}/*.png (Kaggle, 400X)",
    "all files in one folder, or the folder of a single slide or magnification",
)
_NAME = re.compile(
    r"SOB_(?P<malignancy>[BM])_(?P<subtype>A|F|PT|TA|DC|LC|MC|PC)-(?P<year>\d{2})-(?P<number>\d+)(?P<block>[A-Z]*)"
    r"-(?P<magnification>40|100|200|400)-(?P<sequence>\d+)(?:\.[A-Za-z]+)?"
)


@dataclass(frozen=True)
class BreakHisName:
    """The parts of the name of a BreakHis file.

    Attributes:
        subtype: One of A, F, PT, TA, DC, LC, MC, PC.
        slide: Year, number and block letters, `"14-22549AB"`; the authors of BreakHis call it the patient.
        case: The slide without its block letters, `"14-22549"`. That one number is one patient is inferred from the
            numbering; the authors do not document it.
        magnification: 40, 100, 200 or 400.
        sequence: Number of the image within slide and magnification.
    """

    subtype: str
    slide: str
    case: str
    magnification: int
    sequence: int

    @property
    def malignancy(self) -> str:
        """`"benign"` or `"malignant"`, derived from the subtype."""
        return MALIGNANCY[self.subtype not in BENIGN_SUBTYPES]


def parse_breakhis_name(name: str) -> BreakHisName | None:
    """Parse a BreakHis file name; return None for other names.

    Args:
        name: The name of a file, without its folder.

    Example:
        >>> parse_breakhis_name("SOB_B_TA-14-22549AB-40-001.png")
        BreakHisName(subtype='TA', slide='14-22549AB', case='14-22549', magnification=40, sequence=1)
        >>> parse_breakhis_name("holiday.png") is None
        True
    """
    match = _NAME.fullmatch(name)
    if match is None or (match["malignancy"] == "B") != (match["subtype"] in BENIGN_SUBTYPES):
        return None
    case = f"{match['year']}-{match['number']}"
    return BreakHisName(
        match["subtype"], case + match["block"], case, int(match["magnification"]), int(match["sequence"])
    )


def load_breakhis(
    root: str | os.PathLike[str],
    *,
    magnification: int | Sequence[int] | None = None,
    target: Literal["malignancy", "subtype"] = "malignancy",
    duplicates: Literal["drop", "keep", "error"] = "drop",
    distinct: object = (),
) -> Dataset:
    """Read a folder of BreakHis images by file name, independent of its layout.

    Two kinds of duplicates are detected by content: files of the same name in several folders, and the images of case
    13412 that occur under two names (as DC and as LC).

    Args:
        root: The folder: of the data set in any of its published layouts, of one slide or magnification, or with all
            files in one folder. Only the names of the files are used.
        magnification: 40, 100, 200 or 400, or several of them; all by default.
        target: The classes: `"malignancy"` (benign, malignant) or `"subtype"` (eight).
        duplicates: `"drop"` keeps the first of each set of identical images, or none if `target="subtype"` and their
            labels contradict each other; `"keep"` keeps all; both are recorded in the notes. `"error"` raises.
        distinct: As in `load_table`.

    Returns:
        A dataset with the classes `("benign", "malignant")` or the eight subtypes. Its notes count the skipped files.

    Raises:
        LayoutError: If the folder does not exist, contains no BreakHis image or only an archive, or contains different
            images of the same name.
        DatasetError: If an argument is invalid, there is no image of the magnification, or `duplicates="error"` and
            there are duplicates.

    Example:
        >>> import tempfile
        >>> from breastcls.datasets import make_breakhis
        >>> root = make_breakhis(tempfile.mkdtemp(), magnifications=(200,), images_per_slide=1, image_size=(96, 128))
        >>> load_breakhis(root).classes
        ('benign', 'malignant')
    """
    wanted = _check_arguments(magnification, target, duplicates)
    folders, names = scan_files(root)
    parsed = [parse_breakhis_name(name) for name in names]
    rows = [
        (os.path.join(folder, name), name, p.malignancy, p.case, p.slide, p.magnification, p.subtype)
        for folder, name, p in zip(folders, names, parsed, strict=True)
        if p is not None and is_image_name(name)
    ]
    if not rows:
        known = "\n  ".join(LAYOUTS)
        raise LayoutError(
            f"No BreakHis image was found among the {format_count(len(names), 'file')} in "
            f"{root}.{archive_hint(root, names)}\n"
            f"Expected names such as SOB_B_TA-14-22549AB-40-001.png. Supported layouts:\n  {known}\n"
            "For other images use load_folder or load_table."
        )
    others = [name for name, p in zip(names, parsed, strict=True) if p is None or not is_image_name(name)]
    notes = [describe_skipped(others)] if others else []
    unparsed = [name for name in others if is_image_name(name)]
    if unparsed:
        warnings.warn(
            f"{format_count(len(unparsed), 'image')} in {root} without a name of BreakHis "
            f"{choose_form(len(unparsed), 'was', 'were')} skipped, "
            f"e.g. {', '.join(unparsed[:3])}.",
            DatasetWarning,
            stacklevel=2,
        )
    columns = ["path", "name", "label", "case", "slide", "magnification", "subtype"]
    table = pd.DataFrame(rows, columns=columns, dtype=object).assign(source="breakhis")
    if wanted:
        found = sorted(table["magnification"].unique().tolist())
        table = table[table["magnification"].isin(wanted)]
        if not len(table):
            raise DatasetError(f"No image of magnification {magnification} in {root}; found: {found}.")
    if target == "subtype":
        table["label"] = table["subtype"]
    table, more = drop_repeated_names(table, duplicates)
    notes += more
    table, more = drop_identical_images(table, duplicates)
    notes += more
    name = name_collection("BreakHis", root, table["case"])
    classes = MALIGNANCY if target == "malignancy" else SUBTYPES
    data = Dataset(table, classes, tuple(notes), name, os.fspath(root), distinct)
    warn_similar_names(data.frame, data.distinct)
    return data


def _check_arguments(magnification: int | Sequence[int] | None, target: str, duplicates: str) -> list[int]:
    wanted = [] if magnification is None else [magnification] if isinstance(magnification, int) else list(magnification)
    if any(value not in MAGNIFICATIONS for value in wanted):
        raise DatasetError(f"magnification must be 40, 100, 200 or 400, or several; found {magnification!r}.")
    check_choice("target", target, ("malignancy", "subtype"), error=DatasetError)
    check_choice("duplicates", duplicates, ("drop", "keep", "error"), error=DatasetError)
    return wanted
