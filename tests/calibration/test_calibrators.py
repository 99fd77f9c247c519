import dataclasses
import json

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from breastcls.calibration.calibrators import METHODS, Calibrator, fit_calibrator
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError, LeakageWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions


def overconfident(seed=0, images=3000, classes=2, factor=3.0):
    """Predictions whose true logits are `factor` times smaller than those claimed."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(images, classes))
    truth = softmax(logits, axis=1)
    labels = (truth.cumsum(axis=1) < generator.random((images, 1))).sum(axis=1)
    names = tuple("abcdefgh"[:classes])
    cases = [str(number // 5) for number in range(images)]
    some = Predictions.from_arrays(
        probabilities=softmax(factor * logits, axis=1), labels=labels, classes=names, cases=cases
    )
    return some, truth


def loss(some):
    return log_loss(some.labels, some.probabilities, labels=range(len(some.classes)))


def test_temperature_finds_what_was_put_in_and_the_minimum():
    some, _ = overconfident(classes=3)
    fitted = fit_calibrator(some)
    temperature = fitted.parameters["temperature"]
    assert temperature == pytest.approx(3.0, abs=0.25)
    grid = np.geomspace(0.5, 10, 400)
    losses = [log_loss(some.labels, softmax(np.log(some.probabilities + 1e-30) / value, axis=1)) for value in grid]
    assert temperature == pytest.approx(grid[np.argmin(losses)], rel=0.02)
    np.testing.assert_array_equal(fitted.apply(some).decisions, some.decisions)


def test_platt_against_scikit_learn():
    some, _ = overconfident()
    wide = np.clip(some.probabilities.astype(float), 1e-7, 1)
    score = np.log(wide[:, 1] / wide[:, 0])[:, None]
    positives, negatives = (some.labels == 1).sum(), (some.labels == 0).sum()
    # Platt's smoothed targets as weighted copies of each row with either label.
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    share = np.where(some.labels == 1, high, low)
    model = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000)
    model.fit(np.vstack([score, score]), np.repeat([1, 0], len(score)), sample_weight=np.r_[share, 1 - share])
    found = fit_calibrator(some, "platt").apply(some)
    np.testing.assert_allclose(found.positive, model.predict_proba(score)[:, 1], atol=1e-4)


def few_cases(generator, cases, *, apart=2.0, factor=1.0):
    """Images of cases, those of one alike; the true log-odds are `factor` times smaller than claimed."""
    case = np.repeat(np.arange(cases), 8)
    labels = case % 2
    seen = (2 * labels - 1) * apart + 0.7 * generator.normal(size=cases)[case] + 0.7 * generator.normal(size=len(case))
    return Predictions.from_arrays(
        probabilities=expit(factor * 2 * apart * seen / (0.7**2 + 0.7**2)),
        labels=labels,
        cases=case.astype(str),
        classes=("benign", "malignant"),
    )


def clipped_logarithms(some):
    return np.log(np.clip(some.probabilities.astype(float), 1e-7, 1))


@pytest.mark.parametrize("method", ["temperature", "vector", "dirichlet"])
def test_few_cases_pull_towards_no_change_against_a_plain_search(method):
    """The minimum, by a search without slopes, of the loss with half of each squared distance over the cases."""
    some = few_cases(np.random.default_rng(3), 10, factor=2.0)
    logits = clipped_logarithms(some)

    def unpack(values):
        if method == "temperature":
            return values[0] * np.eye(2), np.zeros(2)
        if method == "vector":
            return np.diag(values[:2]), values[2:]
        return values[:4].reshape(2, 2), values[4:]

    def penalised(values):
        weights, offsets = unpack(values)
        away = ((weights - np.eye(2)) ** 2).sum() / (2 if method == "temperature" else 1) + (offsets**2).sum()
        beside = ((weights * (1 - np.eye(2))) ** 2).sum() + (offsets**2).sum() if method == "dirichlet" else 0.0
        return log_loss(some.labels, softmax(logits @ weights.T + offsets, axis=1)) + away / (2 * 10) + 1e-3 * beside

    start = {"temperature": [1.0], "vector": [1.0, 1, 0, 0], "dirichlet": [1.0, 0, 0, 1, 0, 0]}[method]
    options = {"maxiter": 20000, "maxfev": 20000, "xatol": 1e-7, "fatol": 1e-12, "adaptive": True}
    weights, offsets = unpack(minimize(penalised, start, method="Nelder-Mead", options=options).x)
    found = fit_calibrator(some, method).parameters
    if method == "temperature":
        assert 1 / found["temperature"] == pytest.approx(weights[0, 0], abs=1e-4)
    else:
        np.testing.assert_allclose(found["weights"], weights, atol=1e-3)
        np.testing.assert_allclose(found["offsets"], offsets, atol=1e-3)


def test_with_many_cases_the_published_temperature_is_left():
    some = few_cases(np.random.default_rng(1), 20, apart=1.0, factor=3.0)
    logits, rows = clipped_logarithms(some), np.tile(np.arange(len(some)), 500)
    many = dataclasses.replace(some[rows], cases=np.array([f"{number // 8}" for number in range(len(rows))], object))
    published = minimize_scalar(
        lambda factor: log_loss(some.labels, softmax(factor * logits, axis=1)), bounds=(0.01, 10), method="bounded"
    ).x
    assert 1 / fit_calibrator(many).parameters["temperature"] == pytest.approx(published, rel=2e-3)
    assert 1 / fit_calibrator(some).parameters["temperature"] == pytest.approx(published, abs=0.3)
    # Without names every row counts as a case.
    rowwise = dataclasses.replace(some, cases=np.array([str(number) for number in range(len(some))], object))
    assert fit_calibrator(dataclasses.replace(some, cases=None)).parameters == fit_calibrator(rowwise).parameters


@pytest.mark.parametrize("method", ["temperature", "vector", "dirichlet"])
def test_classes_that_are_apart_do_not_make_certain(method, recwarn):
    some = few_cases(np.random.default_rng(0), 12, apart=6.0, factor=0.05)
    assert some.positive[some.labels == 1].min() > some.positive[some.labels == 0].max()
    found = fit_calibrator(some, method)
    after = found.apply(some)
    assert loss(after) < loss(some)
    assert after.probabilities.max() < 0.999
    assert not recwarn.list


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_with_few_cases_a_temperature_seldom_makes_things_worse(factor):
    """200 validation sets of 12 cases of 8 images, scored on 2000 new cases.

    The published fit, searched here by SciPy, diverges wherever the images happen to be separable.
    """
    generator = np.random.default_rng(0)
    new = few_cases(generator, 2000, factor=factor)

    def lost(some, log_factor=0.0):
        logits = clipped_logarithms(some)
        margin = np.exp(log_factor) * (logits[:, 1] - logits[:, 0]) * (2 * some.labels - 1)
        return np.logaddexp(0, -margin).mean()

    raw, worse = lost(new), {"published": [], "temperature": [], "vector": []}
    for _ in range(200):
        val = few_cases(generator, 12, factor=factor)
        published = minimize_scalar(
            lambda power, val=val: lost(val, power), bounds=np.log([1 / 50, 20]), method="bounded"
        )
        worse["published"].append(lost(new, published.x) / raw)
        for method in ("temperature", "vector"):
            worse[method].append(lost(fit_calibrator(val, method).apply(new)) / raw)
    share = {name: np.mean(np.array(ratios) > 1.1) for name, ratios in worse.items()}
    assert share["published"] > (0.4 if factor == 1 else 0.2), share
    assert share["temperature"] < (0.12 if factor == 1 else 0.05), share
    assert np.mean(worse["published"]) > 1.2
    assert np.mean(worse["temperature"]) < (1.05 if factor == 1 else 0.95)
    assert np.mean(worse["vector"]) < (1.1 if factor == 1 else 1.0)


def test_a_temperature_at_its_bound_is_told():
    right = few_cases(np.random.default_rng(0), 300)
    swapped = dataclasses.replace(right, labels=1 - right.labels)
    with pytest.warns(EvaluationWarning, match="bound of 50, on 300 cases: .* swapped"):
        assert fit_calibrator(swapped).parameters["temperature"] == pytest.approx(50, rel=1e-3)
    squeezed = Predictions.from_arrays(
        probabilities=0.5 + 5e-4 * (2 * np.tile([0, 1], 30000) - 1), labels=np.tile([0, 1], 30000), classes=("a", "b")
    )
    with pytest.warns(EvaluationWarning, match="bound of 0.05, on 60000 images of unknown cases"):
        fit_calibrator(squeezed)


def test_platt_stays_finite_where_classes_are_apart():
    some = Predictions.from_arrays(probabilities=[0.1, 0.2, 0.8, 0.9], labels=[0, 0, 1, 1], classes=("a", "b"))
    found = fit_calibrator(some, "platt").apply(some)
    assert 0.5 < found.positive[3] < 0.95


def test_isotonic_against_scikit_learn():
    some, _ = overconfident()
    model = IsotonicRegression(out_of_bounds="clip").fit(some.positive.astype(float), some.labels)
    other, _ = overconfident(seed=9)
    found = fit_calibrator(some, "isotonic").apply(other)
    np.testing.assert_allclose(found.positive, model.predict(other.positive.astype(float)), atol=1e-6)


@pytest.mark.parametrize("classes", [2, 4])
def test_vector_and_dirichlet_reach_the_minimum_of_multinomial_regression(classes):
    some, _ = overconfident(classes=classes)
    logits = np.log(np.clip(some.probabilities.astype(float), 1e-7, 1))
    model = LogisticRegression(C=1e6, tol=1e-8, max_iter=5000).fit(logits, some.labels)
    full = log_loss(some.labels, model.predict_proba(logits))
    vector, matrix = (loss(fit_calibrator(some, method).apply(some)) for method in ("vector", "dirichlet"))
    temperature = loss(fit_calibrator(some).apply(some))
    assert full - 1e-6 <= matrix <= full + 2e-3
    assert full - 1e-6 <= vector <= temperature + 1e-6


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("classes", [2, 3])
def test_each_method_helps_on_new_images_and_survives_json(method, classes):
    if method == "platt" and classes > 2:
        pytest.skip("two classes only")
    some, _ = overconfident(classes=classes)
    other, truth = overconfident(seed=5, classes=classes)
    fitted = fit_calibrator(some, method)
    after = fitted.apply(other)
    assert loss(after) < loss(other) - 0.05
    assert np.abs(after.probabilities - truth).mean() < 0.05
    np.testing.assert_allclose(after.probabilities.sum(axis=1), 1, atol=1e-5)
    again = Calibrator.from_dict(json.loads(json.dumps(fitted.to_dict())))
    np.testing.assert_array_equal(again(other.probabilities), after.probabilities)
    assert fitted.images == 3000
    assert len(fitted.cases) == 600


def test_what_is_refused():
    some, _ = overconfident(images=50)
    for part in ("test", "train"):
        with pytest.raises(EvaluationError, match=f"{part} predictions"):
            fit_calibrator(dataclasses.replace(some, part=part))
    with pytest.raises(EvaluationError, match="expected one of"):
        fit_calibrator(some, "histogram")
    with pytest.raises(EvaluationError, match="every class"):
        fit_calibrator(some[some.labels == 0])
    three, _ = overconfident(images=50, classes=3)
    with pytest.raises(EvaluationError, match="for two classes"):
        fit_calibrator(three, "platt")
    with pytest.raises(EvaluationError, match="fitted for the classes"):
        fit_calibrator(some).apply(three)


def test_it_is_not_scored_on_the_cases_it_was_fitted_on(draw):
    some = draw(images=400, cases=40)
    first = np.isin(some.cases, sorted(set(some.cases))[:20])
    fitted = fit_calibrator(some[first])
    with pytest.raises(LeakageError, match=r"shared cases?"):
        evaluate(fitted.apply(some), bootstrap=Bootstrap(10))
    with pytest.raises(LeakageError):
        evaluate(fitted.apply(some).aggregate("case"), aggregation="case", bootstrap=Bootstrap(10))
    with pytest.warns(LeakageWarning):
        assert evaluate(fitted.apply(some), allow_leakage=True, bootstrap=Bootstrap(10)).leak_allowed
    clean = evaluate(fitted.apply(some[~first]), bootstrap=Bootstrap(10))
    assert clean.leakage is None
    assert clean.predictions.calibration["method"] == "temperature"
    # Calibrated twice, on other cases: both count.
    again = fit_calibrator(fitted.apply(some[~first])).apply(fitted.apply(some))
    assert set(again.calibration["cases"]) == set(some.cases)


def test_it_knows_the_level_it_was_fitted_at(draw):
    by_case = fit_calibrator(draw().aggregate(Aggregation("case", "maximum")))
    assert (by_case.level, by_case.aggregation_method) == ("case", "maximum")
    assert Calibrator.from_dict(by_case.to_dict()) == by_case
    assert fit_calibrator(draw()).level == "image"
    old = {name: value for name, value in by_case.to_dict().items() if name not in ("level", "aggregation_method")}
    assert Calibrator.from_dict(old).level == "image"


def test_a_threshold_does_not_survive():
    some, _ = overconfident(images=50)
    assert fit_calibrator(some).apply(some.with_threshold(0.3)).threshold is None
