import numpy as np

from breastcls.datasets.synthetic.synthetic_stain import Stain, render, sample_stain, scale_to_mean

STAIN = Stain(np.array([[0.56, 0.72, 0.41], [0.22, 0.80, 0.56]], np.float32), np.array([0.9, 0.92, 0.95], np.float32))


def _flat(haematoxylin: float, eosin: float, blur: float = 0.0) -> np.ndarray:
    maps = (np.full((60, 80), value, np.float32) for value in (haematoxylin, eosin))
    return render(np.random.default_rng(0), *maps, STAIN, blur)


def test_colours_follow_beer_and_lambert() -> None:
    ratio = _flat(1.0, 0.5).mean(axis=(0, 1)) / _flat(0.0, 0.0).mean(axis=(0, 1))
    np.testing.assert_allclose(ratio, np.exp(-np.array([1.0, 0.5]) @ STAIN.matrix), rtol=0.02)


def test_blur_and_noise() -> None:
    step = np.zeros((60, 80), np.float32)
    step[:, 40:] = 1
    sharp, soft = (render(np.random.default_rng(0), step, step, STAIN, blur) for blur in (0.0, 3.0))
    assert np.abs(np.diff(sharp[30, :, 0].astype(int))).max() > 2 * np.abs(np.diff(soft[30, :, 0].astype(int))).max()
    assert _flat(0.5, 0.5).std() > 0


def test_slides_of_one_case_are_stained_alike() -> None:
    def matrices(case_of_slide: list[int]) -> np.ndarray:
        return np.array(
            [
                sample_stain(np.random.default_rng(case), np.random.default_rng(1000 + slide)).matrix.ravel()
                for slide, case in enumerate(case_of_slide)
            ]
        )

    same, different = matrices([3] * 40), matrices(list(range(40)))
    assert (same.std(axis=0) < 0.85 * different.std(axis=0)).all()
    assert same.std() > 0
    np.testing.assert_array_less(0, different)


def test_the_amount_of_stain_is_scaled_to_the_mean_within_a_factor() -> None:
    concentration = np.random.default_rng(0).uniform(0, 1, (20, 30)).astype(np.float32)
    scaled = scale_to_mean(concentration, 0.6)
    assert scaled.dtype == np.float32
    assert abs(scaled.mean() - 0.6) < 1e-5
    np.testing.assert_allclose(scaled, concentration * (scaled.mean() / concentration.mean()), rtol=1e-5)
    np.testing.assert_allclose(scale_to_mean(concentration, 40.0), 1.5 * concentration, rtol=1e-6)
    assert not scale_to_mean(np.zeros((4, 4), np.float32), 0.3).any()
