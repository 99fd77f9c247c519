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

from breastcls.datasets import splitting
from breastcls.datasets.check_images import CheckReport, check_dataset
from breastcls.datasets.dataset_name import join_names
from breastcls.datasets.dataset_summary import Summary, summarise
from breastcls.datasets.image_table import check_labels, make_table, write_classes
from breastcls.datasets.published_folds import assign_fold
from breastcls.errors import DatasetError
from breastcls.files import write_text
from breastcls.images.pipeline import make_pipeline, read_batch
from breastcls.relative_paths import relative_paths

Unit = Literal["case", "slide", "image"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table of images with label, case and other columns; images are read on demand only.

    Every method that selects or combines returns a new dataset. `table` is a copy, which can be changed without effect
    on the dataset.

    Args:
        frame: The table, with the columns `path, label, case, slide, magnification, subtype, x, y, source`; `path`,
            `label` and `case` are required. `label` contains class names.
        classes: Names of all classes, the positive one last.
        notes: Files that the reader skipped and assumptions that it made, as sentences.
        name: What was read, for reports: the collection and the name of its folder, without the path.
        root: The folder that was read, which paths in CSV and JSON files are relative to; else their common folder.

    Raises:
        DatasetError: If a column is missing or a label is not among the classes.

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

    frame: pd.DataFrame
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    name: str = ""
    root: str | None = None

    def __post_init__(self) -> None:
        table = make_table(self.frame)
        object.__setattr__(self, "frame", table)
        object.__setattr__(self, "classes", check_labels(table, self.classes))
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "root", None if self.root is None else os.fspath(self.root))

    @classmethod
    def from_columns(cls, classes: Sequence[str], **columns: Any) -> Dataset:
        """Make a dataset from one sequence per column.

        Args:
            classes: Names of all classes, the positive one last.
            **columns: The columns; `path`, `label` and `case` are required.

        Raises:
            DatasetError: If a column is missing or a label is not among the classes.
        """
        return cls(make_table(columns), classes)  # type: ignore[arg-type]

    # Contents

    @property
    def table(self) -> pd.DataFrame:
        """A copy of the table, one row per image."""
        return self.frame.copy()

    @property
    def paths(self) -> list[str]:
        """The image files, in order."""
        return [str(path) for path in self.frame["path"]]

    @property
    def relative_paths(self) -> list[str]:
        """The image files relative to `root`, or to their common folder, as CSV and JSON files have them."""
        return relative_paths(self.paths, self.root)

    @property
    def labels(self) -> np.ndarray:
        """Class indices into `classes`, int64 of shape (n,)."""
        return pd.Categorical(self.frame["label"], categories=list(self.classes)).codes.astype(np.int64)

    @property
    def cases(self) -> np.ndarray:
        """The case of each image, an object array of str of shape (n,)."""
        return self.frame["case"].to_numpy(dtype=object)

    @property
    def slides(self) -> np.ndarray:
        """The slide of each image, an object array of str of shape (n,); the case if the slide is unknown."""
        return self.frame["slide"].fillna(self.frame["case"]).to_numpy(dtype=object)

    def units(self, by: Unit) -> np.ndarray:
        """Return the case, slide or position of each image, depending on `by`.

        Raises:
            DatasetError: If `by` has another value.
        """
        if by == "case":
            return self.cases
        if by == "slide":
            return self.slides
        if by == "image":
            return np.array([str(number) for number in range(len(self))], dtype=object)
        raise DatasetError(f"by must be 'case', 'slide' or 'image'; found {by!r}.")

    def summary(self) -> Summary:
        """Return the numbers of images, slides and cases: total, by class, subtype and magnification."""
        return summarise(self.frame, self.classes, self.notes)

    def __len__(self) -> int:
        return len(self.frame)

    def __iter__(self) -> Iterator[Dataset]:
        """Yield one dataset per image."""
        return (self[position] for position in range(len(self)))

    def __repr__(self) -> str:
        cases = self.frame["case"].nunique()
        return f"Dataset({len(self)} images of {cases} cases, classes {', '.join(self.classes)})"

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
        keep = np.ones(len(self), dtype=bool)
        if condition is not None:
            mask = np.asarray(condition(self.table) if callable(condition) else condition)
            if mask.shape != (len(self),) or mask.dtype != bool:
                raise DatasetError(
                    f"The condition must be {len(self)} booleans; found shape {mask.shape}, dtype {mask.dtype}."
                )
            keep &= mask
        for column, wanted in equals.items():
            if column not in self.frame:
                raise DatasetError(f"There is no column {column!r}. Existing columns: {', '.join(self.frame.columns)}.")
            values = wanted if isinstance(wanted, (list, tuple, set, frozenset, np.ndarray)) else [wanted]
            keep &= self.frame[column].isin(list(values)).to_numpy(dtype=bool)
        if not keep.any():
            conditions = ", ".join(
                [*(f"{k}={v!r}" for k, v in equals.items()), *(["the mask"] if condition is not None else [])]
            )
            raise DatasetError(
                f"None of the {len(self)} images satisfies {conditions or 'the condition'}.\n{self.summary()}"
            )
        return self._rows(np.flatnonzero(keep))

    def __getitem__(self, selection: int | slice | Sequence[int] | Sequence[bool] | np.ndarray) -> Dataset:
        """Select images by position, slice, list of positions or mask; the result is always a dataset."""
        if isinstance(selection, (int, np.integer)):
            if not -len(self) <= selection < len(self):
                raise IndexError(f"Position {selection} is outside a dataset of {len(self)} images.")
            return self._rows(np.array([int(selection) % len(self)]))
        return self._rows(np.arange(len(self))[selection])

    def __add__(self, other: Dataset) -> Dataset:
        """Concatenate two datasets with the same classes."""
        if not isinstance(other, Dataset):
            return NotImplemented
        if self.classes != other.classes:
            raise DatasetError(f"Datasets with different classes cannot be joined: {self.classes} and {other.classes}.")
        rows = pd.concat([self.frame, other.frame], ignore_index=True)
        notes = tuple(dict.fromkeys(self.notes + other.notes))
        root = self.root if self.root == other.root else None
        return Dataset(rows, self.classes, notes, join_names(self.name, other.name), root)

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
        return dataclasses.replace(self, frame=self.frame.iloc[positions])

    # Splits

    def split(
        self, fractions: Sequence[float] = (0.7, 0.1, 0.2), *, by: Unit = "case", seed: int = 0
    ) -> tuple[Dataset, ...]:
        """Split into parts that share no case, stratified by class.

        Args:
            fractions: Fraction of the images in each part, adding up to 1.
            by: The unit that is kept whole: "case", "slide" or "image". "image" puts images of one tumour into several
                parts and inflates every metric; it warns.
            seed: The same seed gives the same parts, independent of the order of the rows.

        Returns:
            One dataset per part, with the rows in the original order.

        Raises:
            SplitError: If the fractions are invalid, or a class has fewer cases than there are parts.
        """
        parts = splitting.assign_parts(
            self.units(by), self.labels, self.classes, fractions, seed=seed, by=by, keys=self._keys(by)
        )
        return tuple(self._rows(np.flatnonzero(parts == number)) for number in range(len(fractions)))

    def folds(self, count: int = 5, *, by: Unit = "case", seed: int = 0) -> list[tuple[Dataset, Dataset]]:
        """Split into folds for cross-validation: `count` pairs (train, test).

        Each image is in exactly one test part.

        Args:
            count: Number of folds, at least 2.
            by: As in `split`.
            seed: As in `split`.

        Raises:
            SplitError: If a class has fewer cases than there are folds.
        """
        fractions = splitting.equal_fractions(count)
        parts = splitting.assign_parts(
            self.units(by), self.labels, self.classes, fractions, seed=seed, by=by, keys=self._keys(by)
        )
        return [
            (self._rows(np.flatnonzero(parts != fold)), self._rows(np.flatnonzero(parts == fold)))
            for fold in range(count)
        ]

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

    def _keys(self, by: Unit) -> np.ndarray | None:
        # Cases and slides have names; an image is identified by its path, so that the order of rows has no effect.
        return np.array([f"{Path(p).name}|{p}" for p in self.paths], dtype=object) if by == "image" else None

    # Pixels

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
        return check_dataset(self, on_error, **options)

    def to_numpy(
        self, image_size: int | Sequence[int], *, resize: str = "stretch", **options: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read all images into an array.

        Args:
            image_size: (height, width) of the array in pixels, or one number for a square.
            resize: "stretch", "crop" or "pad"; see `breastcls.images.resize_image`.
            **options: `normalizer`, `cache`, `cache_dir`, `workers` and `progress`, as in
                `breastcls.images.make_pipeline`.

        Returns:
            Images, uint8 RGB of shape (n, height, width, 3), and labels, int64 of shape (n,).

        Raises:
            ImageError: If a file cannot be read.
        """
        return read_batch(self.paths, image_size=image_size, resize=resize, **options), self.labels

    def to_tf(self, image_size: int | Sequence[int], *, batch_size: int = 32, **options: Any) -> Any:
        """Make a `tf.data.Dataset` of batches, for `model.fit` of Keras.

        Each iteration over it is the next epoch; an epoch depends only on its number and the seed.

        Args:
            image_size: (height, width) of the images in pixels, or one number for a square.
            batch_size: Images per batch; the last batch may have fewer.
            **options: `shuffle`, `augment` (name of an augmentation policy, or a `Policy`), `seed`, `resize`,
                `sampling` ("class-balanced" or "case-balanced"), `crop_from`, `normalizer`, `shard`, `cache_dir` and
                others; see `breastcls.images.make_pipeline`.

        Returns:
            Batches (images, labels): uint8, 0..255, of shape (b, height, width, 3), and int64 of shape (b,).

        Raises:
            ImageError: If a file cannot be read.
        """
        return make_pipeline(self.paths, self.labels, **self._batch_options(image_size, batch_size, options))

    def to_keras(self, image_size: int | Sequence[int], *, batch_size: int = 32, **options: Any) -> Any:
        """Make a `keras.utils.PyDataset` of the same batches as NumPy arrays, for every backend of Keras.

        Args:
            image_size: As in `to_tf`.
            batch_size: As in `to_tf`.
            **options: As in `to_tf`; see `breastcls.images.ImageBatches`.

        Raises:
            ImageError: If a file cannot be read.
        """
        from breastcls.images.batches import ImageBatches

        return ImageBatches(self.paths, self.labels, **self._batch_options(image_size, batch_size, options))

    def _batch_options(self, image_size: int | Sequence[int], batch_size: int, options: dict[str, Any]) -> Any:
        """Return the arguments of the pipeline, with the policy resolved and the required columns added."""
        from breastcls.augmentation.policy_registry import find_policy

        known: dict[str, Any] = {"class_count": len(self.classes)}
        if options.get("sampling") == "case-balanced":
            known["cases"] = self.cases.tolist()
        augment = options.get("augment")
        policy = None if augment is None or augment == "none" else find_policy(augment)
        return {**known, **options, "image_size": image_size, "batch_size": batch_size, "augment": policy}

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table and the classes as CSV; `load_table(path, root=data.root)` restores the dataset.

        Paths are written relative to `root`, so that the file holds on every machine that has the images.

        Raises:
            OutputError: If the file cannot be written.
        """
        table = self.frame.assign(path=self.relative_paths)
        return write_text(path, write_classes(self.classes) + "\n" + table.to_csv(index=False, lineterminator="\n"))
