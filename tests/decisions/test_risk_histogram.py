import numpy as np
import pytest

from breastcls.decisions.risk_histogram import risk_histogram
from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata
from breastcls.predictions.predictions import Predictions

QUICK = Bootstrap(50)


def test_counts_against_numpy(draw):
    some = draw(1, mixed=True, ties=False)
    table = risk_histogram(some, bins=20, bootstrap=QUICK)
    assert list(table["group"].unique()) == list(some.classes)
    for index, name in enumerate(some.classes):
        rows = table[table["group"] == name]
        counts, _ = np.histogram(some.positive[some.labels == index].astype(float), np.linspace(0, 1, 21))
        assert rows["images"].tolist() == counts.tolist()
        np.testing.assert_allclose(rows["share"], counts / counts.sum())
        np.testing.assert_allclose(rows["cumulative"], np.cumsum(counts) / counts.sum())
        # Everything is below the upper edge of the last bin: there is nothing to estimate.
        assert rows["reason"].tolist() == [""] * 19 + ["no-variation"]
        assert (rows["low"] <= rows["cumulative"] + 1e-12)[:-1].all()
        assert (rows["cumulative"] <= rows["high"] + 1e-12)[:-1].all()


def test_bands_equal_repeated_cases(draw):
    some = draw(2, images=200, cases=24, ties=False)
    bootstrap = Bootstrap(20, 0.8, "percentile")
    found = risk_histogram(some, bins=4, bootstrap=bootstrap)
    codes, values = case_codes(some), []
    for weights in np.concatenate(list(bootstrap.weights(case_strata(some.labels, codes, 2)))):
        rows = np.repeat(np.arange(200), weights[codes].astype(int))
        values.append(risk_histogram(some[rows], bins=4, bootstrap=Bootstrap(1))["cumulative"].to_numpy())
    low, high = np.quantile(values, [0.1, 0.9], axis=0)
    last = np.arange(8) % 4 == 3
    few = ~found["cumulative"].between(0.2, 0.8).to_numpy() & ~last
    assert (~last & ~few).sum() >= 3
    assert (found["low"][~last] <= low[~last] + 1e-9).all()
    assert (found["high"][~last] >= high[~last] - 1e-9).all()
    np.testing.assert_allclose(found["low"][~few], np.where(last, np.nan, low)[~few])
    np.testing.assert_allclose(found["high"][~few], np.where(last, np.nan, high)[~few])


def test_several_classes_are_told_by_right_and_wrong(draw):
    some = draw(1, classes=("a", "b", "c"))
    table = risk_histogram(some, bins=10, bootstrap=QUICK)
    right = some.decisions == some.labels
    assert table.groupby("group")["images"].sum().to_dict() == {"right": right.sum(), "wrong": (~right).sum()}


def test_a_class_that_is_not_there_has_no_rows():
    some = Predictions.from_arrays(probabilities=[0.0, 1.0], labels=[0, 0], classes=("no", "yes"), cases=["a", "b"])
    table = risk_histogram(some, bins=2, bootstrap=QUICK)
    assert table["group"].tolist() == ["no", "no"]
    assert table["images"].tolist() == [1, 1]


def test_no_bins_are_refused(draw):
    with pytest.raises(EvaluationError, match="bins"):
        risk_histogram(draw(), bins=0)
