import inspect
import json
from pathlib import Path

import numpy as np
import pytest

import breastcls as bc
from breastcls.augmentation.policy_registry import find_policy
from breastcls.errors import RegistryError, TrainingError
from breastcls.training.fit_settings import OPTIMIZERS, Settings
from breastcls.training.optimizers import make_optimizer


def test_fit_has_every_setting_and_no_other():
    arguments = set(inspect.signature(bc.fit).parameters) - {"model", "train", "val", "callbacks"}
    assert arguments == set(Settings().to_dict())


@pytest.mark.parametrize("name", ["head_epochs", "fine_tune_rate", "layer_decay", "batch_norm"])
def test_what_speaks_of_the_backbone_is_refused_beside_a_head_alone(name):
    value = {"head_epochs": 1, "fine_tune_rate": 1e-5, "layer_decay": 0.5, "batch_norm": "train"}[name]
    with pytest.raises(TrainingError, match=f"fine_tune=False trains the head alone, so that {name}=.*no effect"):
        Settings(fine_tune=False, **{name: value})
    Settings(fine_tune=False, batch_norm="frozen")


def test_every_default_is_that_of_fit():
    values = Settings().to_dict()
    given = {name: item.default for name, item in inspect.signature(bc.fit).parameters.items() if name in values}
    assert values == given


def test_every_optimizer_is_one_that_can_be_built():
    for name in OPTIMIZERS:
        made = make_optimizer(Settings(optimizer=name), 1e-3)
        assert type(made).__name__.lower() == name


def test_they_go_through_json():
    settings = Settings.of({"run_dir": Path("runs/first"), "class_weight": {"a": 1.0}, "fine_tune": 2, "resume": True})
    assert Settings.of(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.5),
        ("batch_size", True),
        ("feature_views", 0),
        ("seed", -1),
        ("patience", 0),
        ("learning_rate", 0),
        ("learning_rate", float("inf")),
        ("learning_rate", "fast"),
        ("fine_tune_rate", -1),
        ("clip_norm", 0),
        ("weight_decay", -0.1),
        ("label_smoothing", 1),
        ("warmup_epochs", -1),
        ("layer_decay", 0),
        ("layer_decay", 1.1),
        ("optimizer", "best"),
        ("schedule", "linear"),
        ("loss", "mse"),
        ("head_solver", "sgd"),
        ("batch_norm", "off"),
        ("precision", "float64"),
        ("sampling", "balanced"),
        ("resize", "squeeze"),
        ("fine_tune", "first"),
        ("fine_tune", 0.5),
        ("csv", "log.txt"),
        ("monitor", "val_auc"),
        ("augment", find_policy("dihedral")),
    ],
)
def test_what_is_not_valid_is_named(name, value):
    with pytest.raises(TrainingError, match=name):
        Settings(**{name: value})


@pytest.mark.parametrize("name", ["resume", "checkpoint_steps"])
def test_what_needs_a_folder(name):
    with pytest.raises(TrainingError, match="run_dir"):
        Settings(**{name: True if name == "resume" else 1})


def test_differences_are_those_that_change_weights():
    old = Settings(epochs=3, run_dir="a", progress=True).to_dict()
    assert Settings(epochs=3, run_dir="b", resume=True, progress=False).differences(old) == []
    assert Settings(epochs=4).differences(old) == ["epochs: 3 there, 4 here"]


def test_no_augmentation_goes_by_two_names():
    assert Settings.of({"augment": None}) == Settings(augment="none")


def test_a_policy_that_is_not_known_names_the_nearest():
    with pytest.raises(RegistryError, match="classic"):
        Settings(augment="clasic")


def test_numbers_of_numpy_become_those_of_python():
    settings = Settings.of({"epochs": np.int64(3), "learning_rate": np.float64(0.1), "class_weight": {"a": np.int8(2)}})
    assert (type(settings.epochs), type(settings.learning_rate)) == (int, float)
    assert type(settings.class_weight["a"]) is int


@pytest.mark.parametrize(
    "idle", [{"loss": "focal"}, {"label_smoothing": 0.1}, {"sampling": "class-balanced"}, {"weight_decay": 0.1}]
)
def test_what_an_exact_head_does_not_look_at_is_refused_where_nothing_follows(idle):
    with pytest.raises(TrainingError, match=f"{next(iter(idle))}=.* would have no effect"):
        Settings(head_solver="lbfgs", fine_tune=False, **idle)
    assert Settings(head_solver="lbfgs", **idle).fine_tune is True


def test_an_exact_head_takes_one_epoch_whatever_follows():
    with pytest.raises(TrainingError, match="head_epochs=2 would have no effect"):
        Settings(head_solver="lbfgs", head_epochs=2)


def test_an_exact_head_and_mixed_images():
    mixing = {"head_solver": "lbfgs", "augment": "mixup"}
    with pytest.raises(TrainingError, match="feature_views=None"):
        Settings(feature_views=2, **mixing)
    assert Settings(feature_views=None, **mixing).augment == "mixup"
