import sys

import mahotas
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import breastcls as bc
from breastcls.baselines.baseline_predictions import (
    cross_validate_baselines,
    predict_by_baseline,
    tabulate_baselines,
)
from breastcls.baselines.texture_baseline import (
    FOREST_GRID,
    SVM_GRID,
    TREES,
    texture_features,
)
from breastcls.datasets.splitting import assign_parts
from breastcls.errors import EvaluationError, RegistryError, SplitError
from breastcls.images.decode import read_image


@pytest.fixture(scope="module")
def parts(pictures):
    return pictures.split((0.6, 0.4), seed=2)


def measure(data):
    return np.stack([mahotas.features.pftas(read_image(path).copy()) for path in data.paths])


def folds_within(train, count=3):
    part = assign_parts(train.cases, train.labels, train.classes, (1 / count,) * count, seed=0)
    return [(np.flatnonzero(part != fold), np.flatnonzero(part == fold)) for fold in range(count)]


def test_numbers_are_those_of_mahotas(pictures):
    image = read_image(pictures.paths[3])
    kept = image.copy()
    image.flags.writeable = False
    found = texture_features(image)
    np.testing.assert_array_equal(found, mahotas.features.pftas(kept.copy()))
    np.testing.assert_array_equal(image, kept)
    assert found.shape == (162,)
    for level in (0, 200, 255):
        assert np.isfinite(texture_features(np.full((12, 12, 3), level, np.uint8))).all()


def test_the_machine_by_hand(parts):
    """The same written out: every C and gamma over case-wise folds, the best one scaled and fitted on all."""
    train, test = parts
    scaler = StandardScaler().fit(numbers := measure(train))
    y, folds = train.labels, folds_within(train)
    best = (-1.0, None, None)
    for c in SVM_GRID["svc__C"]:
        for gamma in SVM_GRID["svc__gamma"]:
            scores = np.empty(len(y))
            for inside, outside in folds:
                inner = StandardScaler().fit(numbers[inside])
                machine = SVC(C=c, gamma=gamma, class_weight="balanced")
                machine.fit(inner.transform(numbers[inside]), y[inside])
                scores[outside] = machine.decision_function(inner.transform(numbers[outside]))
            if (auc := roc_auc_score(y, scores)) > best[0]:
                best = auc, (c, gamma), scores
    _, (c, gamma), scores = best
    scale = LogisticRegression(class_weight="balanced", C=1e6, max_iter=2000).fit(scores[:, None], y)
    machine = SVC(C=c, gamma=gamma, class_weight="balanced").fit(scaler.transform(numbers), y)
    expected = scale.predict_proba(machine.decision_function(scaler.transform(measure(test)))[:, None])
    np.testing.assert_allclose(predict_by_baseline("texture-svm", train, test).probabilities, expected, atol=1e-6)


def test_the_forest_by_hand(parts):
    train, test = parts
    numbers, y = measure(train), train.labels
    best = (-1.0, None, None)
    for leaf in FOREST_GRID["min_samples_leaf"]:
        options = {"class_weight": "balanced_subsample", "random_state": 0, "min_samples_leaf": leaf}
        scores = np.empty(len(y))
        for inside, outside in folds_within(train):
            forest = RandomForestClassifier(TREES, **options).fit(numbers[inside], y[inside])
            scores[outside] = forest.predict_proba(numbers[outside])[:, 1]
        if (auc := roc_auc_score(y, scores)) > best[0]:
            best = auc, options, scores
    scale = LogisticRegression(class_weight="balanced", C=1e6, max_iter=2000).fit(best[2][:, None], y)
    votes = RandomForestClassifier(TREES, **best[1]).fit(numbers, y).predict_proba(measure(test))[:, 1:]
    found = predict_by_baseline("texture-forest", train, test)
    np.testing.assert_allclose(found.probabilities, scale.predict_proba(votes), atol=1e-6)


def test_without_mahotas_the_extra_is_named(pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "mahotas", None)
    monkeypatch.setitem(sys.modules, "mahotas.features", None)
    with pytest.raises(EvaluationError, match=r"pip install 'breastcls\[baselines\]'"):
        predict_by_baseline("texture-svm", pictures, pictures)


def test_what_cannot_be(parts, pictures):
    with pytest.raises(RegistryError, match="texture-forest"):
        predict_by_baseline("texture-tree", *parts)
    one_case_each = pictures.where(case=["case 0", "case 1", "case 3"])
    with pytest.raises(SplitError, match="at least 2 cases of every class"):
        predict_by_baseline("texture-svm", one_case_each, pictures)


@pytest.mark.slow
@pytest.mark.real
def test_texture_goes_far_on_real_images(real_data):
    """Measured outside this library, five case-wise folds pooled: texture 0.91, colour 0.81."""
    data = bc.load_breakhis(real_data / "BreaKHis_200X_224")
    found = cross_validate_baselines(data, baselines=["colour", "texture-svm"])
    aucs = tabulate_baselines(found)["roc_auc"]
    assert 0.84 < aucs["texture-svm"] < 0.96
    assert 0.74 < aucs["colour"] < 0.88
