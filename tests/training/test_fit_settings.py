import inspect
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.augmentation.policy import Policy
from breastcls.errors import RegistryError, TrainingError
from breastcls.training.fit_options import EpochSchedule, FineTune, FrozenHead
from breastcls.training.fit_settings import FitSettings, setting_differences, settings_arguments
from breastcls.training.run_options import Devices, Logging, ModelSelection, Preprocessing


def test_fit_has_every_setting_and_no_other():
    arguments = set(inspect.signature(bc.fit).parameters) - {"model", "train", "val", "callbacks"}
    assert arguments == set(FitSettings().to_dict())


def test_every_default_is_that_of_fit():
    defaults = {name: item.default for name, item in inspect.signature(bc.fit).parameters.items()}
    given = {name: value for name, value in defaults.items() if name in FitSettings().to_dict()}
    assert FitSettings.of(given) == FitSettings()


OBJECTS = {
    "learning_rate": keras.optimizers.schedules.CosineDecay(1e-3, 100),
    "optimizer": keras.optimizers.AdamW(3e-4, weight_decay=1e-4, clipnorm=1.0),
    "loss": keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    "augment": Policy("own", "Turns only.", dihedral=True),
    "fine_tune": FineTune("last-stage", learning_rate=EpochSchedule(1e-4, "cosine")),
    "frozen_head": FrozenHead(feature_versions=2),
    "preprocessing": Preprocessing("crop", {"name": "reinhard", "means": [1.0]}),
    "selection": ModelSelection("val_loss", 3),
    "devices": Devices("mirrored", "bfloat16"),
    "logging": Logging(Path("curves.csv")),
}


@pytest.mark.parametrize(
    "options", [{"run_dir": Path("runs/first"), "class_weight": {"a": 1.0}, "fine_tune": 2, "resume": True}, OBJECTS]
)
def test_settings_are_the_same_after_json(options):
    values = json.loads(json.dumps(FitSettings.of(options).to_dict()))
    again = FitSettings.of(settings_arguments(values))
    assert json.loads(json.dumps(again.to_dict())) == values


def test_objects_come_back_from_json():
    again = settings_arguments(json.loads(json.dumps(FitSettings.of(OBJECTS).to_dict())))
    assert again["optimizer"].get_config() == OBJECTS["optimizer"].get_config()
    assert again["loss"].label_smoothing == 0.1
    assert again["learning_rate"].get_config() == OBJECTS["learning_rate"].get_config()
    assert (again["augment"], again["fine_tune"]) == (OBJECTS["augment"], OBJECTS["fine_tune"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.5),
        ("batch_size", True),
        ("seed", -1),
        ("learning_rate", 0),
        ("learning_rate", float("inf")),
        ("learning_rate", "fast"),
        ("optimizer", "best"),
        ("optimizer", keras.optimizers.Adam),
        ("loss", "mse"),
        ("loss", keras.losses.categorical_crossentropy),
        ("sampling", "balanced"),
        ("fine_tune", "first"),
        ("frozen_head", "sgd"),
        ("selection", 3),
        ("preprocessing", "crop"),
        ("devices", "gpu"),
        ("logging", "log.csv"),
        ("augment", 3),
    ],
)
def test_an_invalid_value_is_named(name, value):
    with pytest.raises(TrainingError, match="strategy" if name == "devices" else name):
        FitSettings.of({name: value})


@pytest.mark.parametrize("setting", [{"resume": True}, {"logging": Logging(checkpoint_steps=1)}])
def test_settings_that_need_a_folder(setting):
    with pytest.raises(TrainingError, match="run_dir"):
        FitSettings(**setting)


def test_differences_are_those_that_change_weights():
    old = FitSettings(epochs=3, run_dir="a").to_dict()
    assert (
        setting_differences(
            FitSettings(epochs=3, run_dir="b", resume=True, logging=Logging(progress=False)).to_dict(), old
        )
        == []
    )
    assert setting_differences(FitSettings(epochs=4).to_dict(), old) == ["epochs: 3 there, 4 here"]
    one, two = (FitSettings(optimizer=keras.optimizers.Adam(name=name)).to_dict() for name in ("adam", "adam_1"))
    assert setting_differences(one, two) == []
    assert setting_differences(FitSettings(optimizer=keras.optimizers.Adam(beta_1=0.8)).to_dict(), one)


def test_the_learning_rate_is_that_of_the_optimizer_unless_given():
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 100)
    assert FitSettings().rate == 1e-3
    assert FitSettings(optimizer=keras.optimizers.SGD(0.5)).rate == 0.5
    assert FitSettings(optimizer=keras.optimizers.SGD(schedule)).rate is schedule
    assert FitSettings(optimizer=keras.optimizers.SGD(0.5), learning_rate=0.25).rate == 0.25


def test_the_default_rate_is_recorded_where_it_is_used():
    assert FitSettings().to_dict()["learning_rate"] == 1e-3
    assert FitSettings(optimizer=keras.optimizers.SGD(0.5)).to_dict()["learning_rate"] is None
    exact = FitSettings(frozen_head=FrozenHead("lbfgs"), fine_tune=False)
    assert FitSettings.of(settings_arguments(exact.to_dict())) == exact


def test_no_augmentation_has_two_names():
    assert FitSettings.of({"augment": None}) == FitSettings(augment="none")


def test_an_unknown_policy_names_the_nearest():
    with pytest.raises(RegistryError, match="classic"):
        FitSettings(augment="clasic")


def test_numbers_of_numpy_become_those_of_python():
    numbers = {"epochs": np.int64(3), "learning_rate": np.float64(0.1), "class_weight": {"a": np.int8(2)}}
    settings = FitSettings.of(numbers)
    assert (type(settings.epochs), type(settings.learning_rate)) == (int, float)
    assert type(settings.class_weight["a"]) is int


@pytest.mark.parametrize(
    "idle",
    [
        {"loss": "focal"},
        {"loss": keras.losses.CategoricalCrossentropy(label_smoothing=0.1)},
        {"sampling": "class-balanced"},
        {"optimizer": keras.optimizers.AdamW()},
        {"learning_rate": 0.1},
    ],
)
def test_settings_without_effect_on_an_exact_head_are_refused_unless_fine_tuning_follows(idle):
    with pytest.raises(TrainingError, match=f"{next(iter(idle))}=.* would have no effect"):
        FitSettings(frozen_head=FrozenHead("lbfgs"), fine_tune=False, **idle)
    assert FitSettings(frozen_head=FrozenHead("lbfgs"), **idle).fine_tune == FineTune()


def test_an_exact_head_takes_one_epoch_whatever_follows():
    with pytest.raises(TrainingError, match=r"head_epochs=2\) would have no effect"):
        FitSettings(frozen_head=FrozenHead("lbfgs"), fine_tune=FineTune(head_epochs=2))


def test_an_exact_head_and_mixed_images():
    with pytest.raises(TrainingError, match="feature_versions=None"):
        FitSettings(frozen_head=FrozenHead("lbfgs", 2), augment="mixup")
    assert FitSettings(frozen_head=FrozenHead("lbfgs", None), augment="mixup").augment == "mixup"


class OwnLoss(keras.losses.CategoricalCrossentropy):
    pass


class OwnSchedule(keras.optimizers.schedules.ExponentialDecay):
    pass


@pytest.mark.parametrize(
    "setting",
    [
        {"loss": OwnLoss()},
        {"learning_rate": OwnSchedule(1e-3, 10, 0.9)},
        {"optimizer": keras.optimizers.SGD(OwnSchedule(1e-3, 10, 0.9))},
        {"fine_tune": FineTune(learning_rate=OwnSchedule(1e-3, 10, 0.9))},
    ],
)
def test_an_unregistered_class_is_refused_where_the_run_is_to_be_repeated(setting):
    assert json.dumps(FitSettings(**setting).to_dict())
    with pytest.raises(TrainingError, match=f"{next(iter(setting))} uses .*Own.*register_keras_serializable"):
        FitSettings(**setting, run_dir="runs/first")


def test_a_record_that_names_a_foreign_class_imports_nothing():
    values = FitSettings(loss=OwnLoss()).to_dict()
    with pytest.raises(TrainingError, match="OwnLoss, which Keras does not know"):
        settings_arguments(values)
