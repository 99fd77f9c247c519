"""The audit for leakage: cases, slides, files, pixels and vectors that training and test images share."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.equal_files import find_equal_files, find_equal_paths
from breastcls.datasets.equal_vectors import find_equal_vectors
from breastcls.datasets.leakage_report import LeakageReport
from breastcls.datasets.table_reader import load_table
from breastcls.identifiers import read_distinct, similar_pairs

Images = Dataset | pd.DataFrame | str | os.PathLike[str]


def audit_leakage(train: Images, test: Images, *, pixels: bool = True, distinct: Any = ()) -> LeakageReport:
    """Find cases, slides, files and pixels that training and test images share, and near duplicates.

    Names that differ in what cannot be seen (Unicode composition, white space, invisible characters) are equal. Names
    that differ in letter case, leading zeros, separators or accents are reported as a possible leak. Near
    duplicates are test images that are resized, recompressed, recoloured, turned or mirrored copies of training images.
    They are found by perceptual hashes and verified by pixels. Images of a single colour are not compared: empty
    background looks the same in every slide. Datasets of vectors are searched for equal vectors, and for vectors that
    are equal up to rounding.

    Args:
        train: The training images, a dataset or a table as `load_table` takes it, with a column `case` or `slide`; add
            the validation images with `train + val`.
        test: The test images, likewise.
        pixels: Whether to compare files and pixels too. Every image is then read once, about 250 per second and
            processor; the hashes are stored. Otherwise files are compared by their path. The files of a table need not
            exist; where one does not, pixels are not compared, and the report says so. The same holds for datasets of
            vectors.
        distinct: Names of cases and slides that are different although they differ in spelling only, besides those of
            the datasets; see `load_table`.

    Returns:
        A report, which prints and has `to_dict`.

    Raises:
        DatasetError: If a table cannot be read.
        ImageError: If a file cannot be read.

    Example:
        >>> a = Dataset.from_columns(("b", "m"), path=["1.png", "2.png"], label=["b", "m"], case=["x", "y"])
        >>> print(audit_leakage(a[:1], a[1:], pixels=False))
        No leakage: training and test images share nothing (compared: cases and slides, not pixels).
    """
    tables = not (isinstance(train, Dataset) and isinstance(test, Dataset))
    train, test = (data if isinstance(data, Dataset) else load_table(data, files=False) for data in (train, test))
    if tables and pixels:
        pixels = all(map(os.path.isfile, train.paths + test.paths))
    pixels = pixels and train.has_images and test.has_images
    both = {
        "cases": (_names(train, "case"), _names(test, "case")),
        "slides": (_names(train, "slide"), _names(test, "slide")),
    }
    shared = {what: np.intersect1d(*names) for what, names in both.items()}
    different = read_distinct(distinct) | train.distinct | test.distinct
    similar = {
        what: tuple(similar_pairs(of_train.tolist(), of_test.tolist(), different))
        for what, (of_train, of_test) in both.items()
    }
    files = find_equal_files(train, test) if pixels else find_equal_paths(train, test)
    vectors = find_equal_vectors(train, test, files.plain)
    return LeakageReport(
        shared_cases=tuple(shared["cases"].tolist()),
        shared_slides=tuple(shared["slides"].tolist()),
        identical_files=files.same_bytes,
        identical_pixels=files.same_pixels,
        test_images=len(test),
        test_images_in_shared_cases=int(test.frame["case"].isin(shared["cases"]).sum()),
        pixels_compared=pixels,
        compared_by=tuple(what for what, (of_train, of_test) in both.items() if len(of_train) and len(of_test)),
        root=train.root if train.root == test.root else None,
        near_duplicates=files.near_duplicates,
        similar_cases=similar["cases"],
        similar_slides=similar["slides"],
        test_images_in_similar_cases=int(test.frame["case"].isin([pair[1] for pair in similar["cases"]]).sum()),
        identical_vectors=vectors.identical,
        similar_vectors=vectors.similar,
        vectors_compared=vectors.compared,
    )


def _names(data: Dataset, column: str) -> np.ndarray:
    values = data.frame[column]
    known = values.fillna(data.frame["case"]) if column == "slide" else values
    return np.array(known.dropna().unique(), dtype=str)
