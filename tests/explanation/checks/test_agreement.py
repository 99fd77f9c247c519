import numpy as np
import pytest
from scipy.stats import spearmanr

from breastcls.errors import ExplanationError
from breastcls.explanation.checks.agreement import measure_agreement, rank_correlation
from breastcls.explanation.explain import explain


def test_it_is_the_mean_rank_correlation_of_each_two_methods(small_model, noise_images):
    model = small_model("flatten")
    made = {name: explain(model, noise_images, name, target_class=1) for name in ("hires-cam", "smooth-grad")}
    table = measure_agreement(made)
    pairs = zip(*(one.heatmaps for one in made.values()), strict=True)
    expected = np.mean([spearmanr(first.ravel(), second.ravel()).statistic for first, second in pairs])
    assert table.loc["hires-cam", "smooth-grad"] == pytest.approx(expected, abs=1e-6)
    assert table.loc["smooth-grad", "hires-cam"] == pytest.approx(expected, abs=1e-6)
    assert np.diag(table).tolist() == pytest.approx([1, 1])
    with pytest.raises(ExplanationError, match="other images or classes"):
        measure_agreement({**made, "other": explain(model, noise_images, "hires-cam", target_class=0)})
    with pytest.raises(ExplanationError, match="other images or classes"):
        measure_agreement({**made, "other": explain(model, noise_images[::-1], "hires-cam", target_class=1)})
    with pytest.raises(ExplanationError, match="no explanations to compare"):
        measure_agreement({})


def test_the_rank_correlation_is_that_of_scipy_with_ties():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 4, (2, 12, 12)).astype(np.float32)
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)
    blank = np.zeros((12, 12), np.float32)
    assert np.isnan(rank_correlation(blank, first))
    assert rank_correlation(first, blank) == 0
