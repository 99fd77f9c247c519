import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from breastcls.intervals.auc_interval import auc_interval, auc_variance


def variance(auc, first, second):
    """Hanley & McNeil 1982 for exponential distributions, both numbers replaced by their mean."""
    mean = (first + second) / 2
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return (auc * (1 - auc) + (mean - 1) * (q1 - auc**2) + (mean - 1) * (q2 - auc**2)) / (first * second)


@pytest.mark.parametrize(("first", "second"), [(3, 3), (3, 20), (16, 54), (5, 5)])
def test_the_variance_is_that_of_hanley_and_mcneil(first, second):
    for auc in np.linspace(0.01, 0.99, 9):
        assert float(auc_variance(auc, first, second)) == pytest.approx(variance(auc, first, second))


@pytest.mark.parametrize("found", [0.0, 0.07, 0.5, 0.93, 0.999, 1.0])
@pytest.mark.parametrize(("first", "second"), [(3, 3), (3, 20), (16, 54)])
def test_each_bound_is_the_root_of_a_score_test(found, first, second):
    low, high = auc_interval(found, first, second, 0.9)
    z = norm.ppf(0.95)

    def excess(auc):
        return abs(auc - found) - z * np.sqrt(variance(auc, first, second))

    if found > 0:
        assert float(low) == pytest.approx(brentq(excess, 1e-12, found - 1e-12), abs=1e-9)
    if found < 1:
        assert float(high) == pytest.approx(brentq(excess, found + 1e-12, 1 - 1e-12), abs=1e-9)
    assert (found == 0) == (low == 0)
    assert (found == 1) == (high == 1)


def test_at_perfect_separation_against_the_polynomial_of_the_r_package_auroc():
    """The lower bound solves a polynomial of the fourth degree; 5 and 15 observations, its coefficients written out."""
    first, second, z = 5, 15, norm.ppf(0.975)
    star, found = (first + second) / 2 - 1, 1.0
    theta = np.polynomial.Polynomial([0, 1])
    left = (theta - found) ** 2 * first * second * (2 - theta) * (1 + theta)
    spread = (2 - theta) * (1 + theta) + star * (1 - theta) * (1 + theta) + star * theta * (2 - theta)
    roots = (left - z**2 * theta * (1 - theta) * spread).roots()
    inside = [root.real for root in roots if abs(root.imag) < 1e-9 and 0 < root.real < 1 - 1e-6]
    assert float(auc_interval(1.0, first, second)[0]) == pytest.approx(inside[0])


@pytest.mark.parametrize("cases", [3, 10, 35])
def test_the_interval_at_perfect_separation_covers_a_high_auc(cases):
    """Exact for the two ends: the probability of perfect separation of n and n cases at the lower bound is about 5%."""
    low, _ = auc_interval(1.0, cases, cases)
    generator = np.random.default_rng(cases)
    # Normal scores with that true AUC.
    shift = np.sqrt(2) * norm.ppf(float(low) + 1e-6)
    positive = generator.normal(shift, size=(20_000, cases)).min(axis=1)
    negative = generator.normal(size=(20_000, cases)).max(axis=1)
    assert (positive > negative).mean() < 0.08
