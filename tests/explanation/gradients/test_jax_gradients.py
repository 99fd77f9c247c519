"""The JAX module of gradients, beside TensorFlow as the backend of Keras."""

import numpy as np
import pytest

from breastcls.explanation.gradients.jax_gradients import CompiledFunction, JaxGradients

jnp = pytest.importorskip("jax.numpy")
VALUES = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)


def test_a_score_without_a_gradient_is_reported_and_a_gradient_of_zero_is_not():
    gradients = JaxGradients()
    assert gradients.differentiate(lambda x: jnp.round(x)[:, 0], [VALUES]) == (None,)
    [dead] = gradients.differentiate(lambda x: jnp.maximum(x - 9, 0).sum(axis=1), [VALUES])
    np.testing.assert_array_equal(dead, np.zeros_like(VALUES))

    def differentiate(first, second):
        return gradients.differentiate(lambda x, y: (x**2).sum(axis=1) + jnp.round(y)[:, 0], [first, second])

    squares, missing = CompiledFunction(differentiate, [])(VALUES, VALUES)
    np.testing.assert_allclose(squares, 2 * VALUES)
    assert missing is None
