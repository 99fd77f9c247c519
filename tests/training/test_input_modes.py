import keras
import numpy as np
import pytest

from breastcls.training.distribution.placement import Place
from breastcls.training.fit_options import FrozenHead
from breastcls.training.fit_settings import FitSettings
from breastcls.training.input_modes import TrainingData, can_use_features, count_versions, score_exact_head
from breastcls.training.phases import Phase

HEAD = Phase("head", "head", 3, 1e-3)
EXACT = Phase("head", "head", 1, 1e-3, "lbfgs")


@pytest.mark.parametrize(
    ("phase", "settings", "features", "versions"),
    [
        (HEAD, {"augment": "none"}, True, 1),
        (HEAD, {"augment": "standard"}, True, 3),
        (HEAD, {"augment": "standard", "frozen_head": FrozenHead(feature_versions=2)}, True, 2),
        (HEAD, {"augment": "standard", "frozen_head": FrozenHead(feature_versions=None)}, False, 1),
        (HEAD, {"augment": "mixup"}, False, 3),
        (Phase("fine-tune", "all", 3, 1e-3), {"augment": "none"}, False, 1),
        (Phase("as-given", None, 3, 1e-3), {"augment": "none"}, False, 1),
        (EXACT, {"augment": "standard", "frozen_head": FrozenHead("lbfgs", 5)}, True, 5),
        (EXACT, {"augment": "mixup", "frozen_head": FrozenHead("lbfgs", None)}, True, 1),
    ],
)
def test_which_phases_are_trained_on_features_and_in_how_many_versions(phase, settings, features, versions):
    settings = FitSettings(**settings)
    assert can_use_features(phase, settings) is features
    assert count_versions(phase, settings) == versions


def test_the_scores_of_an_exact_head_are_those_of_its_outputs(parts):
    train, val, _ = parts
    head = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    features = np.random.default_rng(0).normal(size=(2, len(train), 3)).astype(np.float32)
    data = TrainingData(Place(head), train, val, (32, 32), "stretch", None, FitSettings(), 1)
    found = score_exact_head(head, features, features[0, : len(val)], data)
    outputs = head.predict(features.reshape(-1, 3), verbose=0)
    labels = np.tile(train.labels, 2)
    expected = keras.losses.sparse_categorical_crossentropy(labels, outputs)
    assert found["loss"] == pytest.approx(float(np.mean(expected)), rel=1e-5)
    assert found["accuracy"] == np.mean(outputs.argmax(axis=1) == labels)
    assert {"val_loss", "val_case_balanced_accuracy"} < set(found)
    without = TrainingData(Place(head), train, None, (32, 32), "stretch", None, FitSettings(), 1)
    assert set(score_exact_head(head, features, None, without)) == {"loss", "accuracy"}
