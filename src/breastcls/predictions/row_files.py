"""Files of rows that are written in parts: CSV and Parquet."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from typing_extensions import override

from breastcls.csv_text import write_rows
from breastcls.errors import OutputError
from breastcls.files import atomic_path, write_text


class RowFormat(ABC):
    """How rows are written to parts, and parts are joined to one file.

    Args:
        example: A table of the columns and types of all rows.
    """

    suffix: str

    def __init__(self, example: pd.DataFrame) -> None:
        self.example = example

    @abstractmethod
    def write_part(self, rows: pd.DataFrame, path: Path) -> None:
        """Write some rows, atomically."""

    @abstractmethod
    def join(self, parts: Sequence[Path], target: Path) -> None:
        """Write one file with the rows of all parts, atomically, in memory of one part."""


class CsvRows(RowFormat):
    """CSV as `Predictions.to_csv` writes it."""

    suffix = ".csv"

    @override
    def write_part(self, rows: pd.DataFrame, path: Path) -> None:
        write_text(path, write_rows(rows).removeprefix(self._header()))

    @override
    def join(self, parts: Sequence[Path], target: Path) -> None:
        with atomic_path(target) as temporary, open(temporary, "wb") as stream:
            stream.write(self._header().encode())
            for part in parts:
                with open(part, "rb") as source:
                    shutil.copyfileobj(source, stream)

    def _header(self) -> str:
        return write_rows(self.example.iloc[:0])


class ParquetRows(RowFormat):
    """Apache Parquet, one row group per part."""

    suffix = ".parquet"

    def __init__(self, example: pd.DataFrame) -> None:
        super().__init__(example)
        self._arrow, self._parquet = _import_arrow()
        schema = self._arrow.Schema.from_pandas(example, preserve_index=False)
        # Without the metadata of pandas, whose versions would change the bytes.
        self._schema = schema.remove_metadata()

    @override
    def write_part(self, rows: pd.DataFrame, path: Path) -> None:
        table = self._arrow.Table.from_pandas(rows, schema=self._schema, preserve_index=False)
        with atomic_path(path) as temporary:
            self._parquet.write_table(table.replace_schema_metadata(), temporary)

    @override
    def join(self, parts: Sequence[Path], target: Path) -> None:
        with atomic_path(target) as temporary, self._parquet.ParquetWriter(temporary, self._schema) as writer:
            for part in parts:
                writer.write_table(self._parquet.read_table(part))


def choose_format(path: str | os.PathLike[str]) -> type[RowFormat]:
    """Return the format that the suffix of a file names.

    Raises:
        OutputError: If it names none, or a package is missing.
    """
    suffix = Path(path).suffix.lower()
    for kind in (CsvRows, ParquetRows):
        if suffix == kind.suffix:
            if kind is ParquetRows:
                _import_arrow()
            return kind
    raise OutputError(f"{os.fspath(path)}: the suffix {suffix!r} names no format; expected '.csv' or '.parquet'.")


def _import_arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise OutputError('Parquet needs pyarrow: `pip install "breastcls[parquet]"`, or write ".csv".') from error
    return pyarrow, pyarrow.parquet
