import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import RecipeError
from breastcls.experiments.recipes.recipe_folds import limit_images, magnifications_of, make_folds


@pytest.fixture
def table() -> bc.Dataset:
    """100 images: 20 benign of 4 cases, 80 malignant of 16."""
    cases = [f"case{number // 5}" for number in range(100)]
    labels = ["benign"] * 20 + ["malignant"] * 80
    return bc.Dataset.from_columns(
        ("benign", "malignant"), path=[f"{number}.png" for number in range(100)], label=labels, case=cases
    )


@pytest.mark.parametrize("by", ["image", "case"])
@pytest.mark.parametrize("fractions", [(0.7, 0.3), (0.5, 0.25, 0.25)])
def test_one_split_uses_every_image_once(table, by, fractions):
    (part,) = make_folds(table, fractions, by, None, 0)
    assert (part.val is None) == (len(fractions) == 2)
    paths = part.fitted_on.paths + part.test.paths
    assert sorted(paths) == sorted(table.paths)
    assert len(part.test) == pytest.approx(fractions[-1] * 100, abs=6)
    shared = set(part.fitted_on.cases) & set(part.test.cases)
    assert bool(shared) == (by == "image")


@pytest.mark.parametrize("by", ["image", "case"])
@pytest.mark.parametrize("fractions", [(0.7, 0.3), (0.6, 0.2, 0.2)])
def test_folds_test_every_image_once(table, by, fractions):
    parts = make_folds(table, fractions, by, 2, 0)
    assert sorted(path for part in parts for path in part.test.paths) == sorted(table.paths)
    for part in parts:
        assert sorted(part.fitted_on.paths + part.test.paths) == sorted(table.paths)
        assert bool(set(part.fitted_on.cases) & set(part.test.cases)) == (by == "image")
        if part.val is not None:
            # The validation share of the images that are fitted on is that of the project.
            assert len(part.val) == pytest.approx(0.25 * len(part.fitted_on), abs=6)


@pytest.mark.parametrize("limit", [10, 20, 50])
def test_limited_images_are_of_many_cases_and_keep_the_proportion_of_classes(table, limit):
    some = limit_images(table, limit, 0)
    assert len(some) == limit
    assert (some.labels == 0).sum() == pytest.approx(limit * 0.2, abs=1)
    counts = np.unique(some.cases[some.labels == 1], return_counts=True)[1]
    # A second image of a case is chosen only after one of every other case.
    assert len(counts) == min(16, (some.labels == 1).sum())
    assert counts.max() - counts.min() <= 1
    assert some.paths == limit_images(table, limit, 0).paths


def test_no_limit_or_a_large_one_keeps_all_images(table):
    assert limit_images(table, None, 0) is table
    assert limit_images(table, 1000, 0).paths == table.paths


@pytest.mark.parametrize("limit", [0, -1, 2.5, True])
def test_a_limit_is_a_whole_number(table, limit):
    with pytest.raises(RecipeError, match="whole number"):
        limit_images(table, limit, 0)


def test_magnifications_have_to_be_known(table, tissue):
    assert magnifications_of(tissue) == [200]
    with pytest.raises(RecipeError, match="100 of 100"):
        magnifications_of(table)
