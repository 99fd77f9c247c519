import dataclasses

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from breastcls.baselines.baseline_predictions import predict_by_baseline
from breastcls.baselines.colour_baseline import colour_features
from breastcls.baselines.colour_comparison import score_against_colour_baseline
from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.images.image_features import compute_image_features
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.score_tables import score
from breastcls.metrics.classification_metrics import METRICS, compute_metrics
from breastcls.predictions.predictions import Predictions


@pytest.fixture
def tinted(tmp_path):
    """Two classes that differ in colour only, one case an image pair."""
    generator = np.random.default_rng(0)
    paths, labels, cases = [], [], []
    for number in range(24):
        label = number % 2
        image = generator.integers(0, 60, (16, 20, 3)) + np.array([120 + 40 * label, 90, 140])
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), image.astype(np.uint8)[:, :, ::-1])
        paths.append(str(path))
        labels.append(("benign", "malignant")[label])
        cases.append(f"case {number // 4}{label}")
    return Dataset.from_columns(("benign", "malignant"), path=paths, label=labels, case=cases)


def test_features_are_red_first(tinted):
    features = compute_image_features(colour_features, tinted.paths)
    image = cv2.imread(tinted.paths[3])[:, :, ::-1].astype(float)
    np.testing.assert_allclose(features[3], [*image.mean(axis=(0, 1)), *image.std(axis=(0, 1))])
    assert colour_features(np.zeros((2, 2, 3), np.uint8)).tolist() == [0.0] * 6


def test_it_learns_colour(tinted):
    found = predict_by_baseline("colour", tinted[:16], tinted[16:])
    assert roc_auc_score(found.labels, found.positive) == 1.0
    assert found.cases.tolist() == tinted[16:].cases.tolist()


def test_one_class_teaches_nothing(tinted):
    benign = tinted[tinted.labels == 0]
    with pytest.raises(EvaluationError, match="one class only"):
        predict_by_baseline("colour", benign, tinted)
    with pytest.raises(EvaluationError, match="must be the same"):
        predict_by_baseline("colour", tinted.with_classes(("m", "b"), {"malignant": "m", "benign": "b"}), tinted)


def noisy(some, seed):
    positive = 0.6 * some.positive + 0.4 * np.random.default_rng(seed).random(len(some), np.float32)
    return dataclasses.replace(some, probabilities=np.stack([1 - positive, positive], axis=1))


def test_the_difference_is_over_the_same_cases_on_both_sides(draw):
    colour = draw(3, images=200, cases=20)
    model, bootstrap = noisy(colour, 0), Bootstrap(200, 0.9, "percentile", 2)
    baseline, difference = score_against_colour_baseline(model, colour, bootstrap)
    pd.testing.assert_frame_equal(baseline, score(colour, CaseStatistics.of(colour), bootstrap))
    np.testing.assert_allclose(difference["value"], compute_metrics(model) - compute_metrics(colour))
    rows_of = [np.flatnonzero(colour.cases == case) for case in dict.fromkeys(colour.cases)]
    found = []
    for weights in np.concatenate(list(bootstrap.weights(CaseStatistics.of(colour).strata))):
        rows = np.concatenate([np.repeat(rows, int(count)) for rows, count in zip(rows_of, weights, strict=True)])
        truth = colour.labels[rows]
        found.append(roc_auc_score(truth, model.positive[rows]) - roc_auc_score(truth, colour.positive[rows]))
    expected = np.quantile(found, [0.05, 0.95])
    np.testing.assert_allclose(difference.loc["roc_auc", ["low", "high"]].tolist(), expected)
    alone = score(model, CaseStatistics.of(model), bootstrap).loc["roc_auc"]
    assert expected[1] - expected[0] < alone["high"] - alone["low"]


@pytest.mark.parametrize("known", [True, False])
def test_evaluate_compares_with_the_colour_baseline_fitted_on_the_training_set(tinted, known):
    train, test = tinted[:12], tinted[12:]
    some = Predictions.from_arrays(
        probabilities=np.random.default_rng(1).random(len(test)),
        labels=test.labels,
        classes=test.classes,
        cases=test.cases if known else None,
    )
    with pytest.warns(EvaluationWarning):
        found = evaluate(some, test, train=train, bootstrap=Bootstrap(50))
    by_colour = compute_metrics(predict_by_baseline("colour", train, test))
    assert found.colour_difference.index.tolist() == list(METRICS)
    gap = found.metrics["value"] - by_colour
    shown = gap.drop("patient_recognition_rate")  # these predictions know no slides
    np.testing.assert_allclose(found.colour_difference["value"][shown.index], shown)
    assert found.colour_difference.loc["roc_auc", ["low", "high"]].notna().all()
    assert f"; the model {gap['roc_auc']:+.3f} (" in str(found)
    assert found.to_dict()["colour_difference"]["columns"] == ["value", "low", "high", "reason"]
    assert evaluate_without(some).colour_difference is None


def evaluate_without(some):
    with pytest.warns(EvaluationWarning):
        return evaluate(some, bootstrap=Bootstrap(20))
