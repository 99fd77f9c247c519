import dataclasses

import numpy as np
import pytest

from breastcls.calibration.calibrators import fit_calibrator
from breastcls.decisions.stored_decision_limitations import calibration_record, find_stored_limitations
from breastcls.decisions.thresholds import choose_threshold
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.aggregation import Aggregation


def halves(draw):
    some = draw(images=400, cases=40)
    first = np.isin(some.cases, sorted(set(some.cases))[:20])
    return some[first], some[~first]


def told(evaluation, words):
    return [limitation for limitation in evaluation.limitations if words in limitation]


@pytest.mark.parametrize(
    ("chosen", "scored", "elsewhere"),
    [
        (
            ("image", "mean"),
            ("image", "mean"),
            "slides (images aggregated by mean) and cases (images aggregated by mean)",
        ),
        (("case", "mean"), ("case", "mean"), "images and slides (images aggregated by mean)"),
        (("case", "mean"), ("image", "maximum"), "images and slides (images aggregated by maximum) and cases"),
        # Before a vote the threshold decides the single images, at every level.
        (("image", "mean"), ("case", "majority"), None),
        (("case", "majority"), ("case", "majority"), "; images are classified with it"),
    ],
)
def test_a_threshold_of_another_level_is_told(draw, chosen, scored, elsewhere):
    val, test = halves(draw)
    threshold = choose_threshold(val.aggregate(Aggregation(*chosen)))
    found = told(
        evaluate(
            test, threshold=threshold, aggregation=Aggregation(scored[0], method=scored[1]), bootstrap=Bootstrap(10)
        ),
        "was chosen on",
    )
    if elsewhere is None:
        assert not found
    else:
        assert elsewhere in found[0]
        assert f"was chosen on {chosen[0]}s" in found[0]


def test_a_threshold_of_unknown_origin_is_not_guessed_at(draw):
    _, test = halves(draw)
    for options in ({}, {"threshold": 0.4}):
        assert not told(evaluate(test, aggregation="case", bootstrap=Bootstrap(10), **options), "was chosen on")


def test_a_calibration_of_another_level_is_told(draw):
    val, test = halves(draw)
    applied = fit_calibrator(val).apply(test)
    by_case = evaluate(applied, aggregation="case", bootstrap=Bootstrap(10))
    assert told(by_case, "calibrated on images; for cases (images aggregated by mean)")
    assert not told(evaluate(applied, bootstrap=Bootstrap(10)), "calibrated on")
    by_case = fit_calibrator(val.aggregate("case")).apply(test.aggregate("case"))
    assert not told(evaluate(by_case, aggregation="case", bootstrap=Bootstrap(10)), "calibrated on")
    by_maximum = fit_calibrator(val.aggregate(Aggregation("case", "maximum"))).apply(test.aggregate("case"))
    assert told(
        evaluate(by_maximum, aggregation="case", bootstrap=Bootstrap(10)),
        "calibrated on cases (images aggregated by maximum)",
    )


def test_what_cannot_be_told_is_said(draw):
    val, test = halves(draw)
    nameless = dataclasses.replace(val, cases=None)
    found = evaluate(test, threshold=choose_threshold(nameless), bootstrap=Bootstrap(10))
    assert told(found, "Whether the threshold was chosen on these images is not known")
    calibrator = fit_calibrator(nameless)
    found = evaluate(calibrator.apply(test), threshold=choose_threshold(calibrator.apply(val)), bootstrap=Bootstrap(10))
    assert told(found, "Whether the calibration was fitted on these images is not known")
    assert not told(found, "Whether the threshold")


def test_prediction_sets_that_were_not_assessed_are_told(draw):
    some = draw()
    kept = {"conformal": {"level": "case"}}
    assert find_stored_limitations(some, some, ["image"], "mean", None, kept) == (
        "The model stores prediction sets for cases; images were scored, so the sets were not assessed.",
    )
    assert find_stored_limitations(some, some.aggregate("case"), ["image", "case"], "mean", None, kept) == ()


def test_the_calibration_is_found_with_the_predictions_or_in_the_card(draw):
    some = draw()
    card = {"calibration": {"method": "platt"}}
    assert calibration_record(some, {}) is None
    assert calibration_record(some, card) == {"method": "platt"}
    own = dataclasses.replace(some, calibration={"method": "isotonic", "cases": ()})
    assert calibration_record(own, card)["method"] == "isotonic"
