import numpy as np
import pytest

from breastcls.explanation.checks import noisy_imputation
from breastcls.explanation.checks.noisy_imputation import Imputer, neighbour_weights


def neighbours(row, column, height, width):
    """The eight neighbours inside the image, direct ones with twice the weight of diagonal ones."""
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            inside = 0 <= row + down < height and 0 <= column + across < width
            if (down or across) and inside:
                yield row + down, column + across, 1 / 6 if 0 in (down, across) else 1 / 12


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_removed_pixel_is_the_weighted_mean_of_its_neighbours(monkeypatch, share):
    monkeypatch.setattr(noisy_imputation, "NOISE", 0.0)
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (9, 7, 3)).astype(np.float32)
    removed = generator.random((9, 7)) < share
    removed[4, 4] = False
    made = Imputer(neighbour_weights((9, 7)), removed).impute(image, generator)
    np.testing.assert_array_equal(made[~removed], image[~removed])
    for row, column in np.argwhere(removed):
        around = list(neighbours(row, column, 9, 7))
        mean = sum(weight * made[y, x].astype(float) for y, x, weight in around) / sum(w for *_, w in around)
        np.testing.assert_allclose(made[row, column], mean, atol=1e-3)


def test_nothing_removed_changes_nothing_and_noise_depends_on_the_seed():
    image = np.full((5, 5, 3), 100, np.float32)
    weights = neighbour_weights((5, 5))
    kept = Imputer(weights, np.zeros((5, 5), bool)).impute(image, np.random.default_rng(0))
    np.testing.assert_array_equal(kept, image)
    imputer = Imputer(weights, np.eye(5, dtype=bool))
    first, again, other = (imputer.impute(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert 0.5 < np.abs(first - 100)[np.eye(5, dtype=bool)].mean() < 6
