import builtins
import tracemalloc

import numpy as np
import pytest

from breastcls.errors import DatasetError
from breastcls.features import nearest_vectors
from breastcls.features.nearest_vectors import build_index, read_index, search_exactly, search_index, write_index


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


def brute_force(vectors, cases, queries, own, count, metric):
    rows, distances = [], []
    for query, case in zip(queries.astype(np.float64), own, strict=True):
        if metric == "cosine":
            lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
            found = 1 - vectors.astype(np.float64) @ query / lengths
        else:
            found = np.linalg.norm(vectors.astype(np.float64) - query, axis=1)
        order = [row for row in np.argsort(found, kind="stable") if cases[row] != case][:count]
        rows.append(order)
        distances.append(found[order])
    return np.array(rows), np.array(distances)


@pytest.mark.parametrize("blocks", [(8192, 512), (700, 25)])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_exact_search_is_brute_force(clusters, metric, blocks, monkeypatch):
    monkeypatch.setattr(nearest_vectors, "_ROWS_AT_ONCE", blocks[0])
    monkeypatch.setattr(nearest_vectors, "_QUERIES_AT_ONCE", blocks[1])
    near = search_exactly(*clusters, 7, metric)
    rows, distances = brute_force(*clusters, 7, metric)
    np.testing.assert_array_equal(near.rows, rows)
    np.testing.assert_allclose(near.distances, distances, atol=2e-6)


def test_vectors_far_from_the_origin_are_ordered_by_their_small_distances(clusters):
    """In float32 the square of such a vector has a larger error than the distances that are compared."""
    vectors, cases, queries, own = clusters
    far = ((vectors + 500).astype(np.float32), cases, (queries + 500).astype(np.float32), own)
    near = search_exactly(*far, 7, "euclidean")
    np.testing.assert_array_equal(near.rows, brute_force(*far, 7, "euclidean")[0])


def test_an_exact_search_reads_a_file_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(nearest_vectors, "_ROWS_AT_ONCE", 1024)
    stored = np.lib.format.open_memmap(tmp_path / "vectors.npy", "w+", np.float32, (30_000, 128))
    stored[:] = np.random.default_rng(0).standard_normal(stored.shape, np.float32)
    groups = np.arange(30_000) // 100
    tracemalloc.start()
    near = search_exactly(stored, groups, np.array(stored[:16]), groups[:16], 5, "cosine")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (near.rows >= 100).all()
    # All vectors together have 15 MB.
    assert peak < 4e6


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_approximate_search_finds_nearly_all_with_exact_distances(clusters, metric, tmp_path):
    pytest.importorskip("faiss", reason="faiss is not installed")
    vectors, cases, queries, own = clusters
    # As from a file that is larger than the memory.
    stored = np.lib.format.open_memmap(tmp_path / "vectors.npy", "w+", np.float32, vectors.shape)
    stored[:] = vectors
    write_index(build_index(stored, metric, seed=0), tmp_path / "lists.faiss")
    index = read_index(tmp_path / "lists.faiss")
    near = search_index(index, stored, cases, queries, own, 10, metric)
    rows, distances = brute_force(*clusters, 10, metric)
    recall = np.mean([len(set(found) & set(best)) / 10 for found, best in zip(near.rows, rows, strict=True)])
    assert recall > 0.9
    assert not (cases[near.rows] == own[:, np.newaxis]).any()
    nearest = near.rows[:, 0] == rows[:, 0]
    np.testing.assert_allclose(near.distances[nearest, 0], distances[nearest, 0], atol=2e-6)
    # The same seed gives the same index.
    again = search_index(build_index(vectors, metric, seed=0), vectors, cases, queries, own, 10, metric)
    np.testing.assert_array_equal(again.rows, near.rows)


def test_fewer_than_asked_for_are_marked():
    vectors = np.eye(3, dtype=np.float32)
    near = search_exactly(vectors, np.array([0, 0, 1]), vectors[:1], np.array([0]), 4, "cosine")
    assert near.rows.tolist() == [[2, -1, -1, -1]]
    assert np.isinf(near.distances[0, 1:]).all()


def test_vectors_of_zeros_have_the_distance_one():
    near = search_exactly(
        np.zeros((1, 2), np.float32), np.array([0]), np.ones((1, 2), np.float32), np.array([1]), 1, "cosine"
    )
    assert near.distances.tolist() == [[1.0]]


def test_without_faiss_the_error_names_the_extra(clusters, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "faiss":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DatasetError, match=r"pip install 'breastcls\[similar\]'"):
        build_index(clusters[0], "cosine", 0)
