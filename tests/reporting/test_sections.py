import pandas as pd
import pytest

from breastcls.reporting.sections import (
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
