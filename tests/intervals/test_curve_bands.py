import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.curve_bands import FALSE_POSITIVE_RATES, RECALLS, compute_curves
from breastcls.predictions.predictions import Predictions


@pytest.mark.parametrize("ties", [True, False])
def test_points_lie_on_scikit_learns_curves(draw, ties):
    some = draw(2, mixed=True, ties=ties)
    roc, precision_recall = compute_curves(some, Bootstrap(20))
    false, true, _ = roc_curve(some.labels, some.positive)
    np.testing.assert_allclose(roc["tpr"][1:], np.interp(FALSE_POSITIVE_RATES, false, true))
    precision, recall, thresholds = precision_recall_curve(some.labels, some.positive)
    for row in precision_recall.itertuples():
        at = np.flatnonzero(recall[:-1] >= row.recall - 1e-12).max()
        assert row.precision == pytest.approx(precision[at])
        assert row.threshold == pytest.approx(thresholds[at])


@pytest.mark.parametrize("ties", [True, False])
def test_bands_equal_a_loop_over_repeated_rows(draw, ties):
    some = draw(4, images=160, cases=24, ties=ties)
    bootstrap = Bootstrap(30, 0.8, seed=3)
    roc, precision_recall = compute_curves(some, bootstrap)
    codes = np.unique(some.cases, return_inverse=True)[1]
    order = np.array([np.flatnonzero(some.cases == name)[0] for name in np.unique(some.cases)])
    from breastcls.intervals.case_statistics import case_codes, case_strata

    own = case_codes(some)
    assert len(order) == codes.max() + 1
    sensitivities, precisions = [], []
    for weights in np.concatenate(list(bootstrap.weights(case_strata(some.labels, own, 2)))):
        rows = np.repeat(np.arange(len(some)), weights[own].astype(int))
        false, true, _ = roc_curve(some.labels[rows], some.positive[rows], drop_intermediate=False)
        sensitivities.append(np.interp(FALSE_POSITIVE_RATES, false, true))
        precision, recall, _ = precision_recall_curve(some.labels[rows], some.positive[rows])
        reach = [np.flatnonzero(recall[:-1] >= place - 1e-12).max() for place in RECALLS]
        precisions.append(precision[reach])
    for table, name, drawn in ((roc[1:], "tpr", sensitivities), (precision_recall, "precision", precisions)):
        low, high = np.quantile(drawn, [0.1, 0.9], axis=0)
        # Near 0 and 1 few cases vary, and the band is no narrower than that of a proportion at the number of cases.
        inside = table[name].between(0.3, 0.7).to_numpy() & (np.arange(len(table)) > 10)
        if name == "tpr":
            # The bounds of a curve that never falls do not fall.
            low = np.minimum(low, table["low"].dropna().iloc[-1])
        np.testing.assert_allclose(table["low"][inside], low[inside], atol=1e-9)
        np.testing.assert_allclose(table["high"][inside], high[inside], atol=1e-9)
        assert (table["low"].fillna(0) <= low + 1e-9).all()
        assert (table["high"].fillna(1) >= high - 1e-9).all()
        assert ((table["high"] - table["low"])[~inside].fillna(1) > 0.05).all()
        assert inside.sum() > 5


def test_many_scores_make_no_difference_to_see(draw, monkeypatch):
    from breastcls.intervals import curve_bands as curves

    some = draw(5, images=3000, cases=30, ties=False)
    exact = compute_curves(some, Bootstrap(50))[0]
    monkeypatch.setattr(curves, "MOST_THRESHOLDS", 500)
    coarse = compute_curves(some, Bootstrap(50))[0]
    np.testing.assert_allclose(exact[["low", "high"]], coarse[["low", "high"]], atol=0.02)


def test_several_classes_come_one_below_the_other(draw):
    roc, precision_recall = compute_curves(draw(1, classes=("a", "b", "c")), Bootstrap(20))
    for table in (roc, precision_recall):
        assert table.columns[0] == "class"
        assert table["class"].unique().tolist() == ["a", "b", "c"]
    assert (roc.groupby("class").size() == 202).all()


def test_one_class_has_no_curve():
    some = Predictions.from_arrays(probabilities=[0.2, 0.7], labels=[0, 0], classes=("a", "b"), cases=["x", "y"])
    roc, precision_recall = compute_curves(some, Bootstrap(20))
    assert roc.empty
    assert precision_recall.empty
    assert "tpr" in roc.columns


def test_one_case_has_a_curve_without_a_band():
    some = Predictions.from_arrays(probabilities=[0.2, 0.7], labels=[0, 1], classes=("a", "b"), cases=["x", "x"])
    roc, _ = compute_curves(some, Bootstrap(20))
    assert roc["tpr"].tolist()[-1] == 1.0
    assert roc["low"].isna().all()


def test_curves_of_many_classes_have_no_bands_and_name_why(draw):
    few, many = (compute_curves(draw(5, classes=tuple(map(str, range(count)))), Bootstrap(20)) for count in (20, 21))
    assert "many-classes" not in set(few[0]["reason"]) | set(few[1]["reason"])
    for table in many:
        assert table[["low", "high"]].isna().all(axis=None)
        assert "many-classes" in set(table["reason"])
        assert table["class"].nunique() > 10


def test_the_band_of_the_roc_curve_never_falls(draw):
    """Where every resample has the same sensitivity, Wilson's interval alone would be below the band before it."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(24) % 2, 4)
    scores = np.clip(0.3 * labels + rng.uniform(0, 0.7, 96), 0.01, 0.99)
    some = Predictions.from_arrays(
        probabilities=scores, labels=labels, cases=np.repeat(np.arange(24), 4), classes=("a", "b")
    )
    roc, _ = compute_curves(some, Bootstrap(200))
    for name in ("low", "high"):
        band = roc[name].dropna().to_numpy()
        assert len(band) > 150
        assert (np.diff(band) >= 0).all()
    assert (roc["low"].dropna() <= roc["tpr"][roc["low"].notna()]).all()
