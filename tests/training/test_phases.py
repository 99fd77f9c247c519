import keras
import pytest

from breastcls.errors import TrainingError
from breastcls.models.card import ModelCard, set_card
from breastcls.training.phases import plan_phases
from breastcls.training.settings import Settings


def _model(weights):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    if weights != "no card":
        set_card(model, ModelCard(classes=("b", "m"), image_size=(8, 8), backbone="cnn4", weights=weights))
    return model


def _plan(weights, **settings):
    phases = plan_phases(_model(weights), Settings(**settings))
    return [(p.name, p.trainable, p.epochs, p.learning_rate) for p in phases]


def test_plans():
    assert _plan("imagenet", epochs=9) == [("head", "head", 3, 1e-3), ("fine-tune", "all", 6, 1e-4)]
    options = {"epochs": 9, "head_epochs": 1, "fine_tune_rate": 1e-5}
    assert _plan("imagenet", fine_tune="last-stage", **options)[1] == ("fine-tune", "last-stage", 8, 1e-5)
    assert _plan("imagenet", fine_tune=2, **options)[1] == ("fine-tune", 2, 8, 1e-5)
    assert _plan("imagenet", fine_tune="all", **options)[1] == ("fine-tune", "all", 8, 1e-5)
    assert _plan("imagenet", epochs=9, fine_tune=False) == [("head", "head", 9, 1e-3)]
    assert _plan(None, epochs=9) == [("all", "all", 9, 1e-3)]
    assert _plan("no card", epochs=9) == [("as-given", None, 9, 1e-3)]


def test_an_exact_head_takes_one_epoch():
    exact = {"epochs": 9, "head_solver": "lbfgs"}
    assert _plan("imagenet", **exact, fine_tune=False) == [("head", "head", 1, 1e-3)]
    assert _plan("imagenet", **exact) == [("head", "head", 1, 1e-3), ("fine-tune", "all", 9, 1e-4)]


def test_too_few_epochs():
    with pytest.raises(TrainingError, match="epochs=1 leaves none for fine-tuning"):
        _plan("imagenet", epochs=1)


@pytest.mark.parametrize("setting", [{"head_solver": "lbfgs"}, {"layer_decay": 0.5}])
def test_what_needs_a_backbone(setting):
    with pytest.raises(TrainingError, match="needs a model from build_model"):
        _plan("no card", **setting)
