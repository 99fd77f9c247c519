"""Every public function that returns a confidence interval, on few cases of one class."""

import warnings

import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.baselines.baseline_predictions import tabulate_baselines
from breastcls.baselines.colour_comparison import score_against_colour_baseline
from breastcls.decisions.conformal import fit_conformal
from breastcls.decisions.risk_histogram import risk_histogram
from breastcls.errors import EvaluationWarning
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.curve_bands import compute_curves
from breastcls.intervals.metric_bounds import BOOTSTRAP_ONLY
from breastcls.intervals.minimum_cases import FEW_CASES, MIN_CASES, REASONS
from breastcls.intervals.paired_scores import score_against
from breastcls.intervals.score_tables import score_groups
from breastcls.uncertainty.out_of_distribution import score_ood
from breastcls.uncertainty.selective_prediction import aurc, risk_coverage

QUICK = Bootstrap(60)
CLASSES = ("benign", "malignant")


def draw(few, others=9, *, seed=0, images=6, perfect=False, classes=CLASSES):
    """Predictions of `few` cases of the first class and `others` of each other class."""
    generator = np.random.default_rng(seed)
    of_case = np.repeat(np.arange(len(classes)), [few, *[others] * (len(classes) - 1)])
    labels = np.repeat(of_case, images)
    cases = np.repeat(np.arange(len(of_case)), images)
    scores = (
        generator.dirichlet(np.ones(len(classes)), len(labels)) + (9 if perfect else 0.4) * np.eye(len(classes))[labels]
    )
    return bc.Predictions.from_arrays(
        probabilities=scores / scores.sum(axis=1, keepdims=True),
        labels=labels,
        classes=classes,
        cases=[f"case {seed}-{number}" for number in cases],
        slides=[f"slide {seed}-{number}" for number in cases],
        magnifications=np.where(np.arange(len(labels)) % 2, 40, 100),
        subtypes=np.array([name[:1] for name in classes], dtype=object)[labels],
        paths=[f"{seed}-{row}.png" for row in range(len(labels))],
    )


def operating_tables(some):
    from breastcls.decisions import decision_curve, operating_table

    yield operating_table(some, bootstrap=QUICK)
    yield decision_curve(some, bootstrap=QUICK)


def calibration_tables(some):
    found = bc.calibration.assess_calibration(some, bootstrap=QUICK)
    yield from (found.errors, found.bias, found.brier, found.equal_width, found.equal_mass)


def evaluation_tables(some):
    found = bc.evaluate(some, bootstrap=QUICK)
    for name in ("metrics", "by_level", "per_class", "by_magnification", "by_subtype", "roc", "precision_recall"):
        if found.sections.get(name) is not None:
            yield found[name]


def paired_tables(some):
    shuffled = bc.Predictions.from_arrays(
        probabilities=some.probabilities[::-1], labels=some.labels, classes=some.classes, cases=some.cases,
        slides=some.slides,
    )  # fmt: skip
    yield score_against(some, [shuffled], ("accuracy", "recall", "specificity", "roc_auc", "f1"), QUICK)[0]
    yield from score_against_colour_baseline(some, shuffled, QUICK)
    yield bc.compare([some, shuffled], bootstrap=QUICK).differences


def uncertainty_tables(some):
    yield risk_coverage(some, bootstrap=QUICK)
    yield aurc(some, bootstrap=QUICK)
    yield fit_conformal(draw(9, seed=7), coverage=0.8).assess(some, QUICK)
    yield score_ood(None, draw(5, seed=8), some, bootstrap=QUICK)
    yield risk_histogram(some, bootstrap=QUICK)


TABLES = {
    "evaluate": evaluation_tables,
    "baselines": lambda some: [tabulate_baselines({"colour": some}, QUICK)],
    "groups": lambda some: [score_groups(some, some.slides, "", "slide", QUICK)],
    "curves": lambda some: compute_curves(some, QUICK),
    "calibration": calibration_tables,
    "operating": operating_tables,
    "paired": paired_tables,
    "uncertainty": uncertainty_tables,
}


def intervals_in(table):
    """Yield value, bounds and reason of every confidence interval of a table."""
    for name in table.columns:
        if name == "reason" or str(name).endswith("_reason"):
            prefix = str(name).removesuffix("reason")
            value = next(one for one in (prefix.rstrip("_") or "value", *VALUES) if one in table.columns)
            ends = (f"{prefix}low", f"{prefix}high")
            assert not table.columns.duplicated().any()
            yield str(value), table[[value, *ends, name]].set_axis(["value", "low", "high", "reason"], axis=1)


VALUES = ("value", "difference", "tpr", "precision", "model", "frequency", "risk", "cumulative")


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
@pytest.mark.parametrize("perfect", [False, True])
@pytest.mark.parametrize("few", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("name", TABLES)
def test_no_interval_is_narrower_than_the_cases_allow(name, few, perfect):
    some = draw(few, perfect=perfect)
    if few == 0 and name in ("operating", "curves"):
        return  # these need both classes
    checked = 0
    for table in TABLES[name](some):
        bounded = {str(column).removesuffix("low") for column in table.columns if str(column).endswith("low")}
        assert bounded == {str(column).removesuffix("reason") for column in table if str(column).endswith("reason")}
        for _, rows in intervals_in(table):
            checked += len(rows)
            has = rows["low"].notna()
            assert (has == rows["high"].notna()).all()
            assert ((rows["reason"] == "") == has).all()
            assert set(rows["reason"]) <= {"", *REASONS}
            assert (rows["high"] - rows["low"])[has].gt(1e-9).all(), "an interval of zero width"
    assert checked


@pytest.mark.parametrize("few", [1, 4, 5])
def test_decisions_on_few_cases_warn_and_print_their_limitation(few):
    from breastcls.decisions import decision_curve, operating_table

    some = draw(few)
    for call in (operating_table, decision_curve):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            text = repr(call(some, bootstrap=QUICK))
        assert len(seen) == (few < 5)
        assert (f"is based on {few} case" in text) == (few < 5)
        assert ("(CI not estimable)" in text) == (few < MIN_CASES)


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
@pytest.mark.parametrize("level", ["image", "slide", "case"])
@pytest.mark.parametrize("few", [1, 2, 3, 5])
def test_each_metric_counts_the_cases_of_the_classes_that_it_rests_on(few, level):
    found = bc.evaluate(draw(few), aggregation=level, bootstrap=QUICK)
    reasons = found.metrics["reason"].drop(["f1", *BOOTSTRAP_ONLY])
    if few < FEW_CASES:
        assert (found.metrics.loc[list(BOOTSTRAP_ONLY), "reason"] != "").all()
        possible = {"too-few-cases"} if few < MIN_CASES else {"few-cases", "no-variation"}
        assert found.metrics.loc["average_precision", "reason"] in possible
    assert set(reasons.drop("recall")) == ({""} if few >= MIN_CASES else {"too-few-cases"})
    assert reasons["recall"] == ""
    turned = bc.evaluate(draw(9, few), aggregation=level, bootstrap=QUICK).metrics["reason"]
    assert turned["specificity"] == ""
    assert turned["recall"] == turned["roc_auc"] == ("" if few >= MIN_CASES else "too-few-cases")


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
@pytest.mark.parametrize("few", [1, 3])
def test_the_text_the_exports_and_the_report_say_so(few, tmp_path):
    some = draw(few, perfect=True)
    found = bc.evaluate(some, bootstrap=QUICK)
    first = str(found).splitlines()[0]
    estimable = few >= MIN_CASES
    assert first.startswith("Balanced accuracy") == estimable
    assert (f"only {few} case{'s' if few > 1 else ''} of benign" in first) == (not estimable)
    assert ("1.000 (CI not estimable)" in str(found)) == (not estimable)
    for text in (found.to_markdown(), found.to_latex(), found.to_markdown(table="per_class")):
        assert ("not estimable" in text) or estimable
        assert "1.000 to 1.000" not in text
    assert any("benign has only" in one for one in found.limitations)
    report = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "1.000 to 1.000" not in report
    assert ("Confidence intervals are not estimable: only" in report) == (not estimable)


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
@pytest.mark.parametrize("few", [1, 2, 3, 5])
def test_no_comparison_is_affirmative_below_five_cases(few):
    good, poor = draw(few, perfect=True), draw(few)
    found = bc.compare({"good": good, "poor": poor}, metric="roc_auc", bootstrap=QUICK)
    row = found.differences.xs(("good", "poor", "roc_auc"))
    if few < MIN_CASES:
        assert row[["low", "high", "p", "p_holm"]].isna().all()
        assert row["reason"] == "too-few-cases"
        assert "is not estimable" in found.verdicts[0]
        assert found.tests["delong_p"].isna().all()
    elif few < FEW_CASES:
        assert row[["low", "high"]].notna().all()
        assert row[["p", "p_holm"]].isna().all()
        assert "too few to show" in found.verdicts[0]
        assert found.tests["delong_p"].isna().all()
    else:
        assert row[["low", "high", "p", "p_holm"]].notna().all()


@pytest.mark.parametrize("few", [3, 5])
def test_areas_have_no_interval_below_five_cases(few):
    found = aurc(draw(few), bootstrap=QUICK)
    assert found["reason"].tolist() == (["few-cases", "few-cases", ""] if few < FEW_CASES else ["", "", ""])


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
def test_several_classes_each_count():
    found = bc.evaluate(draw(2, classes=("a", "b", "c")), bootstrap=QUICK)
    assert (found.metrics["reason"] == "too-few-cases").all()
    assert found.per_class["recall_reason"].tolist() == ["too-few-cases", "", ""]
    assert found.per_class["specificity_reason"].tolist() == ["", "", ""]
    assert found.per_class["precision_reason"].tolist() == ["too-few-cases", "", ""]
    perfect = bc.evaluate(draw(3, classes=("a", "b", "c"), perfect=True), bootstrap=QUICK).metrics
    for name in ("accuracy", "balanced_accuracy", "recall", "roc_auc"):
        assert perfect.loc[name, "low"] < 0.9 < perfect.loc[name, "high"]


def test_a_set_of_few_cases_warns_once_per_class():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        bc.evaluate(draw(2), bootstrap=QUICK)
    assert len([one for one in seen if issubclass(one.category, EvaluationWarning)]) == 1


def test_specificity_by_slide_is_not_surer_than_by_case():
    """Six benign cases of one or two slides each, all right: Wilson's interval at six cases at every level."""
    some = draw(6, perfect=True)
    slides = np.array([f"{slide}-{row % 2}" for row, slide in enumerate(some.slides)], dtype=object)
    some = bc.Predictions.from_arrays(
        probabilities=some.probabilities, labels=some.labels, classes=CLASSES, cases=some.cases, slides=slides
    )
    found = bc.evaluate(some, bootstrap=QUICK).by_level
    lows = found["low"].unstack("level").loc[["specificity", "recall", "roc_auc", "balanced_accuracy"]]
    assert lows.loc["specificity", "case"] == pytest.approx(0.6097, abs=1e-4)
    assert lows.nunique(axis=1).le(1).loc[["specificity", "recall", "roc_auc"]].all()
    assert pd.notna(lows).all(axis=None)
