import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from breastcls.errors import EvaluationError
from breastcls.features import nearest_neighbours
from breastcls.features.nearest_neighbours import find_neighbours


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_they_are_those_of_scikit_learn(distance, monkeypatch):
    monkeypatch.setattr(nearest_neighbours, "_QUERIES", 50)
    monkeypatch.setattr(nearest_neighbours, "_VECTORS", 64)
    generator = np.random.default_rng(0)
    vectors = (generator.normal(size=(700, 20)) + 5).astype(np.float32)
    queries = (generator.normal(size=(120, 20)) + 5).astype(np.float32)
    positions, distances = find_neighbours(vectors, queries, 9, distance=distance, threads=2)
    peer = NearestNeighbors(n_neighbors=9, metric=distance, algorithm="brute").fit(vectors.astype(float))
    expected, places = peer.kneighbors(queries.astype(float))
    np.testing.assert_array_equal(positions, places)
    np.testing.assert_allclose(distances, expected, atol=1e-6)


def test_equally_near_ones_are_in_their_order_and_zero_vectors_do_no_harm():
    vectors = np.array([[0, 0], [1, 1], [2, 2], [1, 1]], dtype=np.float32)
    positions, _ = find_neighbours(vectors, np.array([[1.0, 1.0]]), 4, distance="euclidean")
    assert positions.tolist() == [[1, 3, 0, 2]]
    positions, distances = find_neighbours(vectors, np.array([[3.0, 3.0]]), 4)
    assert positions.tolist()[0][-1] == 0
    assert np.isfinite(distances).all()


def test_what_is_refused():
    with pytest.raises(EvaluationError, match="distance is 'angle'"):
        find_neighbours(np.eye(2), np.eye(2), 1, distance="angle")
    with pytest.raises(EvaluationError, match="count is 3; expected 1 to 2"):
        find_neighbours(np.eye(2), np.eye(2), 3)
