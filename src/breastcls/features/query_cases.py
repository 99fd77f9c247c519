"""The cases of images that are searched for in an index, compared with the cases of the index."""

from __future__ import annotations

import os
import warnings

import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetWarning, LeakageWarning
from breastcls.features.nearest_neighbours import Groups
from breastcls.identifiers import merge_similar
from breastcls.text_tables import choose_form, format_count


def number_cases(data: Dataset, queries: Dataset) -> Groups:
    """Return the number of the case of each image of the index, and of each query; -1 where it is not known."""
    known = np.asarray(data.cases, dtype=object)
    if queries.has_cases:
        wanted = np.asarray(queries.cases, dtype=object)
    else:
        by_file = {os.path.realpath(path): case for path, case in zip(data.paths, known, strict=True)}
        wanted = np.array([by_file.get(os.path.realpath(path), "") for path in queries.paths], dtype=object)
    names = merge_similar(np.concatenate([known, wanted]), data.distinct | queries.distinct)
    codes = np.unique(names.astype(str), return_inverse=True)[1].astype(np.int64)
    own = codes[len(known) :].copy()
    own[wanted == ""] = -1
    return Groups(codes[: len(known)], own)


def warn_shared_cases(queries: Dataset, groups: npt.NDArray[np.int64], known: set[int]) -> None:
    """Warn the caller of a search of shared and of unknown cases.

    Args:
        queries: The images that are searched for.
        groups: The number of the case of each, from `number_cases`.
        known: The numbers of the cases of the index.

    Warns:
        LeakageWarning: If a case of the queries is also in the index.
        DatasetWarning: If the cases of the queries are not known.
    """
    shared = np.array([int(group) in known for group in groups])
    if shared.any():
        names = sorted({str(case) for case in np.asarray(queries.cases, dtype=object)[shared]})
        warnings.warn(
            f"{format_count(int(shared.sum()), 'image')} {choose_form(int(shared.sum()), 'is', 'are')} of "
            f"{format_count(len(names), 'case')} that the index also has, such as {names[0]!r}: images of these cases "
            "are left out for them, but a model that was trained on the index was trained on these cases.",
            LeakageWarning,
            stacklevel=3,
        )
    if not queries.has_cases:
        warnings.warn(
            f"The cases of {format_count(len(queries), 'image')} are not known: images of the same case cannot be left "
            "out, unless they are the same files.",
            DatasetWarning,
            stacklevel=3,
        )
