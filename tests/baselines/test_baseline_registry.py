import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import breastcls as bc
from breastcls.baselines.baseline import Baseline
from breastcls.baselines.baseline_predictions import (
    cross_validate_baselines,
    predict_by_baseline,
    predict_by_baselines,
    score_baselines,
    tabulate_baselines,
)
from breastcls.baselines.baseline_registry import BASELINES, list_baselines, register_baseline
from breastcls.baselines.colour_baseline import colour_features
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageWarning, RegistryError
from breastcls.images.decode import read_image
from breastcls.images.image_features import compute_image_features
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.aggregation import Aggregation

QUICK = Bootstrap(50)


@pytest.fixture(scope="module")
def parts(pictures):
    return pictures.split((0.6, 0.4), seed=2)


@pytest.fixture(scope="module")
def predicted(parts):
    return predict_by_baselines(list_baselines(), *parts)


@pytest.mark.parametrize("name", list_baselines())
def test_every_baseline(name, parts, predicted):
    train, test = parts
    one = predicted[name]
    assert BASELINES[name].summary
    assert one.paths.tolist() == test.paths
    assert one.cases.tolist() == test.cases.tolist()
    assert roc_auc_score(one.labels, one.positive) > 0.9, "the classes differ in colour and in grain"
    backwards = predict_by_baseline(name, train, test[::-1])
    np.testing.assert_array_equal(one.probabilities[::-1], backwards.probabilities)


@pytest.mark.parametrize("name", list_baselines())
def test_several_classes_of_which_training_lacks_one(name, pictures):
    kinds = np.where(pictures.cases.astype(str) < "case 4", "plain", pictures.table["label"])
    three = bc.Dataset(pictures.table.assign(label=kinds), ("absent", "plain", "benign", "malignant"))
    train, test = three.split((0.5, 0.5), seed=1)
    found = predict_by_baseline(name, train, test)
    assert (found.probabilities[:, 0] == 0).all()
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)


def test_colour_is_a_logistic_regression_on_colour_features(parts, predicted):
    train, test = parts
    features = [np.stack([colour_features(read_image(path)) for path in part.paths]) for part in parts]
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
    expected = model.fit(features[0], train.labels).predict_proba(features[1])
    np.testing.assert_allclose(predicted["colour"].probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(
        predict_by_baseline("colour", train, test).probabilities, predicted["colour"].probabilities
    )
    np.testing.assert_array_equal(compute_image_features(colour_features, test.paths), features[1])


def test_the_table_holds_their_scores(parts, predicted, draw):
    kept = {name: predicted[name] for name in ("colour", "texture-svm")}
    with pytest.warns(EvaluationWarning, match=r"The class .* has only 2 cases scored"):
        table = score_baselines(*parts, baselines=list(kept), bootstrap=QUICK)
    assert table.index.tolist() == list(kept)
    assert tabulate_baselines(predicted, QUICK).index.tolist() == list(list_baselines())
    for name, one in kept.items():
        row = table.loc[name]
        assert row["roc_auc"] == roc_auc_score(one.labels, one.positive)
        assert row["balanced_accuracy"] == balanced_accuracy_score(one.labels, one.decisions)
        for metric in ("accuracy", "balanced_accuracy", "roc_auc", "patient_recognition_rate"):
            # With two cases of a class there is none.
            assert np.isnan(row[f"{metric}_low"]) == (row[f"{metric}_reason"] != "")
    pd.testing.assert_frame_equal(tabulate_baselines(kept, QUICK), table)
    json.dumps(bc.evaluate(draw(1), bootstrap=Bootstrap(20)).with_sections(baselines=table).to_dict(), allow_nan=False)


def test_by_case_the_images_are_aggregated(parts):
    with pytest.warns(EvaluationWarning, match="only 2 cases"):
        table = score_baselines(*parts, baselines=["colour"], aggregation="case", bootstrap=QUICK)
    expected = predict_by_baseline("colour", *parts).aggregate("case")
    assert table.loc["colour", "accuracy"] == (expected.labels == expected.decisions).mean()


@pytest.mark.filterwarnings("ignore:The class:breastcls.errors.EvaluationWarning")
def test_cases_of_several_classes_are_dropped_or_taken_as_asked(parts):
    train, test = parts
    cases = test.cases.astype(str)
    both = [cases[test.labels == label][0] for label in (0, 1)]
    joined = bc.Dataset(test.table.assign(case=np.where(np.isin(cases, both), "both", cases)), test.classes)
    with pytest.raises(EvaluationError, match="several classes"):
        score_baselines(train, joined, baselines=["colour"], aggregation="case", bootstrap=QUICK)
    for mixed in ("drop", "last"):
        table = score_baselines(
            train, joined, baselines=["colour"], aggregation=Aggregation("case", mixed_labels=mixed), bootstrap=QUICK
        )
        expected = predict_by_baseline("colour", train, joined).aggregate(Aggregation("case", mixed_labels=mixed))
        assert table.loc["colour", "accuracy"] == (expected.labels == expected.decisions).mean()


@pytest.mark.parametrize("by", ["case", "image"])
def test_folds_are_those_of_the_dataset(pictures, by):
    def folds():
        return pictures.folds(3, by=by, seed=4)

    def pooled():
        return cross_validate_baselines(pictures, folds=3, by=by, baselines=["colour"], seed=4)["colour"]

    if by == "image":
        with pytest.warns(LeakageWarning):
            pairs = folds()
        with pytest.warns(LeakageWarning):
            found = pooled()
    else:
        pairs, found = folds(), pooled()
    assert found.part == "out-of-fold"
    assert found.paths.tolist() == pictures.paths
    for train, test in pairs:
        rows = [pictures.paths.index(path) for path in test.paths]
        np.testing.assert_array_equal(
            found.probabilities[rows], predict_by_baseline("colour", train, test).probabilities
        )


def test_a_baseline_of_ones_own_and_each_image_is_read_once(parts, monkeypatch):
    calls = []

    def count(image):
        calls.append(image.shape)
        return colour_features(image)

    fit = BASELINES["colour"].fit
    monkeypatch.setattr(BASELINES, "_items", dict(BASELINES))
    for name in ("mine", "mine too"):
        register_baseline(Baseline(name, "Colour again.", count, fit))
    found = predict_by_baselines(["mine", "mine too"], *parts)
    assert len(calls) == sum(map(len, parts))
    np.testing.assert_array_equal(found["mine"].probabilities, predict_by_baseline("colour", *parts).probabilities)
    with pytest.raises(RegistryError, match="registered already"):
        register_baseline(BASELINES["mine"])


def test_training_sets_that_cannot_be_fitted(parts, pictures):
    benign = pictures[pictures.labels == 0]
    with pytest.raises(EvaluationError, match="one class only"):
        predict_by_baseline("texture-svm", benign, pictures)
    with pytest.raises(RegistryError, match="colour"):
        predict_by_baseline("color", *parts)
