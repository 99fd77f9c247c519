import numpy as np
import pytest

import breastcls as bc
from breastcls.experiments.fold_plan import FoldPlan


@pytest.fixture
def data():
    cases = [f"case-{number // 2}" for number in range(24)]
    labels = ["b" if number < 12 else "m" for number in range(24)]
    return bc.Dataset.from_columns(("b", "m"), path=[f"{n}.png" for n in range(24)], label=labels, case=cases)


def test_each_image_is_tested_once_and_by_the_fold_that_is_named(data):
    parts, fold_of = FoldPlan(3, "case", 7).divide(data)
    assert [fold.name for fold in parts] == ["fold-1", "fold-2", "fold-3"]
    for number, fold in enumerate(parts, start=1):
        assert fold.test.paths == np.array(data.paths)[fold_of == number].tolist()
        assert fold.val is None
        assert len(fold.train) + len(fold.test) == len(data)


def test_the_validation_part_is_of_whole_cases_of_the_rest(data):
    for fold in FoldPlan(3, "case", 7, val_fraction=0.25).divide(data)[0]:
        assert set(fold.train.cases).isdisjoint(fold.val.cases)
        assert sorted(fold.train.paths + fold.val.paths) == sorted(fold.fitted_on.paths)


@pytest.mark.parametrize(("by", "divides"), [("case", False), ("slide", True), ("image", True)])
def test_units_below_a_case_divide_it(by, divides):
    assert FoldPlan(3, by, 0).divides_cases == divides
