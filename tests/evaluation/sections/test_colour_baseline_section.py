"""The comparison of a model with the colour-only baseline in words."""

import pandas as pd
import pytest

from breastcls.evaluation.report.section_parts import collect_findings
from breastcls.evaluation.sections import colour_baseline_section

NAN = float("nan")


def scores(value, low=NAN, high=NAN):
    return pd.DataFrame({"value": [value], "low": [low], "high": [high]}, index=["roc_auc"])


def baseline_verdict(found):
    return colour_baseline_section.baseline_verdict(found.colour_baseline, found)


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
def test_the_model_is_compared_with_the_colour_only_baseline(evaluate, model, colour, tone):
    assert baseline_verdict(evaluate(metrics=scores(*model), colour_baseline=scores(*colour))).tone == tone


@pytest.mark.parametrize(
    ("model", "difference", "tone"),
    [
        # Whether or not the two intervals overlap, the paired one counts.
        ((0.85, 0.75, 0.95), (0.05, 0.01, 0.09), "good"),
        ((0.90, 0.86, 0.94), (0.10, -0.02, 0.22), "caution"),
        ((0.75, 0.70, 0.80), (-0.05, -0.15, 0.05), "bad"),
    ],
)
def test_the_paired_difference_counts_where_it_is_known(evaluate, model, difference, tone):
    verdict = baseline_verdict(
        evaluate(metrics=scores(*model), colour_baseline=scores(0.8, 0.75, 0.85), colour_difference=scores(*difference))
    )
    assert verdict.tone == tone
    assert ("paired difference" in verdict.explanation) == (tone != "bad")


def test_without_an_interval_of_the_difference_the_two_intervals_are_compared(evaluate):
    tables = {"metrics": scores(0.9, 0.86, 0.94), "colour_baseline": scores(0.8, 0.75, 0.85)}
    assert baseline_verdict(evaluate(**tables, colour_difference=scores(0.1))).tone == "good"


@pytest.mark.parametrize("colour", [None, scores(NAN), scores(0.8).rename(index={"roc_auc": "accuracy"})])
def test_without_a_baseline_there_is_no_comparison(evaluate, colour):
    found = evaluate(colour_baseline=colour)
    assert found.colour_baseline is None or baseline_verdict(found) is None
    assert "baselines" not in {key for _, key, _ in collect_findings(found)}
