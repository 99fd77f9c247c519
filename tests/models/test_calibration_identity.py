import dataclasses
import json

import numpy as np
import pytest

from breastcls.calibration.calibrators import Calibrator, fit_calibrator
from breastcls.decisions.conformal import fit_conformal
from breastcls.decisions.conformal_sets import ConformalSets
from breastcls.decisions.thresholds import choose_threshold
from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.models.calibration_identity import name_calibration
from breastcls.predictions.join_predictions import join_predictions
from breastcls.predictions.predictions import Predictions


@pytest.fixture
def sides():
    """Validation and test predictions that are all too high, so that a calibration moves them far."""
    labels = np.tile([0, 1], 100)

    def side(name, seed):
        noise = np.random.default_rng(seed).normal(size=200)
        return Predictions.from_arrays(
            probabilities=1 / (1 + np.exp(-(4 + 1.5 * (2 * labels - 1) + noise))),
            labels=labels,
            cases=[f"{name}, {number // 4}-{number % 2}" for number in range(200)],
            classes=("benign", "malignant"),
        )

    return side("val", 1), side("test", 2)


def test_a_threshold_is_refused_on_probabilities_of_another_calibration(sides):
    val, test = sides
    platt, other = fit_calibrator(val, "platt"), fit_calibrator(val, "vector")
    early, late = (choose_threshold(some, "sensitivity", target=0.9) for some in (val, platt.apply(val)))
    # What passed in silence: of the calibrated probabilities it decides nearly all as one class.
    misled = evaluate(platt.apply(test), threshold=early.value, bootstrap=Bootstrap(10)).metrics["value"]
    assert misled["recall"] < 0.5
    for threshold, some, words in (
        (
            early,
            platt.apply(test),
            "without a calibration on record; these are calibrated by platt .* Calibrate the val",
        ),
        (late, test, "calibrated by platt .* these are without a calibration on record.* Apply that calibration"),
        (late, other.apply(test), "calibrated by platt .* these are calibrated by vector"),
        (late, platt.apply(platt.apply(test)), "calibrated by platt .* these are calibrated by platt"),
    ):
        with pytest.raises(EvaluationError, match=f"threshold was chosen on probabilities {words}"):
            evaluate(some, threshold=threshold, bootstrap=Bootstrap(10))
    for threshold, some in ((early, test), (late, platt.apply(test))):
        found = evaluate(some, threshold=threshold, bootstrap=Bootstrap(10))
        assert found.metrics.loc["recall", "value"] > 0.8
        assert found.threshold["calibration"] == threshold.calibration


def test_sets_are_refused_on_probabilities_of_another_calibration(sides):
    val, test = sides
    platt = fit_calibrator(val, "platt")
    early, late = fit_conformal(val), fit_conformal(platt.apply(val))
    for sets, some in ((early, platt.apply(test)), (late, test)):
        for use in (sets.sets, lambda some, sets=sets: sets.assess(some, Bootstrap(5))):
            with pytest.raises(EvaluationError, match=r"prediction sets were fitted .* `fit_conformal\(\.\.\.\)`"):
                use(some)
    for sets, some in ((early, test), (late, platt.apply(test))):
        again = ConformalSets.from_dict(json.loads(json.dumps(sets.to_dict())))
        assert again == sets
        np.testing.assert_array_equal(again.sets(some), sets.sets(some))
    # Kept before it was recorded: not known, so it is not refused.
    old = {name: value for name, value in early.to_dict().items() if name != "calibration"}
    assert ConformalSets.from_dict(old).calibration is None
    ConformalSets.from_dict(old).sets(platt.apply(test))


def test_a_map_is_known_by_its_numbers_wherever_it_went(sides):
    val, _ = sides
    for method in ("temperature", "platt", "isotonic", "vector", "dirichlet"):
        fitted = fit_calibrator(val, method)
        again = Calibrator.from_dict(json.loads(json.dumps(fitted.to_dict())))
        assert again.apply(val).calibration == fitted.apply(val).calibration
        assert fit_calibrator(val[:100], method).record()["fingerprint"] != fitted.record()["fingerprint"]
    by_case = fitted.apply(val).aggregate("case")
    assert name_calibration(by_case.calibration) == name_calibration(fitted.apply(val).calibration)


def test_a_csv_keeps_which_calibration_it_was(sides, tmp_path):
    val, test = sides
    platt = fit_calibrator(val, "platt")
    threshold = choose_threshold(platt.apply(val))
    back = {}
    for name, some in {"raw": test, "calibrated": platt.apply(test)}.items():
        back[name] = Predictions.from_csv(some.to_csv(tmp_path / f"{name}.csv"))
        assert name_calibration(back[name].calibration) == name_calibration(some.calibration)
    found = evaluate(back["calibrated"], threshold=threshold, bootstrap=Bootstrap(10))
    # The cases it was fitted on are not in the file, so that nobody can vouch for them.
    assert any("calibration was fitted on these images is not known" in one for one in found.limitations)
    with pytest.raises(EvaluationError, match="without a calibration on record"):
        evaluate(back["raw"], threshold=threshold, bootstrap=Bootstrap(10))
    apart = dataclasses.replace(test, calibration={"method": "platt", "fingerprint": None})
    assert Predictions.from_csv(apart.to_csv(tmp_path / "apart.csv")).calibration is None


def test_what_nobody_said_is_not_refused(sides):
    val, test = sides
    assert choose_threshold(val).calibration == "none"
    evaluate(test, threshold=choose_threshold(dataclasses.replace(val, part="out-of-fold")), bootstrap=Bootstrap(10))
    folds = [val[:100], val[100:]]
    pooled = join_predictions(folds)
    assert choose_threshold(pooled).calibration == "none"
    # Each fold calibrated by itself: no one map can be named, nor those that follow it.
    own = [fit_calibrator(folds[1], "platt"), fit_calibrator(folds[0], "platt")]
    apart = join_predictions([fitted.apply(fold) for fitted, fold in zip(own, folds, strict=True)])
    assert choose_threshold(apart).calibration is None
    platt = fit_calibrator(val, "platt")
    assert choose_threshold(platt.apply(apart)).calibration is None
    evaluate(platt.apply(test), threshold=choose_threshold(apart), bootstrap=Bootstrap(10))
    foreign = dataclasses.replace(test, calibration={"method": "platt", "cases": ["elsewhere"]})
    evaluate(foreign, threshold=choose_threshold(val), bootstrap=Bootstrap(10))
