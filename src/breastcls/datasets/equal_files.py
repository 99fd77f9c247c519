"""Files of a training set that a test set has too: by their paths, or by their bytes and pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.file_fingerprints import fingerprint_files
from breastcls.datasets.near_duplicates import find_near_duplicates
from breastcls.datasets.table_reader import NO_PATH

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class EqualFiles:
    """What two datasets share; pairs are (training path, test path).

    Attributes:
        same_bytes: Pairs of files with the same bytes.
        same_pixels: Pairs of files with the same pixels but different bytes.
        near_duplicates: Pairs of other files with similar pixels.
        plain: Test images of a single colour, which are not compared: empty background looks the same in every slide.
    """

    same_bytes: Pairs = ()
    same_pixels: Pairs = ()
    near_duplicates: Pairs = ()
    plain: frozenset[str] = frozenset()


def find_equal_paths(train: Dataset, test: Dataset) -> EqualFiles:
    """Compare files by their paths alone, links resolved; no file is opened."""
    place = {os.path.realpath(path): path for path in train.paths}
    named = [path for path in test.paths if not path.endswith(NO_PATH)]
    return EqualFiles(tuple((place[real], path) for path in named if (real := os.path.realpath(path)) in place))


def find_equal_files(train: Dataset, test: Dataset) -> EqualFiles:
    """Compare files by their bytes and pixels.

    Raises:
        ImageError: If a file cannot be read.
    """
    if not len(train) or not len(test):
        return EqualFiles()
    prints = fingerprint_files(train.paths + test.paths)
    of_train = prints.iloc[: len(train)].assign(path=train.frame["path"].array)
    of_test = prints.iloc[len(train) :].assign(path=test.frame["path"].array)
    compared = of_test[of_test["pixels"].notna()]
    by_bytes, by_pixels = (_match(of_train, compared, column) for column in ("bytes", "pixels"))
    equal = {path for _, path in by_bytes + by_pixels}
    return EqualFiles(
        by_bytes,
        tuple(pair for pair in by_pixels if pair not in set(by_bytes)),
        tuple(pair for pair in find_near_duplicates(of_train, of_test) if pair[1] not in equal),
        frozenset(of_test["path"][of_test["pixels"].isna()]),
    )


def _match(train: pd.DataFrame, test: pd.DataFrame, column: str) -> Pairs:
    """Return the pairs of paths with the same hash, for each test image the last training image that has it."""
    known = dict(zip(train[column], train["path"], strict=True))
    return tuple((known[value], path) for value, path in zip(test[column], test["path"], strict=True) if value in known)
