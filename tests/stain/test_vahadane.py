"""Comparison of the factorisation with scikit-learn, and with the stains of simulated images."""

import numpy as np
from sklearn.decomposition import SparseCoder, dict_learning

from breastcls.stain.optical_density import density_table, to_density
from breastcls.stain.vahadane import Vahadane, _sparse_amounts, find_amounts, find_stains

TRUTH = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
TRUTH /= np.linalg.norm(TRUTH, axis=1, keepdims=True)
TABLE = density_table(256)


def mixed(seed=0, side=60):
    amounts = np.random.default_rng(seed).gamma(0.5, 0.9, (side, side, 2)) + 0.02
    return np.clip(256 * np.exp(-amounts @ TRUTH) - 1, 0, 255).astype(np.uint8)


def test_amounts_are_those_of_the_lasso_of_scikit_learn():
    densities = np.random.default_rng(0).gamma(1, 0.5, (300, 3))
    coder = SparseCoder(TRUTH, transform_algorithm="lasso_cd", transform_alpha=0.1, positive_code=True)
    expected = coder.transform(densities)
    assert (expected == 0).any(axis=0).all()
    np.testing.assert_allclose(_sparse_amounts(densities @ TRUTH.T, TRUTH, 0.1), expected, atol=2e-3)


def objective(densities, amounts, stains, sparsity=0.1):
    return 0.5 * ((densities - amounts @ stains) ** 2).sum() + sparsity * amounts.sum()


def test_the_factorisation_is_as_good_as_that_of_scikit_learn():
    image = mixed(side=40)
    density = to_density(image, TABLE)
    tissue = density[image.max(axis=2) <= 219].astype(np.float64)
    stains = find_stains(image, density)
    amounts = _sparse_amounts(tissue @ stains.T, stains, 0.1)
    codes, rows, *_ = dict_learning(
        tissue,
        2,
        alpha=0.1,
        max_iter=100,
        dict_init=TRUTH,
        code_init=np.zeros((len(tissue), 2)),
        positive_code=True,
        positive_dict=True,
        method="cd",
        random_state=0,
    )
    assert objective(tissue, amounts, stains) < 1.01 * objective(tissue, codes, rows)
    peer = rows[np.argsort(-rows[:, 0])] / np.linalg.norm(rows[np.argsort(-rows[:, 0])], axis=1, keepdims=True)
    assert np.rad2deg(np.arccos(np.clip(np.einsum("ij,ij->i", stains, peer), -1, 1))).max() < 3


def test_the_stains_that_were_put_in_are_found():
    image = mixed(side=120)
    stains = find_stains(image, to_density(image, TABLE))
    assert np.rad2deg(np.arccos(np.clip(np.einsum("ij,ij->i", stains, TRUTH), -1, 1))).max() < 6


def test_amounts_are_not_negative():
    image = mixed(3)
    normalizer = Vahadane.fit(image)
    amounts = find_amounts(to_density(image, TABLE), normalizer.stains)
    assert amounts.min() >= 0
    assert amounts.shape == (60, 60, 2)


def test_the_same_image_gives_the_same_stains():
    np.testing.assert_array_equal(Vahadane.fit(mixed()).stains, Vahadane.fit(mixed()).stains)
