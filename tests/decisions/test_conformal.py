import dataclasses
import json
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest

from breastcls.decisions.conformal import fit_conformal
from breastcls.decisions.conformal_coverage import MEASURES
from breastcls.decisions.conformal_sets import ConformalSets
from breastcls.decisions.stored_decision_limitations import find_stored_limitations
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata
from breastcls.models.prediction_sets import conformity_scores
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.independence import check_independence
from breastcls.predictions.predictions import Predictions

BINARY, THREE = ("benign", "malignant"), ("a", "b", "c")


def score_by_hand(row, index, score):
    return 1 - row[index] if score == "lac" else sum(other for other in row if other > row[index])


def limit_by_hand(scores, units, coverage):
    """The definition, in exact fractions: every unit weighs 1 / (units + 1), shared among its rows."""
    sizes = {unit: units.count(unit) for unit in units}
    for candidate in sorted(set(scores)):
        held = sum(Fraction(1, sizes[unit]) for one, unit in zip(scores, units, strict=True) if one <= candidate)
        if held / (len(sizes) + 1) >= Fraction(coverage).limit_denominator(1000):
            return candidate
    return math.inf


@pytest.mark.parametrize("score", ["aps", "lac"])
@pytest.mark.parametrize("by", ["case", "image"])
@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("classes", [BINARY, THREE])
def test_limits_and_sets_against_the_definition(draw, score, by, per_class, classes):
    some, new = draw(1, images=120, cases=36, classes=classes), draw(2, images=40, classes=classes)
    fitted = fit_conformal(some, coverage=0.8, score=score, by=by, per_class=per_class)
    rows = some.probabilities.astype(float).tolist()
    own = [score_by_hand(row, label, score) for row, label in zip(rows, some.labels, strict=True)]
    units = some.cases.tolist() if by == "case" else list(range(len(rows)))
    for index in range(len(classes)):
        inside = [row for row, label in enumerate(some.labels) if label == index or not per_class]
        expected = limit_by_hand([own[row] for row in inside], [units[row] for row in inside], 0.8)
        assert fitted.limits[index] == pytest.approx(expected)
    expected = [
        [score_by_hand(row, index, score) <= fitted.limits[index] + 1e-9 for index in range(len(classes))]
        for row in new.probabilities.astype(float).tolist()
    ]
    np.testing.assert_array_equal(fitted.sets(new), expected)


def test_adaptive_sets_are_never_empty_and_ties_are_alike():
    probabilities = np.array([[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
    np.testing.assert_allclose(conformity_scores(probabilities, "aps"), [[0, 0, 0.8], [0.9, 0.7, 0]])
    sets = ConformalSets(0.5, "aps", "case", False, THREE, (0.0, 0.0, 0.0))
    some = Predictions.from_arrays(probabilities=probabilities, labels=None, classes=THREE)
    assert sets.sets(some).tolist() == [[True, True, False], [False, False, True]]


def draw_cases(generator, cases):
    """Clustered images as in a hospital: small cases are hard, large cases are easy."""
    hard = generator.random(cases) < 0.3
    sizes = np.where(hard, 2, 20)
    case = np.repeat(np.arange(cases), sizes)
    labels = generator.integers(0, 2, cases)[case]
    tilt = np.where(hard, 0.2, 2.0)[case]
    logits = (2 * labels - 1) * tilt + 0.5 * generator.normal(size=cases)[case] + generator.normal(size=len(case))
    return Predictions.from_arrays(
        probabilities=1 / (1 + np.exp(-2 * logits)), labels=labels, cases=case.astype(str), classes=BINARY
    )


def image_of_each_case(generator, some):
    rows = generator.permutation(len(some))
    return some[rows[np.unique(some.cases[rows], return_index=True)[1]]]


@pytest.mark.slow
@pytest.mark.parametrize("score", ["aps", "lac"])
def test_an_image_of_a_new_case_is_covered_over_cases_and_not_over_images(score):
    """1000 trials of 30 cases, each scored on one image of each of 60 new cases.

    The promise is an average over trials; its standard error here is below half a percent. Small cases are hard, and
    an image weighs as much as any other, so that image-wise calibration hardly sees them.
    """
    generator = np.random.default_rng(5)
    covered = {"case": [], "image": []}
    for _ in range(1000):
        val, new = draw_cases(generator, 30), image_of_each_case(generator, draw_cases(generator, 60))
        for by, shares in covered.items():
            sets = fit_conformal(val, coverage=0.9, score=score, by=by).sets(new)
            shares.append(sets[np.arange(len(new)), new.labels].mean())
    assert 0.9 - 0.01 <= np.mean(covered["case"]) <= 0.96, np.mean(covered["case"])
    assert np.mean(covered["image"]) < 0.87, np.mean(covered["image"])


@pytest.mark.slow
def test_each_class_is_covered_where_that_is_asked_for():
    """The rare class is the hard one: together they are covered, by itself it is not, unless it is asked for."""
    generator = np.random.default_rng(6)
    rare = {False: [], True: []}
    for _ in range(400):
        parts = []
        for cases in (120, 200):
            case = np.repeat(np.arange(cases), 3)
            labels = (np.arange(cases) % 6 == 0).astype(int)[case]
            logits = np.where(labels == 1, 0.0, -2.0) + 0.7 * generator.normal(size=cases)[case]
            logits += 0.7 * generator.normal(size=len(case))
            parts.append(
                Predictions.from_arrays(
                    probabilities=1 / (1 + np.exp(-logits)), labels=labels, cases=case.astype(str), classes=BINARY
                )
            )
        for per_class, shares in rare.items():
            chosen = fit_conformal(parts[0], coverage=0.9, score="lac", per_class=per_class).sets(parts[1])
            shares.append(chosen[parts[1].labels == 1, 1].mean())
    assert np.mean(rare[True]) >= 0.9 - 0.01
    assert np.mean(rare[False]) < 0.8


def test_too_few_cases_give_all_classes_and_say_so(draw):
    some = draw(images=80, cases=8)
    with pytest.warns(EvaluationWarning, match="at least 9 cases"):
        fitted = fit_conformal(some, coverage=0.9)
    assert fitted.limits == (math.inf, math.inf)
    assert fitted.sets(some).all()
    with pytest.warns(EvaluationWarning, match="based on 4 cases of malignant"):
        assert math.isfinite(fit_conformal(draw(images=80, cases=9), coverage=0.9, score="lac").limits[0])
    with pytest.warns(EvaluationWarning, match="of each class"):
        fit_conformal(draw(images=80, cases=12), coverage=0.9, per_class=True)


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_limits_are_order_statistics_and_infinite_beyond_the_last(coverage, per_class):
    """With n cases of one image it is the score of rank k = ceil((n + 1) coverage); with k > n every class fits."""
    share = Fraction(coverage).limit_denominator(10)
    for count in range(1, 13):
        of_classes = (count, 12) if per_class else (count // 2, count - count // 2)
        labels = np.repeat([0, 1], of_classes)
        positive = np.linspace(0.05, 0.95, len(labels))
        some = Predictions.from_arrays(
            probabilities=positive, labels=labels, cases=np.arange(len(labels)).astype(str), classes=BINARY
        )
        fitted = fit_conformal(some, coverage=coverage, score="lac", per_class=per_class)
        wide = some.probabilities.astype(float)
        own = 1 - wide[np.arange(len(labels)), labels]
        for index in range(2):
            scores = sorted(own[labels == index] if per_class else own)
            rank = math.ceil((len(scores) + 1) * share)
            assert fitted.limits[index] == (scores[rank - 1] if rank <= len(scores) else math.inf)
            assert fitted.sets(some)[:, index].all() or rank <= len(scores)


@pytest.mark.parametrize(("few", "coverage", "per_class", "warned"), [
    (3, 0.8, False, True), (5, 0.8, False, False), (3, 0.5, True, True), (3, 0.8, True, False),
])  # fmt: skip
def test_few_cases_of_a_class_that_may_be_left_out_are_a_limitation(few, coverage, per_class, warned):
    labels = np.repeat([0, 1], [few, 12])
    some = Predictions.from_arrays(
        probabilities=np.where(labels == 1, 0.9, 0.2), labels=labels, cases=np.arange(few + 12), classes=BINARY
    )
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fitted = fit_conformal(some, coverage=coverage, score="lac", per_class=per_class)
    words = f"The coverage by class is based on {few} cases of benign"
    assert any(words in str(one.message) for one in seen) == warned == (words in str(fitted))
    assert ConformalSets.from_dict(fitted.to_dict()).limitations == fitted.limitations
    kept = {"conformal": fitted.to_dict()}
    stored = find_stored_limitations(some, some, ["image"], "mean", None, kept)
    assert stored == tuple(f"Prediction sets: {one}" for one in fitted.limitations)


def test_without_cases_it_says_so(draw):
    some = dataclasses.replace(draw(), cases=None)
    with pytest.warns(EvaluationWarning, match="Cases are not known"):
        by_case = fit_conformal(some)
    assert by_case.limits == fit_conformal(some, by="image").limits


def rename(some):
    """The same predictions, of cases that no other draw holds."""
    return dataclasses.replace(some, cases=np.array([f"other {name}" for name in some.cases], dtype=object))


def test_how_the_sets_fare_against_counting(draw):
    val, new = draw(1), rename(draw(2, images=90, cases=10))
    fitted = fit_conformal(val, coverage=0.8, score="lac")
    table = fitted.assess(new, Bootstrap(200))
    sets = fitted.sets(new)
    holds, size = sets[np.arange(90), new.labels], sets.sum(axis=1)
    for name, inside in (("all classes", new.labels >= 0), ("benign", new.labels == 0), ("malignant", new.labels == 1)):
        of_case = [holds[inside & (new.cases == name)].mean() for name in sorted(set(new.cases[inside]))]
        expected = {
            "coverage": np.mean(of_case),
            "images_covered": holds[inside].mean(),
            "size": size[inside].mean(),
            "single": (size[inside] == 1).mean(),
            "single_right": holds[inside & (size == 1)].mean(),
            "empty": (size[inside] == 0).mean(),
            "images": inside.sum(),
        }
        row = table.loc[name]
        assert row[list(expected)].to_dict() == pytest.approx(expected)
        for figure in MEASURES:
            assert row[f"{figure}_low"] <= row[figure] + 1e-12
            assert row[figure] <= row[f"{figure}_high"] + 1e-12


def test_the_promise_is_measured_as_it_is_made():
    """A tenth of the cases are hard and have most of the images: the promise is kept, and most images are not covered.

    The coverage that is told beside the promise is that of one image drawn from each case, counted here by drawing.
    """
    generator = np.random.default_rng(8)

    def hospital(cases):
        hard = np.arange(cases) % 8 == 0
        sizes = np.where(hard, 60, 2)
        case = np.repeat(np.arange(cases), sizes)
        labels = generator.integers(0, 2, cases)[case]
        tilt = np.where(hard, -1.5, 2.0)[case]
        logits = (2 * labels - 1) * tilt + 0.5 * generator.normal(size=len(case))
        return Predictions.from_arrays(
            probabilities=1 / (1 + np.exp(-2 * logits)), labels=labels, cases=case.astype(str), classes=BINARY
        )

    fitted, new = fit_conformal(hospital(80), coverage=0.85), rename(hospital(200))
    row = fitted.assess(new, Bootstrap(200)).loc["all classes"]
    drawn = []
    for _ in range(400):
        one_each = image_of_each_case(generator, new)
        drawn.append(fitted.sets(one_each)[np.arange(200), one_each.labels].mean())
    assert row["coverage"] == pytest.approx(np.mean(drawn), abs=0.005)
    assert row["coverage_low"] < np.mean(drawn) < row["coverage_high"]
    assert row["coverage"] >= 0.85
    assert row["images_covered_high"] < 0.5
    told = fitted.describe(new, Bootstrap(20))
    assert "equal weights of all cases" in told["guarantee"]
    assert told["measured"] == "coverage as the mean over cases, all else over images"


def test_intervals_equal_repeated_cases(draw):
    new, bootstrap = rename(draw(2, images=60, cases=16)), Bootstrap(30, 0.8, "percentile")
    fitted = fit_conformal(draw(1), coverage=0.8)
    codes, values = case_codes(new), []
    for weights in np.concatenate(list(bootstrap.weights(case_strata(new.labels, codes, 2)))):
        # A case that was drawn twice stands for two.
        often = weights[codes].astype(int)
        again = new[np.repeat(np.arange(60), often)]
        turn = np.concatenate([np.arange(count) for count in often])
        named = [f"{name}, {number}" for name, number in zip(again.cases, turn, strict=True)]
        again = dataclasses.replace(again, cases=np.array(named, dtype=object))
        values.append(fitted.assess(again, Bootstrap(1))[list(MEASURES)].to_numpy())
    found = fitted.assess(new, bootstrap)
    for place, name in enumerate(MEASURES):
        low, high = np.quantile(np.array(values)[:, :, place], [0.1, 0.9], axis=0)
        varies = high - low > 1e-9
        assert varies.any() or name == "empty"
        # Where fewer than five cases vary no interval is narrower than Wilson's at the number of cases.
        assert (found[f"{name}_low"][varies] <= low[varies] + 1e-12).all()
        assert (found[f"{name}_high"][varies] >= high[varies] - 1e-12).all()
        if name == "size":
            np.testing.assert_allclose(found.iloc[0][[f"{name}_low", f"{name}_high"]].astype(float), [low[0], high[0]])
        assert not (found[f"{name}_high"] - found[f"{name}_low"] < 1e-9).any()


def test_the_section_of_a_report(draw):
    result = evaluate(rename(draw(2)), bootstrap=Bootstrap(20))
    section = fit_conformal(draw(1)).describe(result.predictions, Bootstrap(20))
    whole = result.with_sections(conformal=section)
    assert whole.conformal["nominal_coverage"] == 0.9
    assert whole.conformal["fitted_on"] == "validation predictions by image"
    assert "not proved" not in whole.conformal["guarantee"]
    assert "single_right" in whole.to_json()


def test_for_out_of_fold_predictions_the_promise_is_not_proved(draw):
    fitted = fit_conformal(dataclasses.replace(draw(1), part="out-of-fold"))
    assert ConformalSets.from_dict(fitted.to_dict()).part == "out-of-fold"
    section = fitted.describe(rename(draw(2)), Bootstrap(20))
    assert section["fitted_on"] == "out-of-fold predictions by image"
    assert section["guarantee"].startswith("not proved")


def test_through_json_and_back(draw):
    with pytest.warns(EvaluationWarning):
        fitted = fit_conformal(draw(cases=8), coverage=0.9, per_class=True)
    again = ConformalSets.from_dict(json.loads(fitted.to_json()))
    assert again == fitted
    assert str(fitted).startswith("Prediction sets by aps: nominal coverage 90% of each class over cases; fitted on")


@pytest.mark.parametrize("part", ["test", "train"])
def test_the_wrong_part_is_refused(draw, part):
    with pytest.raises(EvaluationError, match=f"{part} predictions"):
        fit_conformal(dataclasses.replace(draw(), part=part))


def test_sets_are_not_scored_on_their_own_cases(draw):
    some = draw(images=400, cases=40)
    first = np.isin(some.cases, sorted(set(some.cases))[:20])
    fitted = fit_conformal(some[first])
    for score in (fitted.assess, fitted.describe):
        with pytest.raises(LeakageError, match="fitted on 20 of these cases"):
            score(some, Bootstrap(10))
    fitted.assess(some[~first], Bootstrap(10))
    allowed = fitted.assess(some, Bootstrap(10), allow_leakage=True)
    assert allowed["images"].iloc[0] == 400
    # A model that keeps them: what it was fitted on counts as seen.
    report = check_independence(some, None, None, {"conformal": fitted.to_dict()})
    assert set(report.shared_cases) == set(some.cases[first])
    with pytest.raises(LeakageError):
        report.raise_if_leaking()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"coverage": 90}, "`coverage` is 90"), ({"score": "raps"}, "score is 'raps'"), ({"by": "slide"}, "by is")],
)
def test_wrong_arguments(draw, arguments, words):
    with pytest.raises(EvaluationError, match=words):
        fit_conformal(draw(), **arguments)


def test_what_does_not_fit(draw):
    fitted = fit_conformal(draw())
    with pytest.raises(EvaluationError, match="fitted for the classes"):
        fitted.sets(draw(classes=THREE))
    with pytest.raises(EvaluationError, match="by case"):
        fitted.sets(draw().aggregate("case"))
    with pytest.raises(EvaluationError, match="aggregated by maximum"):
        fit_conformal(draw().aggregate("case")).sets(draw().aggregate(Aggregation("case", "maximum")))
    with pytest.raises(EvaluationError, match="not on list"):
        fit_conformal([0.1])
