import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breastcls.datasets import splitting
from breastcls.datasets.splitting import assign_parts, equal_fractions
from breastcls.errors import LeakageWarning, SplitError


def _cases(sizes_benign: list[int], sizes_malignant: list[int]) -> tuple[np.ndarray, np.ndarray]:
    units, labels = [], []
    for label, sizes in enumerate((sizes_benign, sizes_malignant)):
        for number, size in enumerate(sizes):
            units += [f"{label}-{number}"] * size
            labels += [label] * size
    return np.array(units, dtype=object), np.array(labels)


sizes = st.lists(st.integers(1, 60), min_size=5, max_size=30)


@settings(max_examples=40, deadline=None)
@given(
    sizes,
    sizes,
    st.integers(0, 2**32 - 1),
    st.sampled_from([(0.7, 0.1, 0.2), (0.5, 0.5), equal_fractions(5)]),
)
def test_cases_stay_whole_and_no_class_is_missing(benign, malignant, seed, fractions):
    units, labels = _cases(benign, malignant)
    parts = assign_parts(units, labels, ("b", "m"), fractions, seed=seed)
    for unit in np.unique(units):
        assert len(set(parts[units == unit])) == 1
    for part in range(len(fractions)):
        assert set(labels[parts == part]) == {0, 1}


def test_fractions_are_approximated():
    rng = np.random.default_rng(0)
    units, labels = _cases(list(rng.integers(10, 40, 24)), list(rng.integers(10, 40, 58)))
    for seed in range(5):
        parts = assign_parts(units, labels, ("b", "m"), (0.7, 0.1, 0.2), seed=seed)
        for label in (0, 1):
            shares = np.bincount(parts[labels == label], minlength=3) / (labels == label).sum()
            np.testing.assert_allclose(shares, (0.7, 0.1, 0.2), atol=0.05)


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_rows():
    units, labels = _cases([20] * 10, [20] * 20)
    first = assign_parts(units, labels, ("b", "m"), (0.8, 0.2), seed=3)
    np.testing.assert_array_equal(first, assign_parts(units, labels, ("b", "m"), (0.8, 0.2), seed=3))
    others = [assign_parts(units, labels, ("b", "m"), (0.8, 0.2), seed=s) for s in range(10)]
    assert len({o.tobytes() for o in others}) > 5
    shuffle = np.random.default_rng(1).permutation(len(units))
    np.testing.assert_array_equal(
        assign_parts(units[shuffle], labels[shuffle], ("b", "m"), (0.8, 0.2), seed=3), first[shuffle]
    )


def test_cases_of_several_classes_stay_whole():
    rng = np.random.default_rng(5)
    units = np.repeat([f"p{i}" for i in range(12)], 30).astype(object)
    labels = rng.integers(0, 2, len(units))
    parts = assign_parts(units, labels, ("n", "p"), equal_fractions(4), seed=0)
    assert all(len(set(parts[units == u])) == 1 for u in np.unique(units))
    assert set(parts) == {0, 1, 2, 3}


def test_single_images_are_stratified_exactly():
    units = np.array([str(i) for i in range(100)], dtype=object)
    labels = np.repeat([0, 1], [30, 70])
    with pytest.warns(LeakageWarning, match="inflates"):
        parts = assign_parts(units, labels, ("b", "m"), (0.7, 0.1, 0.2), seed=0, by="image")
    assert [int(((parts == p) & (labels == 0)).sum()) for p in range(3)] == [21, 3, 6]
    assert [int(((parts == p) & (labels == 1)).sum()) for p in range(3)] == [49, 7, 14]


def test_too_few_cases_shows_the_counts():
    units, labels = _cases([10, 10], [5] * 8)
    with pytest.raises(SplitError, match=r"'benign' has 2(.|\n)*benign: 2 cases, 20 images(.|\n)*malignant: 8 cases"):
        assign_parts(units, labels, ("benign", "malignant"), (0.7, 0.1, 0.2), seed=0)


@pytest.mark.parametrize("fractions", [(0.5, 0.6), (1.0,), (0.5, -0.5, 1.0), (0.5, float("nan")), (1.0, 0.0)])
def test_invalid_fractions_are_refused(fractions):
    units, labels = _cases([10] * 5, [5] * 8)
    with pytest.raises(SplitError, match="fractions"):
        assign_parts(units, labels, ("b", "m"), fractions, seed=0)


@pytest.mark.parametrize("count", [0, 1, -3, 2.5])
def test_folds_must_be_at_least_two(count):
    with pytest.raises(SplitError, match="at least 2"):
        equal_fractions(count)


def test_an_impossible_split_is_refused():
    units = np.array(["u1", "u2", "u2", "u3", "u1", "u3"], dtype=object)
    labels = np.array([0, 0, 1, 1, 2, 2])
    with pytest.raises(SplitError, match="No assignment was found"):
        assign_parts(units, labels, ("x", "y", "z"), (0.5, 0.5), seed=0)


def _assign_one_after_the_other(counts, shares, rng):
    """The same assignment written as a plain loop over restarts and units."""
    weight = np.concatenate([counts / counts.sum(axis=0), (counts > 0) / (counts > 0).sum(axis=0)], axis=1)
    best = None
    for _ in range(64):
        parts, filled = np.empty(len(counts), dtype=np.int64), np.zeros((len(shares), weight.shape[1]))
        for unit in rng.permutation(len(counts)):
            has = weight[unit] > 0
            uncovered = (filled[:, : counts.shape[1]][:, has[: counts.shape[1]]] == 0).any(axis=1)
            deficit = ((shares[:, None] - filled[:, has]) / shares[:, None]).mean(axis=1)
            parts[unit] = int(np.argmax(deficit + uncovered))
            filled[parts[unit]] += weight[unit]
        error = float((((filled - shares[:, None]) ** 2) / shares[:, None]).sum())
        lacks = any((counts[parts == part].sum(axis=0) == 0).any() for part in range(len(shares)))
        if best is None or (lacks, error) < best[0]:
            best = (lacks, error), parts
    return best[1]


@pytest.mark.parametrize("seed", range(4))
def test_assignments_made_together_are_those_of_a_plain_loop(seed):
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 9, size=(25, 1)) * np.eye(2, dtype=int)[generator.integers(0, 2, 25)]
    counts[:3] = 2  # of both classes
    shares = np.full(5, 0.2) if seed % 2 else np.array([0.7, 0.1, 0.2])
    expected = _assign_one_after_the_other(counts, shares, np.random.default_rng(seed))
    assert splitting._assign_groups(counts, shares, np.random.default_rng(seed), None).tolist() == expected.tolist()
