import numpy as np
import pytest

from breastcls.datasets.synthetic.noise_textures import (
    cell_borders,
    distance_to,
    fibres,
    grain,
    smooth_noise,
    zero_crossings,
)


@pytest.mark.parametrize("period", [1, 4, 15, 17, 40])
def test_noise_has_unit_variance_and_its_period(period: float) -> None:
    noise = smooth_noise(np.random.default_rng(0), (400, 600), period)
    assert noise.shape == (400, 600)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.2
    assert 0.6 < noise.std() < 1.5
    if period > 1:
        near = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
        far = np.corrcoef(noise[:, : -3 * period].ravel(), noise[:, 3 * period :].ravel())[0, 1]
        assert near > 0.7
        assert abs(far) < 0.25


def test_grain_is_uniform() -> None:
    values = grain(np.random.default_rng(0), (100, 100))
    assert (values.min(), values.max()) == (-1.0, 1.0)
    assert values.std() == pytest.approx(1 / np.sqrt(3), abs=0.02)


def test_distance_against_brute_force() -> None:
    mask = np.random.default_rng(1).random((20, 25)) < 0.02
    y, x = np.indices(mask.shape)
    points = np.argwhere(mask)
    exact = np.min([np.hypot(y - row, x - column) for row, column in points], axis=0)
    np.testing.assert_allclose(distance_to(mask), exact, rtol=0.03, atol=0.1)
    assert distance_to(np.zeros((4, 4), bool)).min() > 1e5


def test_zero_crossings_are_where_the_sign_changes() -> None:
    noise = np.tile(np.arange(-5, 5, dtype=np.float32) + 0.5, (4, 1))
    assert np.argwhere(zero_crossings(noise))[:, 1].tolist() == [5] * 4


def test_fibres_are_long_and_thin() -> None:
    x, y = np.meshgrid(np.arange(300, dtype=np.float32), np.arange(200, dtype=np.float32))
    texture = fibres(np.random.default_rng(0), x, y, 60, 5)
    assert np.abs(np.diff(texture, axis=0)).mean() > 5 * np.abs(np.diff(texture, axis=1)).mean()


def test_cell_borders_are_midway_between_centres() -> None:
    borders = cell_borders((21, 41), np.array([[10.0, 10.0], [30.0, 10.0], [-5.0, 3.0]]), 1)
    assert set(borders[2:-2].argmax(axis=1)) <= {20, 21}
    assert not cell_borders((9, 9), np.array([[4.0, 4.0]]), 1).any()
