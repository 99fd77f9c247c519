import builtins

import numpy as np
import pytest

from breastcls.errors import DatasetError
from breastcls.features.approximate_index import build_index, read_index, search_index, write_index
from breastcls.features.nearest_neighbours import Groups, find_neighbours


@pytest.fixture(scope="module")
def clusters():
    """4,000 vectors of 80 cases, each with a centre of its own, and 60 queries of 20 of the cases."""
    generator = np.random.default_rng(1)
    centres = generator.normal(0, 1, (80, 24))
    cases = generator.integers(0, 80, 4000)
    vectors = (centres[cases] + generator.normal(0, 0.7, (4000, 24))).astype(np.float32)
    own = generator.integers(0, 20, 60)
    queries = (centres[own] + generator.normal(0, 0.7, (60, 24))).astype(np.float32)
    return vectors, cases, queries, own


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_approximate_search_finds_nearly_all_with_exact_distances(clusters, metric, tmp_path):
    pytest.importorskip("faiss", reason="faiss is not installed")
    vectors, cases, queries, own = clusters
    # As from a file that is larger than the memory.
    stored = np.lib.format.open_memmap(tmp_path / "vectors.npy", "w+", np.float32, vectors.shape)
    stored[:] = vectors
    write_index(build_index(stored, metric, seed=0), tmp_path / "lists.faiss")
    index = read_index(tmp_path / "lists.faiss")
    groups = Groups(cases, own)
    near = search_index(index, stored, queries, 10, metric, groups)
    exact = find_neighbours(vectors, queries, 10, distance=metric, groups=groups)
    recall = np.mean([len(set(found) & set(best)) / 10 for found, best in zip(near.rows, exact.rows, strict=True)])
    assert recall > 0.9
    assert not (cases[near.rows] == own[:, np.newaxis]).any()
    nearest = near.rows[:, 0] == exact.rows[:, 0]
    np.testing.assert_array_equal(near.distances[nearest, 0], exact.distances[nearest, 0])
    # The same seed gives the same index.
    again = search_index(build_index(vectors, metric, seed=0), vectors, queries, 10, metric, groups)
    np.testing.assert_array_equal(again.rows, near.rows)


def test_without_faiss_the_error_names_the_extra(clusters, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "faiss":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DatasetError, match=r"pip install 'breastcls\[similar\]'"):
        build_index(clusters[0], "cosine", 0)
