"""`Dataset`: an immutable table of images, with methods to select, split and read them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from breastcls.csv_text import write_rows
from breastcls.datasets.check_images import CheckReport, check_dataset
from breastcls.datasets.class_list import VECTORS_LINE, write_classes
from breastcls.datasets.dataset_name import join_names
from breastcls.datasets.dataset_summary import summary_table
from breastcls.datasets.file_agreement import check_files_agree
from breastcls.datasets.image_rows import ImageRows, Unit
from breastcls.datasets.image_table import make_table
from breastcls.datasets.published_folds import assign_fold
from breastcls.datasets.row_selection import describe_conditions, require_column, select_rows
from breastcls.datasets.similar_names import warn_similar_names
from breastcls.datasets.splitting import equal_fractions
from breastcls.datasets.unit_splits import assign_units, check_fold_count, leave_one_out
from breastcls.datasets.vectors.vector_archive import write_vectors
from breastcls.datasets.vectors.vector_rows import join_vectors
from breastcls.errors import DatasetError
from breastcls.files import write_text
from breastcls.html_parts import html_list, html_paragraph
from breastcls.identifiers import TEXT, format_names
from breastcls.text_tables import format_count


@dataclass(frozen=True, eq=False)
class Dataset(ImageRows):
    """A table of images with label, case and other columns; images are read on demand only.

    Every method that selects or combines returns a new dataset. `table` is a copy, which can be changed without effect
    on the dataset.

    Args:
        frame: The table, with the columns `path, label, case, slide, magnification, subtype, x, y, source`, of which
            `path` is required, and any further columns (centre, scanner, age ...). `label` contains class names;
            `label` and `case` are known for every image or for none.
        classes: Names of all classes, the positive one last; may be empty without labels.
        notes: Files that the reader skipped and assumptions that it made, as sentences.
        name: What was read, for reports: the collection and the name of its folder, without the path.
        root: The folder that was read, which paths in CSV and JSON files are relative to; else their common folder.
        distinct: Names of cases and slides that differ in spelling only and are nevertheless different; see
            `load_table`.
        vector_rows: The vectors of the images, which `breastcls.features.load_embeddings` and `extract_features` set;
            they follow every selection of rows, and `vectors` returns them.

    Raises:
        DatasetError: If a column is missing, a label is not among the classes, or classes differ in spelling only.

    Example:
        >>> data = Dataset.from_columns(
        ...     ("benign", "malignant"),
        ...     path=["a.png", "b.png", "c.png"], label=["benign", "malignant", "malignant"], case=["1", "2", "2"],
        ... )
        >>> len(data), data.labels.tolist()
        (3, [0, 1, 1])
        >>> len(data.where(case="2"))
        2
        >>> data[:1].paths
        ['a.png']
    """

    @classmethod
    def from_columns(cls, classes: Sequence[str] = (), *, distinct: Any = (), **columns: Any) -> Dataset:
        """Make a dataset from one sequence per column.

        Args:
            classes: Names of all classes, the positive one last.
            distinct: As in `load_table`.
            **columns: The columns; `path` is required.

        Raises:
            DatasetError: As for `Dataset`, or if a file has several labels or cases.

        Warns:
            DatasetWarning: If names of cases or slides differ in spelling only.
        """
        data = cls(make_table(columns), classes, distinct=distinct)  # type: ignore[arg-type]
        check_files_agree(data.frame)
        warn_similar_names(data.frame, data.distinct)
        return data

    def groups(self, column: str) -> dict[str, Dataset]:
        """Return one dataset for each value of a column, by its name; images without a value are left out.

        Raises:
            DatasetError: If the column does not exist.

        Example:
            >>> data = Dataset.from_columns(path=["a.png", "b.png", "c.png"], centre=["Lyon", "Oslo", "Lyon"])
            >>> {name: len(part) for name, part in data.groups("centre").items()}
            {'Lyon': 2, 'Oslo': 1}
        """
        values = require_column(self.frame, column)
        codes, found = pd.factorize(values, sort=True)
        names = format_names(pd.Series(found, dtype=values.dtype))
        return {str(name): self._rows(np.flatnonzero(codes == code)) for code, name in enumerate(names)}

    def __iter__(self) -> Iterator[Dataset]:
        """Yield one dataset per image."""
        return (self[position] for position in range(len(self)))

    def __repr__(self) -> str:
        cases = f" of {format_count(self.frame['case'].nunique(), 'case')}" if self.has_cases else ", cases unknown"
        labels = f"classes {', '.join(self.classes)}" if self.has_labels else "no labels"
        vectors = f", vectors of {self.vector_rows.size} components" if self.vector_rows is not None else ""
        return f"Dataset({format_count(len(self), 'image')}{cases}, {labels}{vectors})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the numbers of images, slides and cases of each class; no image is read."""
        summary = self.summary()
        classes = summary_table(summary.by_class) if self.has_labels else ""
        return html_paragraph(repr(self)) + classes + html_list("Notes", summary.notes)

    # Selection and combination

    def where(
        self,
        condition: Callable[[pd.DataFrame], Any] | Sequence[bool] | np.ndarray | None = None,
        **equals: Any,
    ) -> Dataset:
        """Select the images that satisfy all conditions.

        Args:
            condition: A mask of n booleans, or a function that returns one for the table.
            **equals: Columns with the value, or list of values, to select:
                `data.where(magnification=200, subtype=["DC", "LC"])`.

        Raises:
            DatasetError: If a column does not exist, the mask has another length, or no image is left.
        """
        keep = select_rows(self.frame, condition, equals)
        if not keep.any():
            conditions = describe_conditions(condition, equals)
            raise DatasetError(
                f"None of the {format_count(len(self), 'image')} satisfies {conditions}.\n{self.summary()}"
            )
        return self._rows(np.flatnonzero(keep))

    def __getitem__(self, selection: int | slice | Sequence[int] | Sequence[bool] | np.ndarray) -> Dataset:
        """Select images by position, slice, list of positions or mask; the result is always a dataset."""
        if isinstance(selection, (int, np.integer)):
            if not -len(self) <= selection < len(self):
                raise IndexError(f"Position {selection} is outside a dataset of {format_count(len(self), 'image')}.")
            return self._rows(np.array([int(selection) % len(self)]))
        return self._rows(np.arange(len(self))[selection])

    def __add__(self, other: Dataset) -> Dataset:
        """Concatenate two datasets with the same classes; both have vectors of one encoder, or none."""
        if not isinstance(other, Dataset):
            return NotImplemented
        if self.classes != other.classes:
            raise DatasetError(f"Datasets with different classes cannot be joined: {self.classes} and {other.classes}.")
        rows = pd.concat([self.frame, other.frame], ignore_index=True)
        notes = tuple(dict.fromkeys(self.notes + other.notes))
        root = self.root if self.root == other.root else None
        distinct = self.distinct | other.distinct
        vectors = join_vectors(self.vector_rows, other.vector_rows)
        return Dataset(rows, self.classes, notes, join_names(self.name, other.name), root, distinct, vectors)

    def with_classes(self, classes: Sequence[str], label: Mapping[str, str] | str) -> Dataset:
        """Replace the labels.

        Args:
            classes: The new class names, the positive one last.
            label: A column that contains the new labels, such as `"subtype"`, or a mapping from the present class names
                to the new ones.

        Raises:
            DatasetError: If an image has no new label, or the label is not among `classes`.
        """
        new = self.frame.get(label) if isinstance(label, str) else self.frame["label"].map(dict(label))
        if new is None or new.isna().any():
            raise DatasetError(
                f"label={label!r} does not give every image a new label. Pass a column or a complete mapping."
            )
        return dataclasses.replace(self, frame=self.frame.assign(label=new), classes=tuple(classes))

    def with_notes(self, *notes: str) -> Dataset:
        """Return the dataset with further notes, as sentences."""
        return dataclasses.replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))

    def _rows(self, positions: np.ndarray) -> Dataset:
        vectors = None if self.vector_rows is None else self.vector_rows.take(positions)
        return dataclasses.replace(self, frame=self.frame.iloc[positions], vector_rows=vectors)

    # Splits

    def split(
        self,
        fractions: Sequence[float] = (0.7, 0.1, 0.2),
        *,
        by: Unit = "case",
        stratify: str | Sequence[str] | None = None,
        seed: int = 0,
    ) -> tuple[Dataset, ...]:
        """Split into parts that share no case, stratified by class.

        Args:
            fractions: Fraction of the images in each part, adding up to 1.
            by: The unit that is kept whole: "case", "slide", "image" or a column such as "centre", of which each case
                has one value. "image" puts images of one tumour into several parts and inflates every metric; it
                warns.
            stratify: A column, or several, whose values should be distributed alike in all parts, besides the classes.
            seed: The same seed gives the same parts, independent of the order of the rows.

        Returns:
            One dataset per part, with the rows in the original order.

        Raises:
            SplitError: If the fractions are invalid, a class has fewer cases than there are parts, or `by` would put
                one case into several parts.
            DatasetError: If labels, or the units of `by`, are not known.
        """
        parts = self._assign(fractions, by, stratify, seed)
        return tuple(self._rows(np.flatnonzero(parts == number)) for number in range(len(fractions)))

    def folds(
        self,
        count: int | Literal["leave-one-out"] = 5,
        *,
        by: Unit = "case",
        stratify: str | Sequence[str] | None = None,
        seed: int = 0,
    ) -> list[tuple[Dataset, Dataset]]:
        """Split into folds for cross-validation: pairs (train, test).

        Each image is in exactly one test part.

        Args:
            count: Number of folds, at least 2; or "leave-one-out": each case, or each value of `by`, is the test part
                of one fold, in the order of their names. `folds("leave-one-out", by="centre")` tests on one centre
                after the other.
            by: As in `split`.
            stratify: As in `split`.
            seed: As in `split`.

        Raises:
            SplitError: If a class has fewer cases than there are folds, or a training part would have none.
            DatasetError: If labels, or the units of `by`, are not known.
        """
        check_fold_count(count)
        if isinstance(count, str):
            self.require_labels("A split")
            parts = leave_one_out(self.frame, self.labels, self.classes, by=by, distinct=self.distinct)
        else:
            parts = self._assign(equal_fractions(count), by, stratify, seed)
        return [
            (self._rows(np.flatnonzero(parts != fold)), self._rows(np.flatnonzero(parts == fold)))
            for fold in range(int(parts.max()) + 1)
        ]

    def _assign(
        self, fractions: Sequence[float], by: Unit, stratify: str | Sequence[str] | None, seed: int
    ) -> np.ndarray:
        self.require_labels("A split")
        return assign_units(
            self.frame,
            self.labels,
            self.classes,
            fractions,
            by=by,
            stratify=stratify,
            seed=seed,
            distinct=self.distinct,
        )

    def official_fold(self, fold_file: str | os.PathLike[str], fold: int | None = None) -> tuple[Dataset, Dataset]:
        """Split by a fold that the authors of BreakHis published.

        Args:
            fold_file: `dsfold1.txt` ... `dsfold5.txt` of the authors, or `Folds.csv` from Kaggle.
            fold: 1 to 5; required for `Folds.csv`, and checked for `dsfoldN.txt`.

        Returns:
            Train and test. Images that the file does not list are left out, with a warning that counts them. Another
            warning gives the share of test images whose case is also in train (27 to 39% in the complete data set).

        Raises:
            SplitError: If the file is not a fold file, does not contain the fold, or lists none of the images.
        """
        names = [Path(path).name for path in self.paths]
        in_train, in_test, notes = assign_fold(names, self.cases, fold_file, fold)
        train, test = self._rows(np.flatnonzero(in_train)), self._rows(np.flatnonzero(in_test))
        return tuple(dataclasses.replace(part, notes=part.notes + notes) for part in (train, test))  # type: ignore[return-value]

    def check(self, *, on_error: Literal["raise", "drop"] = "raise", **options: Any) -> CheckReport[Dataset]:
        """Read every image once and find damaged, blank, unusual and duplicate images.

        Args:
            on_error: "raise" raises an error if an image cannot be read, is blank, or is an exact copy of another;
                "drop" leaves these images out. Unusual images (almost constant, of another size, near duplicates) are
                reported in both cases.
            **options: `workers`, `progress`, `near_constant` and `near_distance` of `breastcls.images.check_images`.

        Returns:
            A report that prints; `clean` is the dataset without the images in `left_out`.

        Raises:
            ImageError: If `on_error="raise"` and there are such images; the message lists them.
        """
        self.require_images("The check of images")
        return check_dataset(self, on_error, **options)

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table and the classes as CSV; `load_table(path, root=data.root)` restores the dataset.

        Paths are written relative to `root`, so that the file holds on every machine that has the images. Vectors are
        written beside the table, `data.vectors.npz` for `data.csv`, and its second line names them.

        A cell that a spreadsheet would run as a formula (text beginning with =, +, -, @) is preceded by an apostrophe,
        which `load_table` removes.

        Raises:
            OutputError: If the file cannot be written.
        """
        table = self.frame.assign(path=pd.array(self.relative_paths, dtype=TEXT))
        lines = write_classes(self.classes) + "\n"
        if self.vector_rows is not None:
            beside = Path(path).with_name(f"{Path(path).stem}.vectors.npz")
            write_vectors(beside, self.vectors, self.relative_paths, self.encoder)
            lines += f"{VECTORS_LINE}{beside.name}\n"
        return write_text(path, lines + write_rows(table))
