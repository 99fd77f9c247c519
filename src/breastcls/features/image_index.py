"""An index of the feature vectors of images, in which the most similar images of other cases are found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from breastcls.argument_checks import check_choice, check_count
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.table_reader import load_table
from breastcls.datasets.vectors.vector_rows import differing_entries
from breastcls.errors import DatasetError
from breastcls.features.approximate_index import Vectors, build_index, read_index, search_index, write_index
from breastcls.features.nearest_neighbours import Distance, find_neighbours
from breastcls.features.query_cases import number_cases, warn_shared_cases
from breastcls.features.similar_images import SimilarImages
from breastcls.files import atomic_path, hash_file, make_folder, write_json
from breastcls.result import Result
from breastcls.size_limits import read_json
from breastcls.text_tables import format_count

SCHEMA = "breastcls.image-index/1"
Kind = Literal["exact", "approximate"]

_TABLE, _RECORD, _LISTS = "images.csv", "index.json", "index.faiss"


@dataclass(frozen=True, eq=False, repr=False)
class ImageIndex(Result):
    """Images with feature vectors, cases and, if known, labels, among which similar ones are found.

    Attributes:
        data: The images, with vectors; see `breastcls.features.extract_features`.
        metric: `"cosine"` or `"euclidean"`.
        kind: `"exact"`: every image is compared; `"approximate"`: by an inverted file of faiss, with exact distances.
        lists: The inverted file, or None.
    """

    data: Dataset
    metric: Distance = "cosine"
    kind: str = "exact"
    lists: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.data)

    def search(self, queries: Dataset, count: int = 5) -> SimilarImages:
        """Return the most similar images of other cases.

        Images of the same case as the query are never returned, because they show the same tumour. A case whose name
        differs in spelling only counts as the same, unless the names were declared distinct. Where the case of a query
        is not known, its case is that of the same file in the index, if it is there.

        Args:
            queries: Images with vectors of the same encoder.
            count: How many similar images for each.

        Raises:
            DatasetError: If `count` is less than 1, or the vectors are missing or of another encoder or size.

        Warns:
            LeakageWarning: If a case of the queries is also in the index, which is usually the training data.
            DatasetWarning: If the cases of the queries are not known.
        """
        check_count("count", count, error=DatasetError)
        vectors, wanted = _vectors(self.data, "The index"), _vectors(queries, "The images to compare")
        _check_encoders(self.data, queries)
        groups = number_cases(self.data, queries)
        warn_shared_cases(queries, groups.queries, set(groups.vectors.tolist()))
        if self.kind == "exact":
            threads = os.cpu_count() or 1
            near = find_neighbours(vectors, wanted, count, distance=self.metric, groups=groups, threads=threads)
        else:
            near = search_index(self.lists, vectors, wanted, count, self.metric, groups)
        kept = np.unique(near.rows[near.rows >= 0])
        places = np.where(near.rows >= 0, np.searchsorted(kept, near.rows), -1)
        return SimilarImages(queries, self.data[kept], places, near.distances.astype(np.float32), self.metric)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the index to a folder and return it: the table as CSV, the vectors, a JSON record and the lists.

        Nothing in it is a pickle. `ImageIndex.load` restores the index.

        Raises:
            OutputError: If the folder cannot be written to.
        """
        target = make_folder(folder)
        self.data.to_csv(target / _TABLE)
        record = {**self.to_dict(), "lists_sha256": None}
        if self.lists is not None:
            with atomic_path(target / _LISTS) as temporary:
                write_index(self.lists, temporary)
            record["lists_sha256"] = hash_file(target / _LISTS)
        write_json(record, target / _RECORD)
        return target

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None) -> ImageIndex:
        """Read an index that `save` wrote; large vectors and the lists stay in their files.

        Args:
            folder: The folder.
            root: The folder of the images, which the paths are relative to. The images may be missing: they are only
                opened to be shown.

        Raises:
            DatasetError: If a file is missing, damaged or of another index.
        """
        source = Path(folder)
        try:
            record = read_json(source / _RECORD)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{source / _RECORD} cannot be read: {error}. Expected a folder of ImageIndex.save."
            ) from error
        if (
            not isinstance(record, Mapping)
            or record.get("schema") != SCHEMA
            or record.get("metric") not in get_args(Distance)
        ):
            raise DatasetError(f"{source / _RECORD} is not the record of an index of images ({SCHEMA}).")
        data = load_table(source / _TABLE, root=root, files=False)
        vectors = _vectors(data, str(source / _TABLE))
        if [len(data), vectors.shape[1]] != [record.get("images"), record.get("components")]:
            raise DatasetError(
                f"{source / _TABLE} has {len(data)} images with {vectors.shape[1]} components; the record states "
                f"{record.get('images')} and {record.get('components')}. Write the index again."
            )
        lists = None
        if record.get("kind") == "approximate":
            if not (source / _LISTS).is_file() or hash_file(source / _LISTS) != record.get("lists_sha256"):
                raise DatasetError(f"{source / _LISTS} is missing or damaged. Write the index again.")
            lists = read_index(source / _LISTS)
            if (lists.ntotal, lists.d) != vectors.shape:
                raise DatasetError(f"{source / _LISTS} is of other vectors than {_TABLE}. Write the index again.")
        return cls(data, record["metric"], "exact" if lists is None else "approximate", lists)

    def to_dict(self) -> dict[str, Any]:
        """Return the kind and the size of the index as JSON values."""
        vectors = _vectors(self.data, "The index")
        return {
            "schema": SCHEMA,
            "metric": self.metric,
            "kind": self.kind,
            "images": len(self),
            "components": int(vectors.shape[1]),
        }

    def __str__(self) -> str:
        cases = format_count(len(set(self.data.cases)), "case")
        size = _vectors(self.data, "The index").shape[1]
        return (
            f"Index of {format_count(len(self), 'image')} of {cases}, vectors of {size} components, {self.metric} "
            f"distance, {self.kind}"
        )


def index_images(data: Dataset, *, metric: Distance = "cosine", kind: Kind = "exact", seed: int = 0) -> ImageIndex:
    """Make an index of images with feature vectors.

    Args:
        data: Images with vectors and cases, usually the training data; see `breastcls.features.extract_features`.
        metric: `"cosine"` or `"euclidean"`. The cosine distance between a vector of zeros and any vector is 1.
        kind: `"exact"` compares every image, block by block from the file of the vectors. `"approximate"` needs faiss
            (`pip install 'breastcls[similar]'`) and compares a part of them. Building it takes as long as many exact
            searches; it suits a saved index that is searched for one image at a time, such as that of a service.
        seed: The seed of the clustering of the approximate index.

    Raises:
        DatasetError: If vectors or cases are missing, an option is unknown, or faiss is needed and not installed.

    Example:
        >>> import pandas as pd
        >>> from breastcls.features import load_embeddings
        >>> table = pd.DataFrame(
        ...     {"path": ["1.png", "2.png", "3.png"], "label": ["no", "yes", "yes"], "case": ["a", "b", "c"]})
        >>> train = load_embeddings(table, np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]))
        >>> index = index_images(train)
        >>> print(index)
        Index of 3 images of 3 cases, vectors of 2 components, cosine distance, exact
        >>> new = load_embeddings(pd.DataFrame({"path": ["new.png"], "label": ["no"], "case": ["d"]}), [[0.8, 0.2]])
        >>> index.search(new, count=2).table()["similar_path"].tolist()
        ['2.png', '1.png']
    """
    check_choice("metric", metric, get_args(Distance), error=DatasetError)
    check_choice("kind", kind, get_args(Kind), error=DatasetError)
    vectors = _vectors(data, "The data of an index")
    if not data.has_cases:
        raise DatasetError(
            "An index needs the case of every image: similar images are taken from other cases only. Load the data "
            "with a column `case`."
        )
    if kind == "exact":
        return ImageIndex(data, metric)
    return ImageIndex(data, metric, "approximate", build_index(vectors, metric, seed))


def _vectors(data: Dataset, what: str) -> Vectors:
    if data.vectors is None:
        raise DatasetError(
            f"{what} needs feature vectors: pass extract_features(model, data), or the result of load_embeddings."
        )
    return data.vectors


def _check_encoders(first: Dataset, second: Dataset) -> None:
    """Raise `DatasetError` if the vectors of two datasets are known to be of different encoders."""
    sizes = [_vectors(data, "A dataset").shape[1] for data in (first, second)]
    if sizes[0] != sizes[1]:
        raise DatasetError(
            f"The index has vectors of {sizes[0]} components and the images of {sizes[1]}; use one encoder."
        )
    if differing_entries(first.encoder, second.encoder):
        raise DatasetError(
            "The vectors of the index and of the images are of different encoders, between which distances are not "
            "defined. Compute both with the same model."
        )
