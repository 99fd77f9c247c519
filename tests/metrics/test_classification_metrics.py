import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from breastcls.errors import EvaluationError
from breastcls.metrics.classification_metrics import (
    METRICS,
    ClassCounts,
    compute_metrics,
    count_confusion,
    per_class_metrics,
)
from breastcls.predictions.predictions import Predictions


@pytest.mark.parametrize("seed", range(5))
def test_binary_against_scikit_learn(draw, seed):
    some = draw(seed, mixed=bool(seed % 2))
    y, p, d = some.labels, some.positive, some.decisions
    found = compute_metrics(some)
    assert tuple(found.index) == METRICS
    expected = {
        "accuracy": reference.accuracy_score(y, d),
        "balanced_accuracy": reference.balanced_accuracy_score(y, d),
        "precision": reference.precision_score(y, d),
        "recall": reference.recall_score(y, d),
        "specificity": reference.recall_score(y, d, pos_label=0),
        "f1": reference.f1_score(y, d),
        "mcc": reference.matthews_corrcoef(y, d),
        "roc_auc": reference.roc_auc_score(y, p),
        "average_precision": reference.average_precision_score(y, p),
        "brier": reference.brier_score_loss(y, p),
        "log_loss": reference.log_loss(y, some.probabilities),
        "image_recognition_rate": reference.accuracy_score(y, d),
        "patient_recognition_rate": pd.Series(y == d).groupby(some.slides).mean().mean(),
    }
    pd.testing.assert_series_equal(found, pd.Series(expected).rename_axis("metric"), check_names=False, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_several_classes_against_scikit_learn(draw, seed):
    some = draw(seed, classes=("a", "b", "c"))
    y, p, d = some.labels, some.probabilities, some.decisions
    found = compute_metrics(some)
    macro = {"average": "macro"}
    one_hot, wide = np.eye(3)[y], p.astype(float)
    expected = {
        "balanced_accuracy": reference.balanced_accuracy_score(y, d),
        "precision": reference.precision_score(y, d, **macro),
        "recall": reference.recall_score(y, d, **macro),
        "f1": reference.f1_score(y, d, **macro),
        "mcc": reference.matthews_corrcoef(y, d),
        "roc_auc": reference.roc_auc_score(y, wide / wide.sum(axis=1, keepdims=True), multi_class="ovr"),
        "average_precision": reference.average_precision_score(one_hot, p, average="macro"),
        "brier": ((p - one_hot) ** 2).sum(axis=1).mean(),
        "log_loss": reference.log_loss(y, p),
        "specificity": np.mean([reference.recall_score(y == k, d == k, pos_label=0) for k in range(3)]),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name


def test_one_class_only_is_undefined_not_a_crash():
    benign = Predictions.from_arrays(probabilities=[0.2, 0.7], labels=[0, 0], classes=("benign", "malignant"))
    found = compute_metrics(benign)
    assert found["accuracy"] == found["specificity"] == 0.5
    for name in ("balanced_accuracy", "precision", "recall", "f1", "mcc", "roc_auc", "average_precision"):
        assert np.isnan(found[name]), name
    malignant = compute_metrics(
        Predictions.from_arrays(probabilities=[0.2, 0.7], labels=[1, 1], classes=("benign", "malignant"))
    )
    assert malignant["recall"] == 0.5
    assert np.isnan(malignant["specificity"])


def test_an_absent_class_is_left_out_of_means():
    some = Predictions.from_arrays(
        probabilities=[[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]], labels=[0, 1, 1], classes=("a", "b", "c")
    )
    found = compute_metrics(some)
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["recall"] == pytest.approx(0.75)
    assert found["roc_auc"] == pytest.approx(
        np.mean([reference.roc_auc_score(some.labels == k, some.probabilities[:, k]) for k in (0, 1)])
    )


def test_never_decided_counts_as_precision_zero():
    some = Predictions.from_arrays(probabilities=[0.2, 0.3], labels=[0, 1], classes=("benign", "malignant"))
    assert compute_metrics(some)[["precision", "recall", "f1", "mcc"]].tolist() == [0, 0, 0, 0]


def test_per_class_against_scikit_learn(draw):
    some = draw(3, classes=("a", "b", "c", "d"))
    counts = count_confusion(some.labels, some.decisions, 4)
    np.testing.assert_array_equal(counts, reference.confusion_matrix(some.labels, some.decisions))
    found = per_class_metrics(ClassCounts.of(counts))
    precision, recall, f1, _ = reference.precision_recall_fscore_support(some.labels, some.decisions)
    np.testing.assert_allclose(found["precision"], precision)
    np.testing.assert_allclose(found["recall"], recall)
    np.testing.assert_allclose(found["f1"], f1)


def test_unknown_truth_is_refused():
    with pytest.raises(EvaluationError, match="1 of 2 images is not known"):
        compute_metrics(Predictions.from_arrays(probabilities=[0.2, 0.3], labels=[0, -1], classes=("a", "b")))
