"""A list of image files that are predicted part by part: their names, their identity, and their columns."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.identifiers import TEXT
from breastcls.predictions.given_paths import check_name, find_files, is_folder

# Columns of `Predictions.to_frame` that are there only where one image has a value, and what stands for no value.
_OPTIONAL: dict[str, Any] = {"case": "", "slide": "", "magnification": -1, "subtype": ""}


@dataclass(frozen=True, eq=False)
class FileList:
    """Image files in parts of a fixed number.

    Attributes:
        data: The images.
        names: Their files relative to the folder that was given, or to their common folder.
        part_images: Images per part; the last one may have fewer.
    """

    data: Dataset
    names: list[str]
    part_images: int = 4096

    @classmethod
    def open(cls, values: Any, classes: tuple[str, ...]) -> FileList:
        """Return the files that a caller gave as a folder, a list of paths or a Dataset.

        Raises:
            EvaluationError: If something else is given, or there are none.
        """
        if isinstance(values, Dataset):
            data = values
        else:
            files, root = _list_files(values)
            data = Dataset(pd.DataFrame({"path": pd.array(files, dtype=TEXT)}), classes, root=root)
        if len(data) == 0:
            raise EvaluationError("There are no images, so there is nothing to predict.")
        return cls(data, data.relative_paths)

    def __len__(self) -> int:
        return -(-len(self.names) // self.part_images)

    def part(self, number: int) -> Dataset:
        """Return the images of a part."""
        return self.data[self._rows(number)]

    def shown_names(self, number: int) -> dict[str, str]:
        """Return the relative name of each file of a part, by its path."""
        return dict(zip(self._paths(number), self.names[self._rows(number)], strict=True))

    def state(self, number: int) -> str:
        """Return a hash of the sizes and modification times of the files of a part."""
        digest = hashlib.sha256()
        for path in self._paths(number):
            try:
                status = os.stat(path)
            except OSError:
                digest.update(b"absent\n")
            else:
                digest.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def fingerprint(self) -> str:
        """Return a hash of the names of all files and of what is known of them, in their order."""
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        known = self.data.frame.drop(columns="path").dropna(axis=1, how="all")
        digest.update("\0".join(map(str, known)).encode())
        if len(known.columns):
            digest.update(np.asarray(pd.util.hash_pandas_object(known.astype(str), index=False)).tobytes())
        return digest.hexdigest()

    def select_columns(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows of predictions with the columns that all parts have, whatever the images of this part hold."""
        optional = self._optional
        rest = [name for name in rows if name != "path" and name not in _OPTIONAL]
        missing = {name: _OPTIONAL[name] for name in optional if name not in rows}
        return rows.assign(**missing)[["path", *optional, *rest]]

    @functools.cached_property
    def _optional(self) -> list[str]:
        """The optional columns in which any image has a value."""
        frame = self.data.frame
        known = {name: frame[name].notna().any() for name in _OPTIONAL}
        known["slide"] |= known["case"]
        return [name for name, there in known.items() if there]

    def _paths(self, number: int) -> list[str]:
        return [str(path) for path in self.data.frame["path"].iloc[self._rows(number)]]

    def _rows(self, number: int) -> slice:
        return slice(number * self.part_images, (number + 1) * self.part_images)


def _list_files(values: Any) -> tuple[list[str], str | None]:
    if isinstance(values, str | os.PathLike):
        return find_files(values, EvaluationError)
    if not isinstance(values, Iterable) or isinstance(values, bytes | pd.DataFrame):
        raise EvaluationError(
            f"The images are of the type {type(values).__name__}; expected a folder, a list of files, or a Dataset. "
            "What is not a file has no name to write: give it to `breastcls.predict`."
        )
    return list(_expand(values)), None


def _expand(values: Iterable[Any]) -> Iterator[str]:
    for position, value in enumerate(values):
        if not isinstance(value, str | os.PathLike):
            raise EvaluationError(
                f"Item {position} of the images is of the type {type(value).__name__}; expected the path of a file. "
                "What is not a file has no name to write: give it to `breastcls.predict`."
            )
        if is_folder(value):
            yield from find_files(value, EvaluationError)[0]
        else:
            yield check_name(value, EvaluationError)
