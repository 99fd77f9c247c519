"""The rows of a dataset: what is known of each image, and its pixels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.dataset_summary import Summary, summarise
from breastcls.datasets.image_table import check_labels, make_table
from breastcls.datasets.unit_splits import unit_names
from breastcls.datasets.vectors.vector_rows import VectorRows, Vectors
from breastcls.errors import DatasetError
from breastcls.identifiers import read_distinct
from breastcls.images.pipeline import make_pipeline, read_batch
from breastcls.relative_paths import relative_paths
from breastcls.text_tables import choose_form, format_count

Unit = str
"""What is kept whole by a split: "case", "slide", "image", or a column of the table."""


@dataclass(frozen=True, eq=False)
class ImageRows:
    """The part of `Dataset` that reads the table and the images; see there for the arguments."""

    frame: pd.DataFrame
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    name: str = ""
    root: str | None = None
    distinct: Any = frozenset()
    vector_rows: VectorRows | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        table = make_table(self.frame)
        object.__setattr__(self, "frame", table)
        object.__setattr__(self, "classes", check_labels(table, self.classes))
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "root", None if self.root is None else os.fspath(self.root))
        object.__setattr__(self, "distinct", read_distinct(self.distinct))
        if self.vector_rows is not None and len(self.vector_rows) != len(table):
            raise DatasetError(
                f"There are {format_count(len(self.vector_rows), 'vector')} for {format_count(len(table), 'row')}. "
                "Select rows by where() or data[...], which selects both."
            )

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
    def has_labels(self) -> bool:
        """Whether the labels are known."""
        return bool(self.frame["label"].notna().all())

    @property
    def has_cases(self) -> bool:
        """Whether the cases are known."""
        return bool(self.frame["case"].notna().all())

    @property
    def labels(self) -> np.ndarray:
        """Class indices into `classes`, int64 of shape (n,); -1 without labels."""
        return pd.Categorical(self.frame["label"], categories=list(self.classes)).codes.astype(np.int64)

    @property
    def cases(self) -> np.ndarray:
        """The case of each image, an object array of str of shape (n,); its path where cases are not known."""
        return self.frame["case"].fillna(self.frame["path"]).to_numpy(dtype=object)

    @property
    def slides(self) -> np.ndarray:
        """The slide of each image, an object array of str of shape (n,); the case if the slide is unknown."""
        return self.frame["slide"].fillna(self.frame["case"]).fillna(self.frame["path"]).to_numpy(dtype=object)

    @property
    def vectors(self) -> Vectors | None:
        """The vectors of the images, float32 of shape (n, d), not writable; None for a dataset of images alone.

        They may be mapped from a file. A large selection of rows is copied at each use.
        """
        return None if self.vector_rows is None else self.vector_rows.array

    @property
    def encoder(self) -> Mapping[str, Any]:
        """What computed the vectors, as JSON values; empty where it is not known, or without vectors."""
        return {} if self.vector_rows is None else self.vector_rows.source.encoder

    @property
    def has_images(self) -> bool:
        """Whether the rows have image files; those of a dataset of vectors need not."""
        return self.vector_rows is None or self.vector_rows.source.has_images

    def units(self, by: Unit) -> np.ndarray:
        """Return the case, slide or position of each image, or its value of another column, as text.

        Raises:
            DatasetError: If the column does not exist or has missing values.
        """
        return unit_names(self.frame, by)

    def require_labels(self, purpose: str) -> None:
        """Raise an error if the labels are not known.

        Args:
            purpose: What they are needed for, such as "Training".

        Raises:
            DatasetError: If they are not known.
        """
        if not self.has_labels:
            raise DatasetError(
                f"{purpose} needs labels, and these {format_count(len(self), 'image')} "
                f"{choose_form(len(self), 'has', 'have')} none. Read them with a column 'label' "
                "(load_table) or from one folder per class (load_folder). predict and explain need no labels."
            )

    def require_cases(self, purpose: str) -> None:
        """Raise an error if the cases are not known.

        Args:
            purpose: What they are needed for.

        Raises:
            DatasetError: If they are not known.
        """
        if not self.has_cases:
            raise DatasetError(
                f"{purpose} needs the case of each image, and these {format_count(len(self), 'image')} "
                f"{choose_form(len(self), 'has', 'have')} none. Read them with a "
                "column 'case' (load_table), or with group= or layout= (load_folder)."
            )

    def require_images(self, purpose: str) -> None:
        """Raise an error if the rows have vectors and no image files.

        Args:
            purpose: What images are needed for.

        Raises:
            DatasetError: If they have none.
        """
        if not self.has_images:
            raise DatasetError(
                f"{purpose} needs images, and these {format_count(len(self), 'row')} "
                f"{choose_form(len(self), 'has a vector', 'have vectors')} without image files. Give load_embeddings a "
                "table whose column 'path' names the files (root= is their folder)."
            )

    def summary(self) -> Summary:
        """Return the numbers of images, slides and cases: total, by class, subtype and magnification."""
        return summarise(self.frame, self.classes, self.notes)

    def __len__(self) -> int:
        return len(self.frame)

    # Pixels

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
        self.require_images("Reading pixels")
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
        self.require_images("Reading pixels")
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

        self.require_images("Reading pixels")
        return ImageBatches(self.paths, self.labels, **self._batch_options(image_size, batch_size, options))

    def _batch_options(self, image_size: int | Sequence[int], batch_size: int, options: dict[str, Any]) -> Any:
        """Return the arguments of the pipeline, with the policy resolved and the required columns added."""
        from breastcls.augmentation.policy_registry import find_policy

        known: dict[str, Any] = {"class_count": len(self.classes)}
        if options.get("sampling") == "case-balanced":
            self.require_cases("sampling='case-balanced'")
            known["cases"] = self.cases.tolist()
        augment = options.get("augment")
        policy = None if augment is None or augment == "none" else find_policy(augment)
        return {**known, **options, "image_size": image_size, "batch_size": batch_size, "augment": policy}
