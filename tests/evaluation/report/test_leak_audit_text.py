from breastcls.evaluation.report.leak_audit_text import audit_facts, audit_verdict


def test_the_audit_is_put_into_words(evaluate, audit):
    assert audit_verdict(evaluate()).tone == "good"
    assert audit_verdict(evaluate(leakage=None)).tone == "caution"
    leak = audit(shared_cases=("14-1",))
    assert audit_verdict(evaluate(leakage=leak)).tone == "bad"
    assert "allow_leakage=True" in audit_verdict(evaluate(leakage=leak)).explanation


def test_an_audit_by_name_only_does_not_claim_to_have_compared_the_pixels(evaluate, audit):
    evaluation = evaluate(leakage=audit(pixels_compared=False))
    assert "not compared" in audit_verdict(evaluation).explanation
    assert [name for name, _ in audit_facts(evaluation)] == ["Shared cases", "Shared slides"]


def test_no_leak_is_only_claimed_of_what_was_compared(evaluate, audit):
    names_only = {"pixels_compared": False}
    for report in (audit(compared_with=("threshold",), **names_only), audit(compared_by=(), **names_only)):
        verdict = audit_verdict(evaluate(leakage=report))
        assert verdict.tone == "caution"
        assert "were not compared with these" in verdict.explanation
    by_slide = audit(compared_by=("slides",), **names_only)
    assert audit_verdict(evaluate(leakage=by_slide)).explanation.startswith("No slide of these images")
    assert [name for name, _ in audit_facts(evaluate(leakage=by_slide))] == ["Shared slides"]


def test_a_leak_is_laid_on_what_leaked(evaluate, audit):
    found = {"shared_cases": ("14-1",), "test_images_in_shared_cases": 12, "pixels_compared": False}
    leak = audit(compared_with=("calibration", "threshold"), **found)
    assert audit_verdict(evaluate(leakage=leak)).text == (
        "There is a leak: the calibration and the threshold used cases that are scored here."
    )
    facts = dict(audit_facts(evaluate(leakage=leak)))
    assert facts["Images of a case that was used before (calibration and threshold)"] == "12 of 288 (4%)"
    assert "training" in audit_verdict(evaluate(leakage=audit(**found))).text


def test_a_possible_leak_is_called_that(evaluate, audit):
    possible = audit(similar_cases=(("01", "1"),))
    assert "possible leak" in audit_verdict(evaluate(leakage=possible)).text
    assert audit_verdict(evaluate(leakage=possible)).tone == "bad"
    assert dict(audit_facts(evaluate(leakage=possible)))["Similar names of cases"] == "1: 01 and 1"
    both = audit(similar_cases=(("01", "1"),), shared_cases=("2",))
    assert "not independent" in audit_verdict(evaluate(leakage=both)).text
