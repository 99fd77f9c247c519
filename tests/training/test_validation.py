import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

import breastcls as bc
from breastcls.training.validation import SCORES, score_validation


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1, 1, 1], 60).astype("float32")
    labels = rng.integers(0, 3, 60)
    data = bc.Dataset.from_columns(
        tuple("abc"),
        path=[str(i) for i in range(60)],
        label=["abc"[i] for i in labels],
        case=[f"{i}-{i % 4}" for i in labels],
    )
    batches = [(probabilities[i : i + 16], labels[i : i + 16]) for i in range(0, 60, 16)]
    # A model that gives back the probabilities that it is shown.
    mirror = keras.Sequential([keras.Input((3,)), keras.layers.Activation("linear")])
    scores = score_validation(mirror, batches, data)
    decisions = probabilities.argmax(axis=1)
    assert set(scores) == set(SCORES)
    assert scores["val_loss"] == pytest.approx(log_loss(labels, probabilities), rel=1e-5)
    assert scores["val_accuracy"] == accuracy_score(labels, decisions)
    assert scores["val_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, decisions))
    table = data.table.assign(a=probabilities[:, 0], b=probabilities[:, 1], c=probabilities[:, 2])
    by_case = table.groupby("case").agg({"a": "mean", "b": "mean", "c": "mean", "label": "first"})
    expected = balanced_accuracy_score(by_case["label"], by_case[["a", "b", "c"]].idxmax(axis=1))
    assert scores["val_case_balanced_accuracy"] == pytest.approx(expected)
