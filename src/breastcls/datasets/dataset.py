"""`Dataset`: an immutable table of images, and the ways to select, split and open them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from breastcls.datasets import published_folds as official
from breastcls.datasets import splitting
from breastcls.datasets.check_images import CheckReport, check_dataset
from breastcls.datasets.dataset_summary import Summary, summarise
from breastcls.datasets.image_table import check_labels, make_table, write_classes
from breastcls.errors import DatasetError
from breastcls.files import write_text
from breastcls.images.pipeline import make_pipeline, read_batch

if TYPE_CHECKING:
    import os

Unit = Literal["case", "slide", "image"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and what is known of each; opens no pixel until asked.

    Every method that selects or combines returns a new dataset. `table` is a copy for the caller: writing into it
    changes nothing here.

    Args:
        frame: The table, with the columns `path, label, case, slide, magnification, subtype, x, y, source`; see
            `make_table`. `label` holds class names.
        classes: Names of all classes, the positive one last.
        notes: What the reader left out or assumed, in sentences.

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

    def __post_init__(self) -> None:
        table = make_table(self.frame)
        object.__setattr__(self, "frame", table)
        object.__setattr__(self, "classes", check_labels(table, self.classes))
        object.__setattr__(self, "notes", tuple(self.notes))

    @classmethod
    def from_columns(cls, classes: Sequence[str], **columns: Any) -> Dataset:
        """Make a dataset from one sequence a column; `path`, `label` and `case` are needed.

        Raises:
            DatasetError: As the class does.
        """
        return cls(make_table(columns), classes)  # type: ignore[arg-type]

    # What is in it

    @property
    def table(self) -> pd.DataFrame:
        """A copy of the table, one row an image."""
        return self.frame.copy()

    @property
    def paths(self) -> list[str]:
        """The files, in order."""
        return [str(path) for path in self.frame["path"]]

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
        """The slide of each image, an object array of str of shape (n,); the case where the slide is unknown."""
        return self.frame["slide"].fillna(self.frame["case"]).to_numpy(dtype=object)

    def units(self, by: Unit) -> np.ndarray:
        """Return the case, slide or image number of each image, whichever `by` names.

        Raises:
            DatasetError: If `by` names something else.
        """
        if by == "case":
            return self.cases
        if by == "slide":
            return self.slides
        if by == "image":
            return np.array([str(number) for number in range(len(self))], dtype=object)
        raise DatasetError(f"by must be 'case', 'slide' or 'image'; found {by!r}.")

    def summary(self) -> Summary:
        """Count images, slides and cases, in all and by class, subtype and magnification."""
        return summarise(self.frame, self.classes, self.notes)

    def __len__(self) -> int:
        return len(self.frame)

    def __iter__(self) -> Iterator[Dataset]:
        """Yield one dataset an image."""
        return (self[position] for position in range(len(self)))

    def __repr__(self) -> str:
        cases = self.frame["case"].nunique()
        return f"Dataset({len(self)} images of {cases} cases, classes {', '.join(self.classes)})"

    # Selecting and combining

    def where(
        self,
        condition: Callable[[pd.DataFrame], Any] | Sequence[bool] | np.ndarray | None = None,
        **equals: Any,
    ) -> Dataset:
        """Keep the images that meet every condition.

        Args:
            condition: A mask of n booleans, or a function from the table to one.
            **equals: Column names with the value, or the list of values, to keep:
                `data.where(magnification=200, subtype=["DC", "LC"])`.

        Raises:
            DatasetError: If a column does not exist, the mask has another length, or no image is left.
        """
        keep = np.ones(len(self), dtype=bool)
        if condition is not None:
            mask = np.asarray(condition(self.table) if callable(condition) else condition)
            if mask.shape != (len(self),) or mask.dtype != bool:
                raise DatasetError(
                    f"The condition must give {len(self)} booleans; found shape {mask.shape}, dtype {mask.dtype}."
                )
            keep &= mask
        for column, wanted in equals.items():
            if column not in self.frame:
                raise DatasetError(f"There is no column {column!r}. Columns: {', '.join(self.frame.columns)}.")
            values = wanted if isinstance(wanted, (list, tuple, set, frozenset, np.ndarray)) else [wanted]
            keep &= self.frame[column].isin(list(values)).to_numpy(dtype=bool)
        if not keep.any():
            asked = ", ".join(
                [*(f"{k}={v!r}" for k, v in equals.items()), *(["the mask"] if condition is not None else [])]
            )
            raise DatasetError(f"None of the {len(self)} images meets {asked or 'the condition'}.\n{self.summary()}")
        return self._rows(np.flatnonzero(keep))

    def __getitem__(self, selection: int | slice | Sequence[int] | Sequence[bool] | np.ndarray) -> Dataset:
        """Select images by position, slice, list of positions or mask; always a dataset."""
        if isinstance(selection, (int, np.integer)):
            if not -len(self) <= selection < len(self):
                raise IndexError(f"Position {selection} is outside a dataset of {len(self)} images.")
            return self._rows(np.array([int(selection) % len(self)]))
        return self._rows(np.arange(len(self))[selection])

    def __add__(self, other: Dataset) -> Dataset:
        """Put two datasets with the same classes one after the other."""
        if not isinstance(other, Dataset):
            return NotImplemented
        if self.classes != other.classes:
            raise DatasetError(f"Datasets with other classes cannot be joined: {self.classes} and {other.classes}.")
        rows = pd.concat([self.frame, other.frame], ignore_index=True)
        return Dataset(rows, self.classes, tuple(dict.fromkeys(self.notes + other.notes)))

    def with_classes(self, classes: Sequence[str], label: Mapping[str, str] | str) -> Dataset:
        """Relabel: by a column (`"subtype"`) or by a mapping from the present class names to new ones.

        Raises:
            DatasetError: If a present label has no new one, or it is not among `classes`.
        """
        new = self.frame.get(label) if isinstance(label, str) else self.frame["label"].map(dict(label))
        if new is None or new.isna().any():
            raise DatasetError(
                f"label={label!r} does not give every image a new label. Give a column or a full mapping."
            )
        return Dataset(self.frame.assign(label=new), tuple(classes), self.notes)

    def with_notes(self, *notes: str) -> Dataset:
        """Add sentences to the notes."""
        return dataclasses.replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))

    def _rows(self, positions: np.ndarray) -> Dataset:
        return dataclasses.replace(self, frame=self.frame.iloc[positions])

    # Splitting

    def split(
        self, fractions: Sequence[float] = (0.7, 0.1, 0.2), *, by: Unit = "case", seed: int = 0
    ) -> tuple[Dataset, ...]:
        """Split into parts that share no case, each with every class in about the same proportion.

        Args:
            fractions: The share of the images of each part, adding up to 1.
            by: What is kept whole: "case" (default), "slide", or "image". "image" puts pictures of one tumour on
                both sides and inflates every score; it warns.
            seed: The same seed gives the same parts, whatever the order of the rows.

        Returns:
            One dataset a part, rows in the order of this one.

        Raises:
            SplitError: If the fractions are not valid, or a class has fewer cases than there are parts.
        """
        parts = splitting.assign_parts(
            self.units(by), self.labels, self.classes, fractions, seed=seed, by=by, keys=self._keys(by)
        )
        return tuple(self._rows(np.flatnonzero(parts == number)) for number in range(len(fractions)))

    def folds(self, count: int = 5, *, by: Unit = "case", seed: int = 0) -> list[tuple[Dataset, Dataset]]:
        """Make `count` pairs (train, test); each image is in exactly one test part.

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
        """Split as the authors of BreakHis published it.

        Args:
            fold_file: `dsfold1.txt` ... `dsfold5.txt` of the authors, or `Folds.csv` of the Kaggle copy.
            fold: 1 to 5; needed for `Folds.csv`, checked against a `dsfoldN.txt`.

        Returns:
            Train and test. Images of this dataset that the file does not list are left out, with a warning that
            counts them; so is the share of test images whose case stands in train (27 to 39% in the full set).

        Raises:
            SplitError: If the file is no fold file, has no such fold, or covers none of the images.
        """
        names = [Path(path).name for path in self.paths]
        in_train, in_test, notes = official.assign(names, self.cases, fold_file, fold)
        train, test = self._rows(np.flatnonzero(in_train)), self._rows(np.flatnonzero(in_test))
        return tuple(dataclasses.replace(part, notes=part.notes + notes) for part in (train, test))  # type: ignore[return-value]

    def _keys(self, by: Unit) -> np.ndarray | None:
        # Cases and slides name themselves; an image is named by its file, so that the split does not hang on row order.
        return np.array([f"{Path(p).name}|{p}" for p in self.paths], dtype=object) if by == "image" else None

    # Pixels, on demand

    def check(self, *, on_error: Literal["raise", "drop"] = "raise", **options: Any) -> CheckReport[Dataset]:
        """Read every image once and find what is broken, empty, odd, or there twice.

        Args:
            on_error: "raise" refuses if an image cannot be read, is blank, or is an exact copy of another; "drop"
                leaves those out. What is only odd (near-constant, of another size, near duplicates) is reported
                either way.
            **options: `workers`, `progress`, `near_constant`, `near_distance`; see
                `breastcls.images.integrity.check_images`.

        Returns:
            A report that prints; its `clean` is the dataset to go on with, `left_out` what is missing there.

        Raises:
            ImageError: If `on_error="raise"` and there is something to leave out; the message lists it.
        """
        return check_dataset(self, on_error, **options)

    def to_numpy(
        self, image_size: int | Sequence[int], *, resize: str = "stretch", **options: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read every image.

        Args:
            image_size: (height, width) to resize to, or one number.
            resize: "stretch", "crop" or "pad"; see `breastcls.images.resize`.
            **options: `normalizer`, `cache`, `cache_dir`, `workers`, `progress`; see
                `breastcls.images.pipeline.read_batch`.

        Returns:
            Images, uint8 of shape (n, height, width, 3), and labels, int64 of shape (n,).

        Raises:
            ImageError: If a file cannot be read.
        """
        return read_batch(self.paths, image_size=image_size, resize=resize, **options), self.labels

    def to_tf(self, image_size: int | Sequence[int], *, batch_size: int = 32, **options: Any) -> Any:
        """Make a `tf.data.Dataset` of batches, on which plain Keras code can `model.fit`.

        Each iteration over it is the next epoch, and epoch e is the same for the same seed.

        Args:
            image_size: (height, width) of the images, or one number.
            batch_size: Images a batch; the last may hold fewer.
            **options: `resize`, `shuffle`, `augment`, `seed`, `sampling` ("class-balanced" or "case-balanced"),
                `crop_from`, `normalizer`, `shard`, `cache_dir` and more; see
                `breastcls.images.pipeline.make_pipeline`.

        Returns:
            Batches (images, labels): uint8, 0..255, of shape (b, height, width, 3), and int64 of shape (b,).

        Raises:
            ImageError: If a file cannot be read.
        """
        return make_pipeline(self.paths, self.labels, **self._batch_options(image_size, batch_size, options))

    def to_keras(self, image_size: int | Sequence[int], *, batch_size: int = 32, **options: Any) -> Any:
        """Make a `keras.utils.PyDataset` of the same batches as NumPy arrays, for any backend of Keras.

        Args:
            image_size: As in `to_tf`.
            batch_size: As in `to_tf`.
            **options: As in `to_tf`; see `breastcls.images.batches.ImageBatches`.

        Raises:
            ImageError: If a file cannot be read.
        """
        from breastcls.images.batches import ImageBatches

        return ImageBatches(self.paths, self.labels, **self._batch_options(image_size, batch_size, options))

    def _batch_options(self, image_size: int | Sequence[int], batch_size: int, options: dict[str, Any]) -> Any:
        """Return the arguments of the pipeline: names resolved, and the columns that it needs of this dataset."""
        from breastcls.augmentation.policy_registry import find_policy

        known: dict[str, Any] = {"class_count": len(self.classes)}
        if options.get("sampling") == "case-balanced":
            known["cases"] = self.cases.tolist()
        augment = options.get("augment")
        policy = None if augment is None or augment == "none" else find_policy(augment)
        return {**known, **options, "image_size": image_size, "batch_size": batch_size, "augment": policy}

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table with its classes; `load_table` reads it back as it was.

        Raises:
            OutputError: If the file cannot be written.
        """
        return write_text(
            path, write_classes(self.classes) + "\n" + self.frame.to_csv(index=False, lineterminator="\n")
        )


def require_dataset(name: str, value: object) -> None:
    """See that an argument is a dataset.

    Args:
        name: Of the argument.
        value: What was passed.

    Raises:
        DatasetError: If it is something else.
    """
    if not isinstance(value, Dataset):
        raise DatasetError(
            f"{name} must be a Dataset; found {type(value).__name__}. load_breakhis, load_idc and load_folder read one "
            "from a folder, load_table from a table."
        )
