"""The tables, figures and pages of results of experiments, made by hand: nothing is trained."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.errors import EvaluationError
from breastcls.experiments.cross_validation_result import CrossValidation
from breastcls.experiments.protocol_result import CASE_CLEAN, OFFICIAL, SCORES, ProtocolResult
from breastcls.experiments.split_comparison import SplitComparison
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.metrics.number_format import format_estimate
from breastcls.training.run import Run
from support.prediction_fixtures import make_predictions

ROOT = "/home/alice/scans"


@pytest.fixture(scope="module")
def folds():
    some = make_predictions()
    some = dataclasses.replace(
        some, part="out-of-fold", paths=np.array([f"{ROOT}/{row}.png" for row in range(300)], object)
    )
    history = pd.DataFrame({"epoch": [1, 2], "loss": [0.7, 0.6]})
    leak = {"clean": False, "shared_cases": ["case 01"]}
    run = Run(history, {}, 2, {}, "all epochs done", {"train": {"images": 200, "cases": 16}}, leak, {}, seconds=3.0)
    fold_of = np.unique(some.cases, return_inverse=True)[1] % 3 + 1
    evaluation = bc.evaluate(some, bootstrap=Bootstrap(50))
    return CrossValidation(some, evaluation, (run,) * 3, fold_of, "case", 3, 0, {"fit": {}})


@pytest.fixture(scope="module")
def splits():
    columns = {"roc_auc": [0.95, 0.81], "roc_auc_low": [0.9, np.nan], "roc_auc_high": [0.99, np.nan]}
    table = pd.DataFrame(columns | {"shared_case_fraction": [0.9, 0.0]})
    table.index = pd.MultiIndex.from_tuples([("model", "image"), ("colour_only", "case")], names=["model", "split"])
    return SplitComparison(
        table, table.iloc[:0], ("A verdict.",), {}, {}, {"images": 300, "slides": 48, "cases": 24, "classes": {}},
        {"folds": 5, "seed": 0, "metrics": ["roc_auc"], "bootstrap": {"confidence": 0.95}}, ("A limit.",), {}, {},
    )  # fmt: skip


@pytest.fixture(scope="module")
def protocol():
    index = [(200, fold, variant) for fold in (1, 2) for variant in (OFFICIAL, CASE_CLEAN)]
    rows = pd.DataFrame({metric: [0.9, 0.8, 0.86, 0.7] for metric in SCORES})
    rows["shared_case_fraction"] = [0.3, 0.0, 0.3, 0.0]
    rows.index = pd.MultiIndex.from_tuples(index, names=["magnification", "fold", "variant"])
    return ProtocolResult(rows, ("Fold 3 is missing.",), {}, {}, {}, 1.0)


def is_latex(text):
    """Return whether environments, braces and the cells of each row are balanced."""
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    bare = re.sub(r"\\[&%$#_{}]|\{\*\}|\{\[\}|\{\]\}", "", text)
    return (
        text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
        and bare.count("{") == bare.count("}")
        and bare.count("$") % 2 == 0
        and len({re.sub(r"\\&", "", line).count("&") for line in body}) == 1
    )


def test_a_cross_validation_has_its_intervals_in_one_column(folds):
    row = folds.evaluation.metrics.loc["roc_auc"]
    cell = format_estimate(row["value"], row["low"], row["high"], 2)
    for text in (folds.to_markdown(digits=2), folds.to_latex(digits=2).replace("--", "–")):
        assert f"Area under the ROC curve & {cell}" in text.replace("|", "&")
    assert is_latex(folds.to_latex())
    assert is_latex(folds.to_latex(table="by_fold"))
    of_folds = folds.by_fold["roc_auc"]
    assert f"{of_folds.min():.3f}–{of_folds.max():.3f}" in folds.to_markdown()
    with pytest.raises(EvaluationError, match="its tables: metrics, by_fold"):
        folds.to_latex(table="runs")


def test_a_cross_validation_is_drawn_and_written_as_a_page(folds, tmp_path):
    figure = folds.plot(tmp_path / "folds.svg", metrics=["roc_auc", "mcc"])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ROC AUC", "MCC"]
    ticks = next(line for line in axes.get_lines() if len(line.get_xdata()) == 3)
    np.testing.assert_allclose(ticks.get_xdata(), folds.by_fold["roc_auc"])
    with pytest.raises(EvaluationError, match="no metric 'kappa'"):
        folds.plot(metrics=["kappa"])
    page = folds.to_html(tmp_path / "folds.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "Fold by fold" in page
    assert "<table>" in folds._repr_html_()
    assert max(map(len, str(folds).split("Fold by fold")[1].splitlines()[1:])) <= 80


def test_a_cross_validation_is_shared_without_names(folds):
    text = folds.with_pseudonyms().to_json()
    assert "case 0" not in text
    assert "alice" not in text + folds.to_json()
    assert "case-0" in text


def test_splits_and_protocol_have_the_same_outputs(splits, protocol, tmp_path):
    for result, words in ((splits, "0.950 (0.900–0.990)"), (protocol, "88.0 ± 2.8")):
        assert words in str(result)
        assert is_latex(result.to_latex())
        assert "<table>" in result._repr_html_()
        page = result.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
        assert "<svg" in page
        assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)
        assert len(result.plot(tmp_path / "figure.svg").axes[0].get_yticklabels()) == 2
        assert max(map(len, str(result).split("\n\n")[1].splitlines())) <= 80
        with pytest.raises(EvaluationError, match="expected one of"):
            result.plot(metric="kappa")
    assert "0.810 (CI not estimable)" in splits.to_latex()
    assert r"colour\_only" in splits.to_latex()
    assert r"$\pm$" in protocol.to_latex()
