"""Reading the IDC patches (invasive ductal carcinoma or not).

The data set: Cruz-Roa et al. 2014, DOI 10.1117/12.2043872; Janowczyk and Madabhushi 2016, DOI 10.4103/2153-3539.186902.
"""

from __future__ import annotations

import os
import re

import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_name import name_collection
from breastcls.datasets.duplicates import drop_repeated_names
from breastcls.datasets.folder_scan import archive_hint, describe_skipped, scan_files
from breastcls.datasets.similar_names import warn_similar_names
from breastcls.errors import LayoutError
from breastcls.identifiers import TEXT
from breastcls.text_tables import format_count

IDC_CLASSES = ("negative", "positive")
_NAME = re.compile(r"([^\n]+)_idx5_x(\d+)_y(\d+)_class([01])\.png", re.IGNORECASE)


def is_idc_name(name: str) -> bool:
    """Return whether a file has the name of an IDC patch.

    Example:
        >>> is_idc_name("8863_idx5_x101_y1201_class0.png"), is_idc_name("8863.png")
        (True, False)
    """
    return _NAME.fullmatch(name) is not None


def load_idc(root: str | os.PathLike[str], *, distinct: object = ()) -> Dataset:
    """Read the folder of IDC patches, `<patient>/<0|1>/<patient>_idx5_x<X>_y<Y>_class<C>.png`, by file name.

    The patches of a patient tile one slide, so that the patient is both the slide and the case.

    Args:
        root: The folder with the patient folders, or one above it. The download from Kaggle contains every file twice;
            the second file of a name is left out and counted in the notes.
        distinct: As in `load_table`.

    Returns:
        A dataset with classes `("negative", "positive")`; the columns `x` and `y` are the position of a patch in
        the slide in pixels.

    Raises:
        LayoutError: If the folder does not exist, or contains no IDC patch or only an archive.

    Example:
        >>> import tempfile
        >>> from breastcls.datasets import make_idc
        >>> data = load_idc(make_idc(tempfile.mkdtemp(), patients=2, patches_per_patient=8))
        >>> data.classes
        ('negative', 'positive')
    """
    folders, names = scan_files(root)
    match = _NAME.fullmatch
    found = [match(name) for name in names]
    kept = [(folder, m) for folder, m in zip(folders, found, strict=True) if m is not None]
    if not kept:
        raise LayoutError(
            f"No IDC patch was found among the {format_count(len(names), 'file')} in "
            f"{root}.{archive_hint(root, names)}\n"
            "Expected names such as 8863/0/8863_idx5_x51_y1251_class0.png."
        )
    others = [name for name, m in zip(names, found, strict=True) if m is None]
    notes = [describe_skipped(others)] if others else []
    patient = [m[1] for _, m in kept]
    table = pd.DataFrame(
        {
            "path": pd.array([folder + os.sep + m.string for folder, m in kept], dtype=TEXT),
            "name": [m.string for _, m in kept],
            "label": np.array(IDC_CLASSES, dtype=object)[[int(m[4]) for _, m in kept]],
            "case": patient,
            "slide": patient,
            "x": [int(m[2]) for _, m in kept],
            "y": [int(m[3]) for _, m in kept],
            "source": "idc",
        }
    )
    table, more = drop_repeated_names(table, "drop", content=False)
    name = name_collection("IDC", root, table["case"])
    data = Dataset(table, IDC_CLASSES, tuple(notes + more), name, os.fspath(root), distinct)
    warn_similar_names(data.frame, data.distinct)
    return data
