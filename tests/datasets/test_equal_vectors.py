"""Equal vectors on both sides of a split."""

import numpy as np
import pytest

from breastcls.datasets.equal_vectors import find_equal_vectors
from breastcls.datasets.leakage import audit_leakage
from breastcls.datasets.split_repair import repair_split
from breastcls.errors import LeakageError
from breastcls.features.embedding_table import load_embeddings
from support.vector_fixtures import make_vectors


def with_vectors(data, vectors):
    return load_embeddings(data, vectors)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda one: one, "identical_vectors"),
        (lambda one: one.astype(np.float16).astype(np.float32), "similar_vectors"),
        (lambda one: one * np.float32(1 + 1e-6), "similar_vectors"),
    ],
    ids=["same bytes", "rounded to float16", "another engine"],
)
def test_the_same_vector_under_other_names_is_found(change, kind):
    train, test = make_vectors(seed=1, size=64), make_vectors(seed=2, size=64)
    assert audit_leakage(train, test).clean
    vectors = test.vectors.copy()
    vectors[5], vectors[7] = change(train.vectors[11]), change(train.vectors[3])
    report = audit_leakage(train, with_vectors(test, vectors))
    pairs = ((train.paths[11], test.paths[5]), (train.paths[3], test.paths[7]))
    assert getattr(report, kind) == pairs
    assert report.leaking
    assert report.vectors_compared
    assert "vectors" in str(report)
    assert report.to_dict()[kind] == [list(pair) for pair in pairs]
    with pytest.raises(LeakageError, match="vectors:"):
        report.raise_if_leaking()


def test_the_pairs_are_those_of_a_comparison_of_all_with_all():
    generator = np.random.default_rng(0)
    train, test = make_vectors(seed=1, size=32, cases=40), make_vectors(seed=2, size=32, cases=40)
    vectors = test.vectors.copy()
    for row in range(0, len(vectors), 3):
        noise = generator.normal(size=32) * generator.choice([1e-5, 1e-4, 3e-4, 1e-3, 3e-3])
        vectors[row] = train.vectors[generator.integers(len(train))] + noise
    test = with_vectors(test, vectors)
    lengths = np.linalg.norm(vectors, axis=1)
    distances = np.linalg.norm(vectors[:, None] - train.vectors[None], axis=2)
    near = {test.paths[row] for row in np.flatnonzero((distances <= 1e-3 * lengths[:, None]).any(axis=1))}
    found = find_equal_vectors(train, test)
    assert {pair[1] for pair in found.identical + found.similar} == near
    assert len(near) > 10


def test_vectors_with_a_large_common_part_are_not_similar():
    train, test = make_vectors(seed=1, size=64), make_vectors(seed=2, size=64)
    found = find_equal_vectors(*(with_vectors(one, one.vectors + 1e4) for one in (train, test)))
    assert found.compared
    assert not found.similar


def test_a_repaired_split_shares_no_vector():
    train, test = make_vectors(seed=1, size=64), make_vectors(seed=2, size=64)
    vectors = test.vectors.copy()
    vectors[5] = train.vectors[11]
    test = with_vectors(test, vectors)
    parts = repair_split(train, test, how="drop")
    assert audit_leakage(parts[0], parts[1]).clean
    assert len(parts[0]) + len(parts[1]) < len(train) + len(test)


def test_images_of_a_single_colour_and_other_sizes_are_not_compared():
    train, test = make_vectors(seed=1), make_vectors(seed=2)
    same = with_vectors(test, train.vectors)
    assert len(find_equal_vectors(train, same, test.paths[1:]).identical) == 1
    assert not find_equal_vectors(train, make_vectors(seed=2, size=8)).compared
