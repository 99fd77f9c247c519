"""Groups of images that must not be separated by a split: of one case or slide, identical, or near duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.equal_vectors import find_equal_vectors
from breastcls.datasets.file_fingerprints import fingerprint_files
from breastcls.datasets.near_duplicates import find_near_duplicates
from breastcls.identifiers import TEXT, merge_similar


def link_images(parts: Sequence[Dataset], *, pixels: bool = True) -> npt.NDArray[np.int64]:
    """Return the group of each image of all parts, int64 of shape (n,), numbered from 0.

    Args:
        parts: The parts, whose images are counted one part after the other.
        pixels: Whether files, pixels and vectors are compared too; otherwise only cases and slides.

    Raises:
        ImageError: If a file cannot be read.
    """
    distinct = frozenset[str]().union(*(part.distinct for part in parts))
    names = (np.concatenate([part.cases for part in parts]), np.concatenate([part.slides for part in parts]))
    keys = [merge_similar(of_images, distinct) for of_images in names]
    pairs: list[tuple[int, int]] = []
    paths = [path for part in parts for path in part.paths]
    part_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    position = {(int(number), path): row for row, (number, path) in enumerate(zip(part_of, paths, strict=True))}
    plain: set[str] = set()
    if pixels and all(part.has_images for part in parts):
        prints = fingerprint_files(paths).assign(path=pd.array(paths, dtype=TEXT))
        # An image without a hash of its pixels has a single colour, and is linked to no other.
        unlinked = np.array([f"none {number}" for number in range(len(paths))], dtype=object)
        empty = prints["pixels"].isna().to_numpy()
        keys += [np.where(empty, unlinked, prints[name].to_numpy(dtype=object)) for name in ("bytes", "pixels")]
        plain = {path for path, none in zip(paths, empty, strict=True) if none}
        for first, second in combinations(range(len(parts)), 2):
            similar = find_near_duplicates(prints[part_of == first], prints[part_of == second])
            pairs += [(position[first, one], position[second, other]) for one, other in similar]
    for first, second in combinations(range(len(parts)) if pixels else (), 2):
        found = find_equal_vectors(parts[first], parts[second], plain)
        pairs += [(position[first, one], position[second, other]) for one, other in found.identical + found.similar]
    return _join(keys, pairs)


def _join(keys: Sequence[npt.NDArray[np.object_]], pairs: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """Return the connected components of images that share a key or are a pair."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(keys[0])
    edges = [np.array(pairs, dtype=np.int64).reshape(-1, 2)]
    for key in keys:
        codes = np.unique(key.astype(str), return_inverse=True)[1]
        first = np.full(codes.max(initial=-1) + 1, -1, dtype=np.int64)
        first[codes[::-1]] = np.arange(count)[::-1]
        edges.append(np.stack([first[codes], np.arange(count)], axis=1))
    rows, columns = np.concatenate(edges).T
    graph = coo_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
