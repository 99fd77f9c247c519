import dataclasses

import numpy as np
import pytest

from breastcls.calibration.assessment import assess_calibration
from breastcls.decisions.thresholds import Threshold
from breastcls.errors import LeakageWarning
from breastcls.evaluation.evaluate import evaluate as score_predictions
from breastcls.evaluation.report.headline_block import size_verdict
from breastcls.evaluation.report.leak_audit_text import audit_verdict
from breastcls.evaluation.report.section_parts import collect_findings
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.evaluation.sections.calibration_section import bin_table
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions
from support.report_fixtures import change


def verdict_of(section, evaluation):
    """Return the verdict of a section; that of the threshold stands in its report, also where none was chosen."""
    value = evaluation.value_of(section)
    if section == "threshold":
        blocks = (
            SECTIONS[section].report_absent(evaluation)
            if value is None
            else SECTIONS[section].report(value, evaluation)
        )
        return blocks[0]
    return SECTIONS[section].verdict(value, evaluation)


def with_probabilities(evaluation, claimed, labels, cases=None, resamples=200):
    names = np.arange(len(labels)) if cases is None else cases
    some = Predictions.from_arrays(
        probabilities=claimed, labels=labels, classes=("benign", "malignant"), cases=names.astype(str)
    )
    calibration = assess_calibration(some, bootstrap=Bootstrap(resamples))
    return change(evaluation, calibration=calibration, predictions=some)


@pytest.mark.parametrize(
    ("claimed", "share", "images", "tone", "words"),
    [
        (0.8, 0.8, 100, "good", "close to the observed frequencies"),
        (0.92, 0.8, 100, "bad", "too high"),
        (0.71, 0.8, 100, "caution", "too low"),
        (0.99, 1.0, 16, "", "cases are too few to assess"),
        (0.8, 0.6, 10, "", "cases are too few to assess"),
    ],
)
def test_probabilities_are_judged_by_how_far_and_which_way_they_are_off(evaluate, claimed, share, images, tone, words):
    labels = (np.arange(images) < images * share).astype(int)
    verdict = verdict_of("calibration", with_probabilities(evaluate(), np.full(images, claimed), labels))
    assert verdict.tone == tone
    assert words in verdict.text
    assert f"of malignant is {claimed:.2f}, the observed frequency {share:.2f}" in verdict.explanation
    assert ("Calibrate on validation images" in verdict.explanation) == (tone in ("caution", "bad"))


@pytest.mark.parametrize("claimed", [0.99, 0.85, 0.4])
def test_images_of_one_class_do_not_show_whether_probabilities_are_calibrated(claimed):
    some = Predictions.from_arrays(
        probabilities=np.full(120, claimed),
        labels=np.ones(120, int),
        classes=("benign", "malignant"),
        cases=np.arange(120).astype(str),
    )
    verdict = verdict_of("calibration", score_predictions(some, bootstrap=Bootstrap(60)))
    assert (verdict.tone, verdict.text) == (
        "not-estimable",
        "Whether the probabilities are calibrated is not estimable.",
    )
    assert "All scored images are of malignant" in verdict.explanation


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
@pytest.mark.parametrize(("few", "tone"), [(4, ""), (5, "bad")])
def test_few_cases_of_a_class_do_not_show_that_probabilities_are_wrong(few, tone):
    labels = np.repeat([0, 1], [few, 40])
    some = Predictions.from_arrays(
        probabilities=np.full(len(labels), 0.3),
        labels=labels,
        classes=("benign", "malignant"),
        cases=np.arange(len(labels)).astype(str),
    )
    verdict = verdict_of("calibration", score_predictions(some, bootstrap=Bootstrap(200)))
    assert verdict.tone == tone
    assert ("too few to assess the calibration" in verdict.text) == (few < 5)


def test_a_bin_whose_edges_are_equal_as_printed_is_no_interval(evaluate):
    claimed = np.concatenate([np.linspace(1e-5, 4e-4, 50), np.linspace(0.1, 0.9, 50)])
    found = with_probabilities(evaluate(), claimed, np.arange(100) % 2)
    edges = [row[0].text for row in bin_table(found.calibration, found).rows]
    assert edges[1] == "near 0.000"
    assert not any(edge in ("0.000 to 0.000", "1.000 to 1.000") for edge in edges)
    assert edges[-1].endswith(" to 1.000")


def test_no_finding_is_good_where_a_class_has_no_image(evaluate):
    found = evaluate()
    counts = {name: dict(of_class) for name, of_class in found.counts["classes"].items()}
    assert "good" in {verdict.tone for verdict, *_ in collect_findings(found)}
    counts["benign"] = {"images": 0, "cases": 0}
    absent = evaluate(counts=dict(found.counts) | {"classes": counts})
    audit, *rest = (verdict.tone for verdict, *_ in collect_findings(absent))
    assert audit == ""
    assert "good" not in rest


def test_probabilities_off_both_ways_are_not_called_too_high_or_low(evaluate):
    claimed = np.repeat([0.3, 0.7], 50)
    labels = np.concatenate([np.zeros(50, int), np.ones(50, int)])
    verdict = verdict_of("calibration", with_probabilities(evaluate(), claimed, labels))
    assert verdict.text == "The probabilities are not calibrated."
    assert "(difference 0.00, 95% CI" in verdict.explanation
    assert evaluate().calibration is None


@pytest.mark.parametrize("images", [1, 8])
def test_how_often_each_tone_comes_out(evaluate, images):
    """Simulated: claims uniform in 0..1 and true, or the same with logits 2.5 times as large; a label for each case.

    Of 200 runs at 16, 40, 80 and 300 cases, 1 or 8 images each, a calibrated model was called bad in 0.5% to 3%; the
    overconfident one at 300 cases in all.
    """
    generator, evaluation = np.random.default_rng(11), evaluate()
    for cases, wanted in ((16, ""), (40, ""), (300, "good")):
        calibrated, overconfident = [], []
        for _ in range(15):
            truth = generator.uniform(0.001, 0.999, cases)
            labels = (generator.random(cases) < truth).astype(int).repeat(images)
            names = np.arange(cases).repeat(images)
            sure = 1 / (1 + ((1 - truth) / truth) ** 2.5)
            for tones, claimed in ((calibrated, truth), (overconfident, sure)):
                found = with_probabilities(evaluation, claimed.repeat(images), labels, names, 100)
                tones.append(verdict_of("calibration", found).tone)
        assert calibrated.count("bad") <= 2
        assert calibrated.count(wanted) >= 10
        if cases == 300:
            assert set(overconfident) == {"bad"}


def test_a_calibrated_model_is_not_advised_to_be_calibrated(evaluate):
    off = with_probabilities(evaluate(model={"temperature": 2.0}), np.full(50, 0.9), np.zeros(50, int) + [1, 0] * 25)
    assert "They were calibrated" in verdict_of("calibration", off).explanation
    foreign = with_probabilities(evaluate(), np.full(50, 0.9), np.zeros(50, int) + [1, 0] * 25)
    record = {"method": "platt", "cases": ["z"]}
    foreign = dataclasses.replace(foreign, predictions=dataclasses.replace(foreign.predictions, calibration=record))
    assert "They were calibrated" in verdict_of("calibration", foreign).explanation
    plain = with_probabilities(evaluate(), np.full(50, 0.9), np.zeros(50, int) + [1, 0] * 25)
    assert "fit_calibrator" in verdict_of("calibration", plain).explanation


@pytest.mark.parametrize(("how", "words"), [("majority", "shares of votes"), ("maximum", "the highest among")])
def test_votes_and_maxima_are_not_judged_as_probabilities(whole, how, words):
    found = whole(aggregation=Aggregation("case", how))
    verdict = verdict_of("calibration", found)
    assert verdict.text == "There are no probabilities to assess."
    assert words in verdict.explanation
    assert "assess the calibration" in verdict_of("calibration", whole(aggregation="case")).text


def test_where_the_threshold_comes_from(whole):
    chosen = Threshold(0.4, "sensitivity of at least 0.95", 0.96, 0.5, 80, ("a", "b"))
    verdict = verdict_of("threshold", whole(threshold=chosen))
    assert verdict.tone == "good"
    assert "sensitivity of at least 0.95, chosen on 80 images of 2 cases" in verdict.text
    assert verdict_of("threshold", whole(threshold=0.4)).tone == "caution"
    nameless = verdict_of("threshold", whole(threshold=dataclasses.replace(chosen, cases=())))
    assert nameless.tone == "caution"
    assert "is not known" in nameless.explanation
    scored = whole(threshold=chosen)
    # That the threshold was chosen elsewhere says nothing of the training.
    assert audit_verdict(scored).text == "Leaks were not checked."
    unnamed = dataclasses.replace(scored, predictions=dataclasses.replace(scored.predictions, cases=None))
    assert verdict_of("threshold", unnamed).tone == "caution"
    own = dataclasses.replace(chosen, cases=("a", *sorted(set(scored.predictions.cases))[:2]))
    with pytest.warns(LeakageWarning):
        leaked = verdict_of("threshold", whole(threshold=own, allow_leakage=True))
    assert leaked.tone == "bad"
    assert leaked.explanation.startswith("2 cases that it was chosen on are in the test set")
    votes = verdict_of("threshold", whole(threshold=chosen, aggregation=Aggregation("case", "majority")))
    assert "half of the votes or more classify its case as malignant" in votes.explanation
    assert "half of the votes" not in verdict_of("threshold", whole(threshold=chosen, aggregation="case")).explanation
    none = change(whole(), threshold=None)
    none = dataclasses.replace(none, predictions=none.predictions.with_threshold(None))
    assert "from a probability of 0.5." in verdict_of("threshold", none).text


def test_the_level_by_case_is_a_finding_unless_cases_were_scored(whole):
    found = whole()
    value = found.by_level.loc[("case", "balanced_accuracy"), "value"]
    assert f"{value:.3f}" in verdict_of("by_level", found).text
    assert verdict_of("by_level", whole(aggregation="case")) is None


def test_few_cases_are_a_finding(evaluate):
    assert size_verdict(evaluate()) is None
    counts = dict(evaluate().counts) | {
        "classes": {"benign": {"images": 9, "cases": 4}, "malignant": {"images": 9, "cases": 20}}
    }
    assert size_verdict(evaluate(counts=counts)).text == "There are few cases: 4 cases of benign."


def test_the_perturbation_with_the_largest_loss(whole):
    found = whole()
    short = {section: verdict for verdict, section, _ in collect_findings(found)}
    assert short["robustness"].text == "The perturbation with the largest loss is stain."
    words = short["robustness"].explanation
    # From the images as they were scored there: the headline may use test-time augmentation.
    assert words.startswith("Balanced accuracy 0.700 at strength 2, 0.900 on the unperturbed images.")
    headline = found.metrics.loc["balanced_accuracy", "value"]
    assert f"The {headline:.3f} of the headline was scored differently" in words
    assert "robustness" not in {section for _, section, _ in collect_findings(found.with_sections(robustness=None))}


def test_a_perturbation_with_the_same_score_as_the_headline(whole):
    found = whole()
    table = found.robustness.copy()
    table.loc[table["strength"] == 0, "value"] = found.metrics.loc["balanced_accuracy", "value"]
    short = {section: verdict for verdict, section, _ in collect_findings(found.with_sections(robustness=table))}
    assert "differently" not in short["robustness"].explanation
    changed = table[table["strength"] > 0]
    in_short = collect_findings(found.with_sections(robustness=changed))
    assert "robustness" not in {section for _, section, _ in in_short}
