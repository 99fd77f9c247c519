"""Trainings are independent: each starts from the same weights, none from weights of another training."""

import keras
import pytest

import breastcls as bc
from breastcls.errors import LeakageError, TrainingError
from breastcls.experiments.cross_validation import cross_validate
from breastcls.experiments.fold_models import FreshModels
from breastcls.experiments.fold_trainer import options_for_fold
from breastcls.models.model_card import ModelCard, set_card
from breastcls.training.run_options import Logging

HEAD_ONLY = {"fine_tune": False}


def with_head(backbone):
    pixels = keras.Input((32, 32, 3))
    maps = backbone(keras.layers.Rescaling(1 / 255)(pixels))
    scores = keras.layers.Dense(2, "softmax")(keras.layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(pixels, scores)
    set_card(model, ModelCard(classes=("benign", "malignant"), image_size=(32, 32)))
    return model


@pytest.fixture
def backbone():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3, strides=4, activation="relu")])


def test_a_trained_backbone_made_outside_of_build_is_found(data, backbone, quick):
    with pytest.raises(TrainingError, match=r"other weights than the first time.*backbone too"):
        cross_validate(lambda: with_head(backbone), data, folds=2, **quick)


def test_a_frozen_backbone_made_outside_of_build_is_no_leak(data, backbone, quick):
    result = cross_validate(lambda: with_head(backbone), data, folds=2, **quick, **HEAD_ONLY)
    assert result.evaluation.leakage.clean


def test_one_model_for_all_folds_is_refused(data, tiny, quick):
    model = tiny()
    with pytest.raises((TrainingError, LeakageError)):
        cross_validate(lambda: model, data, folds=2, **quick)


def test_a_model_that_was_trained_on_the_test_images_is_refused(data, tiny, quick, tmp_path):
    model = tiny()
    bc.fit(model, data, **quick)
    bc.save_model(model, tmp_path / "trained.keras")
    with pytest.raises(LeakageError, match="not independent"):
        cross_validate(lambda: bc.load_model(tmp_path / "trained.keras"), data, folds=2, **quick)
    result = cross_validate(
        lambda: bc.load_model(tmp_path / "trained.keras"), data, folds=2, allow_leakage=True, **quick
    )
    assert len(result.predictions) == len(data)


def test_unseeded_random_draws_in_build_are_refused(data, tiny):
    kernels = iter((0.1, 0.2))

    def build():
        model = tiny()
        model.set_weights([weight + next(kernels) for weight in model.get_weights()[:1]] + model.get_weights()[1:])
        return model

    fresh = FreshModels(build, seed=1)
    fresh.make(data)
    with pytest.raises(TrainingError, match="from a fixed seed"):
        fresh.make(data)


def test_every_training_has_its_own_paths(tmp_path):
    found = options_for_fold({"epochs": 1, "logging": Logging(tmp_path / "curves.csv", tmp_path)}, "fold-2")
    assert found == {"epochs": 1, "logging": Logging(tmp_path / "curves-fold-2.csv", tmp_path / "fold-2")}
    assert options_for_fold({"logging": None}, "fold-1") == {"logging": None}
