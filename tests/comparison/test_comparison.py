import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from breastcls.comparison.compare_models import RESAMPLES_PER_PAIR, compare
from breastcls.comparison.p_values import holm
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata
from breastcls.metrics.classification_metrics import METRICS, compute_metrics
from breastcls.metrics.number_format import format_estimate
from breastcls.predictions.aggregation import Aggregation


def worsened(some, seed, share=0.5):
    """Return the same images with a share of the probabilities shuffled."""
    generator = np.random.default_rng(seed)
    rows = np.arange(len(some))
    moved = generator.random(len(rows)) < share
    rows[moved] = generator.permutation(rows[moved])
    return dataclasses.replace(some, probabilities=some.probabilities[rows])


def test_differences_equal_repeated_cases(draw):
    first = draw(1, images=80, cases=10)
    second = worsened(first, 0)
    found = compare([first, second], bootstrap=Bootstrap(resamples=25, confidence=0.8, method="percentile", seed=4))
    codes, values = case_codes(first), []
    for weights in np.concatenate(list(Bootstrap(25, seed=4).weights(case_strata(first.labels, codes, 2)))):
        rows = np.repeat(np.arange(80), weights[codes].astype(int))
        values.append(compute_metrics(first[rows]) - compute_metrics(second[rows]))
    names = [name for name in METRICS if name != "patient_recognition_rate"]  # copies of a slide are one slide there
    low, high = np.quantile(np.array([value[names] for value in values]), [0.1, 0.9], axis=0)
    table = found.differences.loc[("A", "B")].loc[names]
    np.testing.assert_allclose(table["low"], low, atol=1e-6)
    np.testing.assert_allclose(table["high"], high, atol=1e-6)
    gap = compute_metrics(first)[names] - compute_metrics(second)[names]
    np.testing.assert_allclose(table["difference"], gap)


def test_the_verdict_names_the_better_model_or_no_significant_difference(draw):
    some = draw(2, images=600, cases=40)
    poor = worsened(some, 1, 0.9)
    found = compare({"poor": poor, "good": some}, bootstrap=Bootstrap(300))
    assert found.verdicts[0].startswith("good has a better balanced accuracy than poor")
    # For a loss the lower is the better.
    by_loss = compare({"poor": poor, "good": some}, metric="log_loss", bootstrap=Bootstrap(300))
    assert by_loss.verdicts[0].startswith("good has a better log loss than poor")
    alike = compare([worsened(some, 1, 0.1), worsened(some, 2, 0.1)], bootstrap=Bootstrap(300))
    assert alike.verdicts[0].startswith("No significant difference in balanced accuracy")
    same = compare([some, some], bootstrap=Bootstrap(50))
    assert same.differences["p"].eq(1).all()
    assert same.tests["delong_p"].item() == 1


def test_pairing_makes_intervals_narrower(draw):
    some = draw(3, images=400, cases=40)
    near = worsened(some, 1, 0.05)
    row = compare([some, near], bootstrap=Bootstrap(400)).differences.loc[("A", "B", "roc_auc")]
    alone = evaluate(some, bootstrap=Bootstrap(400)).metrics.loc["roc_auc"]
    assert row["high"] - row["low"] < 0.7 * (alone["high"] - alone["low"])


def test_three_models_are_corrected_for_three_pairs(draw):
    some = draw(4)
    found = compare([some, worsened(some, 1), worsened(some, 2)], bootstrap=Bootstrap(200))
    assert len(found.verdicts) == 3
    for metric in ("roc_auc", "mcc"):
        table = found.differences.xs(metric, level="metric")
        np.testing.assert_allclose(table["p_holm"], holm(table["p"]))
        assert (table["p_holm"] >= table["p"]).all()
    assert found.tests["mcnemar_p"].isna().all()
    assert (
        compare([some, worsened(some, 1)], aggregation="case", bootstrap=Bootstrap(50)).tests["mcnemar_p"].notna().all()
    )
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["verdicts"] == list(found.verdicts)
    assert "Balanced accuracy" in str(found)


def test_whatever_has_predictions_is_compared(draw):
    some = draw(4)
    other = worsened(some, 1)
    expected = compare([some, other], aggregation="case", bootstrap=Bootstrap(50))
    evaluations = [evaluate(one, aggregation="case", bootstrap=Bootstrap(10)) for one in (some, other)]
    found = compare(evaluations, aggregation="case", bootstrap=Bootstrap(50))
    pd.testing.assert_frame_equal(found.differences, expected.differences)
    with pytest.raises(EvaluationError, match='by case already; use aggregation="case"'):
        compare(evaluations)
    with pytest.raises(EvaluationError, match="x is predicted by image, y by case"):
        compare({"x": some, "y": evaluations[1]}, aggregation="case")
    named = compare({"x": some.aggregate("case"), "y": evaluations[1]}, aggregation="case", bootstrap=Bootstrap(50))
    assert named.metrics.columns.tolist() == ["x", "y"]
    np.testing.assert_array_equal(named.metrics, expected.metrics)


def test_what_cannot_be_compared(draw):
    some = draw()
    cases = [
        ({"models": [some]}, "two or more"),
        ({"models": [some, draw(1)]}, "differ from those of A"),
        ({"models": {"x": some}}, "mapping .* of two or more .* it is a dict of 1"),
        ({"models": "some.keras"}, "it is a str"),
        ({"models": [some, some], "metric": "kappa"}, "expected one of"),
        ({"models": [some, dataclasses.replace(some, classes=("a", "b"))]}, "classes or cases of B"),
    ]
    for arguments, words in cases:
        with pytest.raises(EvaluationError, match=words):
            compare(**arguments)


def test_models_cannot_be_compared_on_one_case(draw):
    some = draw()[:40]
    one = dataclasses.replace(some, cases=np.full(40, "x", dtype=object))
    with pytest.warns(EvaluationWarning, match="only 1 case"):
        found = compare([one, worsened(one, 1)], bootstrap=Bootstrap(20))
    assert "is not estimable" in found.verdicts[0] or "cannot be compared" in found.verdicts[0]
    assert np.isnan(found.tests["delong_p"].item())
    assert any("has only 1 case scored" in limitation for limitation in found.limitations)


def test_few_and_unknown_cases_warn_as_in_evaluate(draw):
    few = draw(1, images=60, cases=8)
    with pytest.warns(EvaluationWarning, match="only 4 cases"):
        found = compare([few, worsened(few, 1)], bootstrap=Bootstrap(50))
    assert any("only 4 cases" in limitation for limitation in found.limitations)
    assert any("there are no p-values" in limitation for limitation in found.limitations)
    assert found.verdicts[0].startswith("The cases are too few to show whether")
    assert found.tests["delong_p"].isna().all()
    enough = compare([draw(1, cases=10), worsened(draw(1, cases=10), 1)], bootstrap=Bootstrap(50))
    assert not any("DeLong" in limitation for limitation in enough.limitations)
    assert enough.tests["delong_p"].notna().all()
    unknown = dataclasses.replace(draw(), cases=None)
    with pytest.warns(EvaluationWarning, match="Cases are not known"):
        found = compare([unknown, worsened(unknown, 1)], bootstrap=Bootstrap(50))
    assert any("Cases are not known" in limitation for limitation in found.limitations)
    assert "Limitations" in str(found)
    assert json.loads(found.to_json())["limitations"] == list(found.limitations)


def test_a_limitation_of_one_model_names_it(draw):
    some = draw()
    never = some.with_threshold(1.0)
    found = compare({"good": some, "idle": never}, bootstrap=Bootstrap(50))
    assert [limitation for limitation in found.limitations if "never predicted" in limitation] == [
        "idle: The model never predicted malignant: its precision is set to 0."
    ]


def test_cases_of_several_classes_are_dropped_or_get_their_last_class(draw):
    some = draw(mixed=True, images=60, cases=24)
    others = worsened(some, 1)
    with pytest.raises(EvaluationError, match="several classes"):
        compare([some, others], aggregation="case", bootstrap=Bootstrap(50))
    for mixed in ("drop", "last"):
        found = compare([some, others], aggregation=Aggregation("case", mixed_labels=mixed), bootstrap=Bootstrap(50))
        expected = compute_metrics(some.aggregate(Aggregation("case", mixed_labels=mixed)))
        np.testing.assert_array_equal(found.metrics["A"], expected)
        assert found.counts["cases"] == len(some.aggregate(Aggregation("case", mixed_labels=mixed)))
        assert found.settings["aggregation"]["mixed_labels"] == mixed
        assert any("hold images of several classes" in limitation for limitation in found.limitations)


@pytest.mark.parametrize("part", ["validation", "train"])
def test_only_test_images_are_compared(draw, part):
    some = dataclasses.replace(draw(), part=part)
    with pytest.raises(EvaluationError, match=f"the {part} part"):
        compare([some, some], bootstrap=Bootstrap(20))


def test_many_pairs_get_more_resamples_and_can_be_significant(draw):
    """Percentiles of 2000 resamples cannot reach p < 0.02 after correction for 21 pairs, nor p < 0.05 for 55."""
    some = draw(2, images=400, cases=30)
    models = [some, *(worsened(some, seed, 0.9) for seed in range(6))]
    found = compare(models)
    assert found.settings["bootstrap"]["resamples"] == 21 * RESAMPLES_PER_PAIR
    assert found.differences.loc[("A", "B", "roc_auc"), "p_holm"] < 1e-4
    assert found.verdicts[0].startswith("A has a better balanced accuracy than B")
    few = compare(models, bootstrap=Bootstrap(300))
    assert any("300 resamples are few for 21 pairs" in limitation for limitation in few.limitations)
    assert not any("are few" in limitation for limitation in found.limitations)
    assert compare(models[:2]).settings["bootstrap"]["resamples"] == 2000


def test_tables_as_text(draw, tmp_path):
    some = draw(2)
    found = compare({"my_net": some, "other": worsened(some, 1)}, bootstrap=Bootstrap(200))
    row = found.differences.loc[("my_net", "other", "roc_auc")]
    cell = format_estimate(row["difference"], row["low"], row["high"])
    text = found.to_markdown(tmp_path / "table.md")
    assert (tmp_path / "table.md").read_text(encoding="utf-8") == text
    line = next(line for line in text.splitlines() if "Area under the ROC curve" in line)
    assert [part.strip() for part in line.split("|")[1:5]] == ["my_net", "other", "Area under the ROC curve", cell]
    latex = found.to_latex(table="metrics", digits=2)
    assert f"{found.metrics.loc['roc_auc', 'my_net']:.2f}" in latex
    assert r"my\_net" in latex
    with pytest.raises(EvaluationError, match="no table 'roc'"):
        found.to_markdown(table="roc")


@pytest.fixture(scope="module")
def three():
    from support.prediction_fixtures import make_predictions

    some = make_predictions(2)
    return compare(
        {"my_net": some, "B & C": worsened(some, 1), "<c>": worsened(some, 2, 0.9)}, bootstrap=Bootstrap(1200)
    )


def test_intervals_and_p_of_several_pairs_have_the_same_correction(three):
    table = three.differences
    assert (table["low_adjusted"] <= table["low"]).all()
    assert (table["high_adjusted"] >= table["high"]).all()
    outside = (table["low_adjusted"] > 0) | (table["high_adjusted"] < 0)
    assert (outside == (table["p_holm"] < 0.05)).all()
    # Some are significant before the correction and not after it.
    assert (outside != (table["p"] < 0.05)).any()
    assert "corrected for 3 pairs" in three.to_latex()
    assert any("corrected for 3 pairs" in limitation for limitation in three.limitations)
    assert "both corrected for 3 pairs" in three.verdicts[0]
    two = compare([worsened(draw_one(), 1), draw_one()], bootstrap=Bootstrap(100))
    assert two.differences["low"].equals(two.differences["low_adjusted"].rename("low"))
    assert "orrected" not in two.to_latex()


def draw_one():
    from support.prediction_fixtures import make_predictions

    return make_predictions(2)


def test_each_model_has_its_own_interval(three):
    alone = evaluate(draw_one(), bootstrap=Bootstrap(1200)).metrics
    pd.testing.assert_frame_equal(alone, three.scores.loc["my_net"])
    value, low, high = alone.loc["roc_auc", ["value", "low", "high"]]
    assert f"{value:.3f} ({low:.3f}–{high:.3f})" in str(three)
    assert max(map(len, str(three).split("\n\n")[1].splitlines())) <= 80


def test_the_figure_shows_models_and_differences(three, tmp_path):
    figure = three.plot(tmp_path / "models.svg", metric="roc_auc")
    models, pairs = figure.axes
    assert [label.get_text() for label in models.get_yticklabels()] == ["my_net", "B & C", "<c>"]
    assert len(pairs.get_yticklabels()) == 3
    row = three.differences.xs("roc_auc", level="metric").iloc[0]
    (line,) = [one for one in pairs.get_lines() if set(one.get_ydata()) == {0} and len(one.get_xdata()) == 2]
    np.testing.assert_allclose(line.get_xdata(), [row["low_adjusted"], row["high_adjusted"]])
    with pytest.raises(EvaluationError, match="expected one of 'accuracy'"):
        three.plot(metric="kappa")


def test_the_page_has_all_tables_and_escapes_names(three, tmp_path):
    text = three.to_html(tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "<h1>Comparison of models</h1>" in text
    assert "&lt;c&gt;" in text
    assert "<c>" not in text
    assert all(format_estimate(*row) in text for row in three.scores[["value", "low", "high"]].to_numpy())
    shown = three._repr_html_()
    assert "B &amp; C" in shown
    assert "<table>" in shown


def test_an_interval_that_is_not_estimable_is_shown_as_such(three, tmp_path):
    none = three.scores.assign(low=np.nan, high=np.nan)
    bare = three.differences.assign(low=np.nan, high=np.nan, low_adjusted=np.nan, high_adjusted=np.nan, p=np.nan)
    few = dataclasses.replace(three, scores=none, differences=bare)
    for text in (str(few), few.to_latex(), few.to_latex(table="metrics"), few._repr_html_()):
        assert "CI not estimable" in text
    assert "nan" not in few.to_html(tmp_path / "few.html").read_text(encoding="utf-8").lower().replace("tenant", "")
