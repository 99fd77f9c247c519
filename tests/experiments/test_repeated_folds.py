import numpy as np
import pytest

from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.sections.folds_section import BELOW_CHANCE
from breastcls.experiments.fold_table import tabulate_folds, with_folds
from breastcls.experiments.repeated_folds import repeat_folds
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.predictions import Predictions

pytestmark = pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")


def predict(fold_seed, training_seed, cases=24, images=5, signal=1.0):
    """Predictions that vary with the cases, less with the folds, and least with the seed."""
    base, folds, seeds = (np.random.default_rng(seed) for seed in (1, 100 + fold_seed, 1000 + training_seed))
    code = np.repeat(np.arange(cases), images)
    labels = code % 2
    logits = signal * (labels - 0.5) + base.normal(size=cases)[code] + 0.3 * folds.normal(size=cases)[code]
    logits += 0.03 * seeds.normal(size=cases)[code] + 0.2 * base.normal(size=len(code))
    some = Predictions.from_arrays(
        probabilities=1 / (1 + np.exp(-logits)), labels=labels, cases=code.astype(str), classes=("no", "yes")
    )
    return some, np.random.default_rng(fold_seed).permutation(np.arange(cases) % 4)[code] + 1


def test_the_spread_is_separated_by_folds_seed_and_cases():
    asked = []

    def run(name, fold_seed, training_seed):
        asked.append((name, fold_seed, training_seed))
        return predict(fold_seed, training_seed)

    found = repeat_folds(predict(7, 7), run, 6, 7, Bootstrap(300))
    assert asked[:2] == [("folds-2", 8, 7), ("seed-2", 7, 8)]
    assert len(asked) == 10
    pooled = [compute_metrics(predict(7 + step, 7)[0].aggregate("case"))["roc_auc"] for step in range(6)]
    row = found.components.loc[("case", "roc_auc")]
    assert row["mean"] == pytest.approx(np.mean(pooled))
    assert row["sd_folds"] == pytest.approx(np.std(pooled, ddof=1))
    assert row["sd_cases"] > row["sd_folds"] > row["sd_seed"] > 0
    assert "Standard deviation of the pooled scores, 6 divisions" in str(found)
    assert len(found.to_dict()["scores"]["data"]) == 11 * 2 * 3


def test_the_mean_over_folds_stands_beside_the_pooled_value(tmp_path):
    some, fold_of = predict(0, 0, signal=-1.0)
    evaluation = evaluate(some, bootstrap=Bootstrap(50))
    table = tabulate_folds(evaluation, some, fold_of)
    by_hand = [compute_metrics(some[fold_of == fold].aggregate("case"))["roc_auc"] for fold in range(1, 5)]
    row = table.loc[("case", "roc_auc")]
    assert row["mean_over_folds"] == pytest.approx(np.nanmean(by_hand))
    assert row["folds"] == np.isfinite(by_hand).sum()
    assert row["pooled"] == evaluation["by_level"].loc[("case", "roc_auc"), "value"] < 0.5
    whole = with_folds(evaluation, some, fold_of)
    assert whole.folds.equals(table)
    assert BELOW_CHANCE in str(whole)
    report = whole.to_html(tmp_path / "report.html", thumbnails=0).read_text(encoding="utf-8")
    assert "Mean over folds" in report
    assert "A ROC AUC is below chance." in report
    assert '"mean_over_folds"' in whole.to_json()
    better, fold_of = predict(0, 0, signal=4.0)
    evaluation = evaluate(better, bootstrap=Bootstrap(50))
    assert BELOW_CHANCE not in str(with_folds(evaluation, better, fold_of))
