import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from breastcls.models.symmetric_eigenvectors import eigh_3x3

KINDS = {
    "random": lambda draw, n: draw.normal(size=(n, 3)),
    "graded": lambda draw, n: 10.0 ** draw.uniform(-6, 0, (n, 3)),
    "the two largest equal": lambda draw, n: np.stack([draw.random(n), np.full(n, 2.0), np.full(n, 2.0)], axis=1),
    "the two smallest equal": lambda draw, n: np.stack([np.ones(n), np.ones(n), 2 + draw.random(n)], axis=1),
    "three nearly equal": lambda draw, n: 1 + 1e-6 * draw.normal(size=(n, 3)),
    "two nearly equal": lambda draw, n: np.stack([np.ones(n), np.full(n, 1 + 1e-5), np.full(n, 3.0)], axis=1),
    "of rank one": lambda draw, n: np.eye(3)[draw.integers(0, 3, n)],
    "tiny": lambda draw, n: 1e-20 * draw.normal(size=(n, 3)),
    "huge": lambda draw, n: 1e18 * draw.normal(size=(n, 3)),
    "zero": lambda draw, n: np.zeros((n, 3)),
}


def check(matrices):
    """Compare with LAPACK in double precision, relative to the largest eigenvalue."""
    values, vectors = (np.asarray(part, dtype=np.float64) for part in eigh_3x3(matrices))
    exact = matrices.astype(np.float64)
    expected, axes = np.linalg.eigh(exact)
    size = np.abs(expected).max(axis=1)
    size = np.where(size > 0, size, 1.0)
    assert np.isfinite(vectors).all()
    assert (np.abs(values - expected).max(axis=1) / size).max() < 2e-6
    residual = exact @ vectors - vectors * values[:, None, :]
    assert (np.abs(residual).max(axis=(1, 2)) / size).max() < 2e-6
    assert np.abs(vectors.transpose(0, 2, 1) @ vectors - np.eye(3)).max() < 2e-6
    # An eigenvector is as accurate as its eigenvalue is far from the others; its sign is arbitrary.
    gaps = np.diff(expected, axis=1) / size[:, None]
    clear = gaps.min(axis=1) > 0.3
    cosines = np.abs((vectors * axes).sum(axis=1))
    signed = vectors * np.sign((vectors * axes).sum(axis=1, keepdims=True))
    assert np.abs(signed[clear] - axes[clear]).max(initial=0) < 1e-5
    assert (cosines[clear] > 1 - 1e-6).all()
    return clear.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_it_equals_lapack(kind):
    generator = np.random.default_rng(7)
    values = KINDS[kind](generator, 2000)
    turns = np.linalg.qr(generator.normal(size=(2000, 3, 3)))[0]
    matrices = (turns * values[:, None, :]) @ turns.transpose(0, 2, 1)
    clear = check(((matrices + matrices.transpose(0, 2, 1)) / 2).astype(np.float32))
    assert clear > 100 or kind not in ("random", "huge", "tiny")


# TensorFlow takes numbers below 1e-38 as zero.
ELEMENTS = st.floats(-1e3, 1e3, width=32).map(lambda value: value if abs(value) > 1e-30 else 0.0)


@given(arrays(np.float32, (4, 6), elements=ELEMENTS))
@settings(max_examples=40, deadline=None)
def test_it_equals_lapack_for_any_matrix(elements):
    a, b, c, d, e, f = elements.T
    check(np.stack([a, b, c, b, d, e, c, e, f], axis=1).reshape(4, 3, 3))


def test_diagonal_matrices_keep_their_axes():
    values, vectors = eigh_3x3(
        np.stack([np.diag(row) for row in ((3, 1, 2), (1, 1, 2), (-5, 0, 0))]).astype(np.float32)
    )
    np.testing.assert_allclose(values, [[1, 2, 3], [1, 1, 2], [-5, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(np.abs(vectors[0]), np.eye(3)[[2, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(np.abs(vectors[1])[:, 2], [0, 0, 1], atol=1e-6)


def test_gradients_of_different_eigenvalues_are_those_of_the_eigenvectors():
    tf = pytest.importorskip("tensorflow")
    matrices = tf.constant([[[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 0.5]], [[1.0, 0, 0], [0, 2, 0], [0, 0, 4]]])
    with tf.GradientTape() as tape:
        tape.watch(matrices)
        values, vectors = eigh_3x3(matrices)
        largest = tf.reduce_sum(values[:, 2])
    gradient = tape.gradient(largest, matrices).numpy()
    axis = vectors.numpy()[:, :, 2]
    gradient = (gradient + gradient.transpose(0, 2, 1)) / 2
    np.testing.assert_allclose(gradient, axis[:, :, None] * axis[:, None, :], atol=1e-5)


@pytest.mark.parametrize("diagonal", [(0, 0, 0), (1, 1, 1), (1, 1, 2), (2, 1, 1), (0, 0, 3)])
def test_gradients_of_equal_eigenvalues_are_finite(diagonal):
    tf = pytest.importorskip("tensorflow")
    matrices = tf.constant(np.diag(diagonal).astype(np.float32)[None])
    with tf.GradientTape() as tape:
        tape.watch(matrices)
        values, vectors = eigh_3x3(matrices)
        total = tf.reduce_sum(values[:, 2]) + tf.reduce_sum(vectors)
    assert np.isfinite(tape.gradient(total, matrices).numpy()).all()
