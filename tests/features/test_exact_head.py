"""The linear probe, against scikit-learn and against brute force."""

import json

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import breastcls as bc
from breastcls.errors import TrainingError, TrainingWarning
from breastcls.features.exact_head import find_linear_head, write_probe
from breastcls.features.feature_store import read_features
from breastcls.features.linear_probe import fit_linear_probe
from breastcls.features.penalty_search import GRID, choose_penalty, split_cases
from breastcls.models.model_parts import split_model
from breastcls.training.class_weights import class_weights


def make_features(classes=2, cases=24, each=6, width=12, seed=0, signal=0.8):
    """Features of images that resemble one another within a case, as real ones do."""
    rng = np.random.default_rng(seed)
    case = np.repeat(np.arange(cases), each)
    labels = case % classes
    centres = rng.normal(size=(classes, width)) * signal
    features = centres[labels] + rng.normal(size=(cases, width))[case] + rng.normal(size=(len(case), width))
    return (features * rng.uniform(0.1, 5, width) + rng.normal(size=width) * 3).astype(np.float32), labels, case


def reference(features, labels, c, weight=None, tolerance=1e-10):
    """scikit-learn's own mode, fitted to the last digit."""
    model = LogisticRegression(C=c, class_weight=weight, tol=tolerance, max_iter=10_000)
    return make_pipeline(StandardScaler(), model).fit(features.astype(np.float64), labels)


@pytest.mark.parametrize("classes", [2, 3, 8])
@pytest.mark.parametrize("weighted", [False, True])
def test_probabilities_are_those_of_scikit_learn(classes, weighted):
    features, labels, cases = make_features(classes, cases=6 * classes)
    # Uneven, so that weights have something to do.
    kept = (labels > 0) | (np.arange(len(labels)) % 2 == 0)
    features, labels, cases = features[kept], labels[kept], cases[kept]
    weight = class_weights("balanced" if weighted else None, labels, [str(n) for n in range(classes)])
    probe = fit_linear_probe(features, labels, cases, classes, class_weight=weight)
    expected = reference(features, labels, probe.c, weight).predict_proba(features.astype(np.float64))
    np.testing.assert_allclose(probe.probabilities(features), expected, atol=1e-6)
    assert probe.kernel.dtype == probe.bias.dtype == np.float32
    assert probe.kernel.shape == (12, classes)
    assert probe.bias.shape == (classes,)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_dense_layer_gives_the_same_probabilities(classes):
    model = bc.build_model("cnn4", classes=[f"class{n}" for n in range(classes)], image_size=32, weights=None, seed=3)
    _, head = split_model(model)
    features, labels, cases = make_features(classes, width=head.input_shape[1])
    probe = fit_linear_probe(features, labels, cases, classes)
    write_probe(model, probe)
    expected = reference(features, labels, probe.c).predict_proba(features.astype(np.float64))
    np.testing.assert_allclose(head.predict(features, verbose=0), expected, atol=2e-6)
    np.testing.assert_allclose(probe.probabilities(features), expected, atol=1e-6)


def test_the_penalty_is_that_of_an_exhaustive_search():
    """Against scikit-learn for every fold and every C, with nothing shared between fits."""
    features, labels, cases = make_features(width=60, signal=0.4, seed=4)
    probe = fit_linear_probe(features, labels, cases, 2, seed=5)
    parts = split_cases(labels, np.unique(cases.astype(str), return_inverse=True)[1], 2, 5, 5)
    losses = {}
    grid = [c for c in GRID if c * len(labels) >= 0.1]
    for c in grid:
        chosen = np.empty(len(labels))
        for held in parts:
            rest = np.delete(np.arange(len(labels)), held)
            fitted = reference(features[rest], labels[rest], c, tolerance=1e-8)
            chosen[held] = fitted.predict_proba(features[held].astype(np.float64))[np.arange(len(held)), labels[held]]
        losses[c] = [-np.log(chosen[cases == case].mean()) for case in np.unique(cases)]
    means = {c: np.mean(values) for c, values in losses.items()}
    best = min(means, key=means.get)
    error = np.std(losses[best]) / np.sqrt(len(losses[best]))
    assert probe.c == min(c for c in grid if means[c] <= means[best] + error)
    assert probe.c < best
    assert probe.folds == 5
    np.testing.assert_allclose([loss for loss, _ in probe.scores.values()], [means[c] for c in probe.scores], atol=2e-4)
    assert probe.scores[best][1] == pytest.approx(error, rel=1e-3)
    # The search stops beyond the best, and nothing it left out is better.
    assert grid.index(best) + 4 == len(probe.scores) < len(grid)


def test_weights_count_in_the_choice_as_in_training():
    features, labels, cases = make_features(signal=0.3, seed=2)
    plain = fit_linear_probe(features, labels, cases, 2)
    doubled = fit_linear_probe(features, labels, cases, 2, class_weight={0: 2.0, 1: 2.0})
    # Weights of two are a penalty of half the strength, and the same mean loss.
    twin = fit_linear_probe(np.tile(features, (2, 1)), np.tile(labels, 2), np.tile(cases, 2), 2)
    first, second = (np.array(list(probe.scores.values())) for probe in (doubled, twin))
    np.testing.assert_allclose(first, second, atol=1e-4)
    assert doubled.c == twin.c
    assert doubled.scores != plain.scores


def test_folds_keep_cases_whole_and_every_class_in_training():
    labels, cases = np.repeat([0, 0, 0, 0, 0, 0, 1, 1], 5), np.repeat(np.arange(8), 5)
    parts = split_cases(labels, cases, 2, 5, 0)
    assert len(parts) >= 2
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(40))
    for held in parts:
        rest = np.delete(np.arange(40), held)
        assert not set(cases[held]) & set(cases[rest])
        assert set(labels[rest]) == {0, 1}


def test_one_case_of_a_class_cannot_be_folded():
    features, labels, cases = make_features(cases=8)
    cases = np.where(labels == 1, 1, cases)
    with pytest.warns(TrainingWarning, match=r"the classes have \[4, 1\] cases"):
        probe = fit_linear_probe(features, labels, cases, 2)
    assert (probe.c, probe.scores, probe.folds) == (0.01, {}, 0)
    expected = reference(features, labels, 0.01).predict_proba(features.astype(np.float64))
    np.testing.assert_allclose(probe.probabilities(features), expected, atol=1e-6)


def test_equal_scores_go_to_the_stronger_penalty():
    assert choose_penalty({1.0: (0.4, 0.0), 0.1: (0.4, 0.0), 0.01: (0.5, 0.0)}) == 0.1


def test_a_feature_that_never_varies_has_no_say():
    features, labels, cases = make_features()
    features[:, 3] = 0.1
    features[:, 5] = 1e-9 * np.arange(len(labels))
    probe = fit_linear_probe(features, labels, cases, 2)
    assert np.abs(probe.kernel[[3, 5]]).max() < 1e-6
    altered = features.copy()
    altered[:, [3, 5]] = 7.0
    np.testing.assert_allclose(probe.probabilities(altered), probe.probabilities(features), atol=1e-5)


def test_it_repeats_bit_for_bit_and_depends_on_its_seed():
    features, labels, cases = make_features(signal=0.3)
    first, again = (fit_linear_probe(features, labels, cases, 2, seed=3) for _ in range(2))
    assert np.array_equal(first.kernel, again.kernel)
    assert np.array_equal(first.bias, again.bias)
    assert first.scores == again.scores
    other = fit_linear_probe(features, labels, cases, 2, seed=4)
    assert other.scores != first.scores


def test_more_features_than_rows():
    features, labels, cases = make_features(cases=10, each=3, width=200)
    probe = fit_linear_probe(features, labels, cases, 2)
    expected = reference(features, labels, probe.c).predict_proba(features.astype(np.float64))
    np.testing.assert_allclose(probe.probabilities(features), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((4, 2, 2))}, "takes features"),
        ({"labels": np.zeros(3)}, "takes features"),
        ({"labels": np.zeros(4, int)}, "each of the 2 classes"),
        ({"features": np.full((4, 2), np.nan)}, "not finite, the first is row 0"),
        ({"folds": 1}, "folds is 1; expected a whole number of at least 2"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    arguments = {"features": np.eye(4, 2), "labels": np.array([0, 1, 0, 1]), "cases": np.arange(4), "class_count": 2}
    with pytest.raises(TrainingError, match=message):
        fit_linear_probe(**{**arguments, **change})


def test_a_head_with_two_layers_is_refused(small):
    features, labels, cases = make_features(width=256)
    probe = fit_linear_probe(features, labels, cases, 2)
    model = small(head="mlp")
    before = model.get_weights()
    with pytest.raises(TrainingError, match=r"hidden \(Dense\), dropout \(Dropout\), logits \(Dense\)"):
        write_probe(model, probe)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("ending", "fits"),
    [
        ([keras.layers.Dense(2, activation="softmax")], True),
        ([keras.layers.Dropout(0.5), keras.layers.Dense(2), keras.layers.Activation("softmax")], True),
        ([keras.layers.Dense(2, activation="sigmoid")], False),
        ([keras.layers.Dense(2)], False),
        ([keras.layers.ReLU(), keras.layers.Dense(2, activation="softmax")], False),
        ([keras.layers.Dense(2, use_bias=False), keras.layers.Softmax()], False),
        ([keras.layers.BatchNormalization(), keras.layers.Dense(2, activation="softmax")], False),
    ],
)
def test_which_heads_are_linear(ending, fits):
    backbone = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(backbone(inputs))
    for layer in ending:
        x = keras.layers.deserialize(keras.layers.serialize(layer))(x)
    model = keras.Model(inputs, x)
    if fits:
        assert isinstance(find_linear_head(model), keras.layers.Dense)
    else:
        with pytest.raises(TrainingError, match="one dense layer with a bias and a softmax"):
            find_linear_head(model)


def test_a_probe_of_other_features_is_refused(small):
    features, labels, cases = make_features()
    with pytest.raises(TrainingError, match=r"\(256, 2\), the probe one of shape \(12, 2\)"):
        write_probe(small(), fit_linear_probe(features, labels, cases, 2))


def test_the_record_is_plain_data():
    features, labels, cases = make_features()
    record = fit_linear_probe(features, labels, cases, 2).to_dict()
    assert record["c"] in {row["c"] for row in record["scores"]}
    assert record["folds"] == 5
    assert json.loads(json.dumps(record)) == record


@pytest.mark.real
def test_it_is_no_worse_than_a_long_adam_on_real_features(real_data, tmp_path):
    """Held-out cases of BreakHis, features of MobileNet 0.25: as good as a hundred epochs of Adam."""
    data = bc.load_breakhis(real_data / "BreaKHis_200X_224", magnification=200)
    train, test = data.folds(3, seed=1)[0]
    weights = real_data / "weights" / "mobilenet_2_5_224_tf_no_top.h5"
    model = bc.build_model("mobilenet", classes=data.classes, image_size=224, weights=weights, alpha=0.25, seed=1)
    frozen, head = split_model(model)
    options = {"image_size": 224, "cache_dir": tmp_path, "progress": False}
    known, unknown = (read_features(frozen, part, **options)[0] for part in (train, test))
    balanced = class_weights("balanced", train.labels, train.classes)
    probe = fit_linear_probe(known, train.labels, train.cases, 2, class_weight=balanced)
    write_probe(model, probe)
    ours = roc_auc_score(test.labels, head.predict(unknown, verbose=0)[:, 1])
    fresh = keras.Sequential([keras.Input(known.shape[1:]), keras.layers.Dense(2, activation="softmax")])
    keras.utils.set_random_seed(1)
    fresh.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", jit_compile=False)
    fresh.fit(known, train.labels, epochs=100, batch_size=32, class_weight=balanced, verbose=0)
    adam = roc_auc_score(test.labels, fresh.predict(unknown, verbose=0)[:, 1])
    assert ours > adam - 0.02
    assert ours > 0.7
