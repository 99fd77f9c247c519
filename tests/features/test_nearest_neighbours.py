import tracemalloc

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from breastcls.errors import EvaluationError
from breastcls.features import nearest_neighbours
from breastcls.features.nearest_neighbours import Groups, find_neighbours, rank_candidates


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(nearest_neighbours, "_QUERIES", 25)
    monkeypatch.setattr(nearest_neighbours, "_VECTORS", 64)
    monkeypatch.setattr(nearest_neighbours, "_QUERY_VALUES", 50 * 21)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_they_are_those_of_scikit_learn(distance, kind, small_blocks):
    generator = np.random.default_rng(0)
    vectors = (generator.normal(size=(700, 20)) + 5).astype(kind)
    queries = (generator.normal(size=(120, 20)) + 5).astype(kind)
    near = find_neighbours(vectors, queries, 9, distance=distance, threads=2)
    peer = NearestNeighbors(n_neighbors=9, metric=distance, algorithm="brute").fit(vectors.astype(float))
    expected, places = peer.kneighbors(queries.astype(float))
    np.testing.assert_array_equal(near.rows, places)
    np.testing.assert_allclose(near.distances, expected, atol=1e-12)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_vectors_of_the_same_group_are_left_out(distance, small_blocks):
    generator = np.random.default_rng(1)
    centres = generator.normal(size=(30, 20))
    # The first blocks hold one group only, all of which is left out for its queries.
    groups = np.sort(generator.integers(0, 30, 2000))
    groups[:200] = 0
    own = np.append(np.arange(25), -1)
    vectors = (centres[groups] + generator.normal(size=(2000, 20))).astype(np.float32)
    queries = (centres[own] + generator.normal(size=(26, 20))).astype(np.float32)
    near = find_neighbours(vectors, queries, 7, distance=distance, groups=Groups(groups, own), threads=2)
    for row, group in enumerate(own):
        others = np.flatnonzero(groups != group)
        peer = NearestNeighbors(n_neighbors=7, metric=distance, algorithm="brute").fit(vectors[others].astype(float))
        expected, places = peer.kneighbors(queries[row : row + 1].astype(float))
        np.testing.assert_array_equal(near.rows[row], others[places[0]])
        np.testing.assert_allclose(near.distances[row], expected[0], atol=1e-12)


def test_vectors_far_from_the_origin_are_ordered_by_their_small_distances():
    """In float32 the square of such a vector has a larger error than the distances that are compared."""
    generator = np.random.default_rng(0)
    vectors = (generator.normal(size=(2000, 24)) + 500).astype(np.float32)
    queries = (generator.normal(size=(40, 24)) + 500).astype(np.float32)
    near = find_neighbours(vectors, queries, 7, distance="euclidean")
    peer = NearestNeighbors(n_neighbors=7, algorithm="brute").fit(vectors.astype(float) - 500)
    np.testing.assert_array_equal(near.rows, peer.kneighbors(queries.astype(float) - 500)[1])


def test_equally_near_ones_are_in_their_order():
    vectors = np.array([[0, 0], [1, 1], [2, 2], [1, 1]], dtype=np.float32)
    near = find_neighbours(vectors, np.array([[1.0, 1.0]]), 4, distance="euclidean")
    assert near.rows.tolist() == [[1, 3, 0, 2]]


def test_the_cosine_distance_of_a_vector_of_zeros_is_that_of_scikit_learn():
    vectors = np.array([[0, 0], [1, 1], [-1, -1], [1e-30, 0]], dtype=np.float32)
    queries = np.array([[3, 3], [0, 0]], dtype=np.float32)
    near = find_neighbours(vectors, queries, 4)
    assert near.rows.tolist() == [[1, 3, 0, 2], [0, 1, 2, 3]]
    np.testing.assert_allclose(near.distances, [[0, 1 - 0.5**0.5, 1, 2], [1, 1, 1, 1]], atol=1e-7)
    # scikit-learn takes the last one for zeros.
    peer = NearestNeighbors(n_neighbors=3, metric="cosine").fit(vectors[:3].astype(float))
    expected, places = peer.kneighbors(queries[:1].astype(float))
    np.testing.assert_allclose(find_neighbours(vectors[:3], queries[:1], 3).distances, expected, atol=1e-12)
    assert places.tolist() == [[1, 0, 2]]


def test_fewer_than_asked_for_are_marked():
    vectors = np.eye(3, dtype=np.float32)
    near = find_neighbours(vectors, vectors[:1], 4, groups=Groups(np.array([0, 0, 1]), np.array([0])))
    assert near.rows.tolist() == [[2, -1, -1, -1]]
    assert np.isinf(near.distances[0, 1:]).all()
    assert find_neighbours(vectors[:0], vectors, 2).rows.tolist() == [[-1, -1]] * 3
    assert find_neighbours(vectors, vectors[:0], 2).rows.shape == (0, 2)
    assert rank_candidates(vectors, vectors[:1], np.array([[-1, 1]]), 2, "cosine").rows.tolist() == [[1, -1]]


def test_a_file_is_read_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(nearest_neighbours, "_VECTORS", 1024)
    stored = np.lib.format.open_memmap(tmp_path / "vectors.npy", "w+", np.float32, (30_000, 128))
    stored[:] = np.random.default_rng(0).standard_normal(stored.shape, np.float32)
    groups = np.arange(30_000) // 100
    tracemalloc.start()
    near = find_neighbours(stored, np.array(stored[:16]), 5, groups=Groups(groups, groups[:16]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (near.rows >= 100).all()
    # All vectors together have 15 MB.
    assert peak < 4e6


def test_what_is_refused():
    with pytest.raises(EvaluationError, match="distance is 'angle'"):
        find_neighbours(np.eye(2), np.eye(2), 1, distance="angle")
    with pytest.raises(EvaluationError, match="count is 0; expected a whole number of at least 1"):
        find_neighbours(np.eye(2), np.eye(2), 0)
