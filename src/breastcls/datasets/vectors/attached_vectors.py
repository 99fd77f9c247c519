"""Vectors that are attached to the rows of a dataset."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.vectors.row_ids import match_ids
from breastcls.datasets.vectors.vector_archive import StoredVectors
from breastcls.datasets.vectors.vector_checks import check_vectors
from breastcls.datasets.vectors.vector_rows import VectorRows, Vectors, VectorSource
from breastcls.errors import DatasetError
from breastcls.text_tables import choose_form, format_count

IN_ORDER = "The vectors have no ids: vector i was taken as that of row i of the table."


def attach_vectors(
    data: Dataset, stored: StoredVectors, name: str, wanted: Sequence[Sequence[str]], *, extra: str = "raise"
) -> Dataset:
    """Return a dataset with vectors, which are checked and brought into the order of its rows.

    Args:
        data: The table of images.
        stored: The vectors.
        name: What has the vectors, for messages.
        wanted: The ids of the rows, in one or several forms, each (n,).
        extra: What is done with vectors that belong to no row; see `match_ids`.

    Raises:
        DatasetError: If the vectors are not valid, or do not fit the table.
    """
    ids = None if stored.ids is None else [str(one) for one in stored.ids]
    array, notes = check_vectors(stored.values, name, ids)
    has_images = all(map(os.path.isfile, data.paths))
    rows = VectorRows(VectorSource(array, dict(stored.encoder), has_images))
    if stored.ids is None:
        if len(array) != len(data):
            raise DatasetError(
                f"{name} has {format_count(len(array), 'vector')} without ids, the table "
                f"{format_count(len(data), 'row')}. Give the vectors of exactly these rows in their order, or their "
                f"ids by ids=.{_transposed(array, len(data))}"
            )
        notes = (*notes, IN_ORDER)
    else:
        if len(stored.ids) != len(array):
            raise DatasetError(
                f"{name} has {format_count(len(array), 'vector')} and {format_count(len(stored.ids), 'id')}; each "
                f"vector needs one.{_transposed(array, len(stored.ids))}"
            )
        positions, matched = match_ids(wanted, stored.ids, name, extra=extra)
        notes = (*notes, *matched)
        if len(positions) != len(array) or (positions[1:] <= positions[:-1]).any():
            rows = rows.take(positions)
    if not has_images:
        known = sum(map(os.path.isfile, data.paths))
        found = "none" if not known else f"{known}"
        notes = (
            *notes,
            f"The vectors are used without images: {found} of {format_count(len(data), 'row')} of the table "
            f"{choose_form(known, 'has', 'have')} an image file.",
        )
    return dataclasses.replace(data, vector_rows=rows).with_notes(*stored.notes, *notes)


def _transposed(array: Vectors, rows: int) -> str:
    """Return a hint where an array has as many columns as vectors are expected."""
    return f" The array {array.shape} seems to be (d, n): transpose it, array.T." if array.shape[1] == rows else ""
