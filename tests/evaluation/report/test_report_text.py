import pandas as pd
import pytest

from breastcls.evaluation.report.report_text import (
    audit_facts,
    audit_verdict,
    baseline_verdict,
    key_figures,
    sample_in_words,
)

NAN = float("nan")


def scores(value, low=NAN, high=NAN):
    return pd.DataFrame({"value": [value], "low": [low], "high": [high]}, index=["roc_auc"])


def test_the_audit_is_put_into_words(evaluate, audit):
    assert audit_verdict(evaluate()).tone == "good"
    assert audit_verdict(evaluate(leakage=None)).tone == "caution"
    leak = audit(shared_cases=("14-1",))
    assert audit_verdict(evaluate(leakage=leak)).tone == "bad"
    assert "allow_leakage=True" in audit_verdict(evaluate(leakage=leak, leak_allowed=True)).explanation


def test_an_audit_by_name_only_does_not_claim_to_have_seen_the_pictures(evaluate, audit):
    evaluation = evaluate(leakage=audit(pictures_compared=False))
    assert "not compared" in audit_verdict(evaluation).explanation
    assert [name for name, _ in audit_facts(evaluation)] == ["Shared cases", "Shared slides"]


def test_no_leak_is_only_claimed_of_what_was_compared(evaluate, audit):
    names_only = {"pictures_compared": False}
    for report in (audit(compared_with=("threshold",), **names_only), audit(compared_by=(), **names_only)):
        verdict = audit_verdict(evaluate(leakage=report))
        assert verdict.tone == "caution"
        assert "is also among the training images" in verdict.explanation
    by_slide = audit(compared_by=("slides",), **names_only)
    assert audit_verdict(evaluate(leakage=by_slide)).explanation.startswith("No slide of these images")
    assert [name for name, _ in audit_facts(evaluate(leakage=by_slide))] == ["Shared slides"]


def test_a_leak_is_laid_on_what_leaked(evaluate, audit):
    found = {"shared_cases": ("14-1",), "test_images_in_shared_cases": 12, "pictures_compared": False}
    leak = audit(compared_with=("calibration", "threshold"), **found)
    assert audit_verdict(evaluate(leakage=leak)).text == (
        "Leak: the calibration and the threshold saw cases that are scored here."
    )
    facts = dict(audit_facts(evaluate(leakage=leak)))
    assert facts["Images of a case that was learnt from too (calibration and threshold)"] == "12 of 288 (4%)"
    assert "training" in audit_verdict(evaluate(leakage=audit(**found))).text


@pytest.mark.parametrize(
    ("model", "colour", "tone"),
    [
        ((0.90, 0.86, 0.94), (0.80, 0.75, 0.85), "good"),
        ((0.90, 0.80, 0.95), (0.80, 0.75, 0.85), "caution"),
        ((0.90,), (0.80, 0.75, 0.85), "caution"),
        ((0.80, 0.75, 0.85), (0.80, 0.75, 0.85), "bad"),
        ((0.70, 0.65, 0.75), (0.80, 0.76, 0.85), "bad"),
    ],
)
def test_the_model_is_judged_beside_colour_alone(evaluate, model, colour, tone):
    assert baseline_verdict(evaluate(metrics=scores(*model), colour_baseline=scores(*colour))).tone == tone


@pytest.mark.parametrize(
    ("model", "difference", "tone"),
    [
        # The two intervals overlap, or not: the paired one decides.
        ((0.85, 0.75, 0.95), (0.05, 0.01, 0.09), "good"),
        ((0.90, 0.86, 0.94), (0.10, -0.02, 0.22), "caution"),
        ((0.75, 0.70, 0.80), (-0.05, -0.15, 0.05), "bad"),
    ],
)
def test_the_difference_on_the_same_cases_decides_where_it_is_known(evaluate, model, difference, tone):
    verdict = baseline_verdict(
        evaluate(metrics=scores(*model), colour_baseline=scores(0.8, 0.75, 0.85), colour_difference=scores(*difference))
    )
    assert verdict.tone == tone
    assert ("on the same cases" in verdict.explanation) == (tone != "bad")


def test_without_an_interval_of_the_difference_the_two_intervals_are_compared(evaluate):
    tables = {"metrics": scores(0.9, 0.86, 0.94), "colour_baseline": scores(0.8, 0.75, 0.85)}
    assert baseline_verdict(evaluate(**tables, colour_difference=scores(0.1))).tone == "good"


@pytest.mark.parametrize("colour", [None, scores(NAN), scores(0.8).rename(index={"roc_auc": "accuracy"})])
def test_without_a_baseline_to_compare_nothing_is_said(evaluate, colour):
    assert baseline_verdict(evaluate(colour_baseline=colour)) is None


def test_key_figures_leave_out_what_is_not_known(evaluate):
    evaluation = evaluate(metrics=scores(NAN), counts={"images": 1, "slides": None, "cases": 1, "classes": {}})
    assert [(figure.name, figure.value) for figure in key_figures(evaluation)] == [
        ("Balanced accuracy", "not defined"),
        ("Area under the ROC curve", "not defined"),
        ("Image", "1"),
        ("Case", "1"),
    ]
    assert sample_in_words(evaluation) == "1 image from 1 case"
