import keras
import pytest

from breastcls.errors import TrainingError
from breastcls.models.card import ModelCard, set_card
from breastcls.training.phases import plan_phases


def _model(weights):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    if weights != "no card":
        set_card(model, ModelCard(classes=("b", "m"), image_size=(8, 8), backbone="cnn4", weights=weights))
    return model


def _plan(weights, *arguments):
    return [(p.name, p.trainable, p.epochs, p.learning_rate) for p in plan_phases(_model(weights), *arguments)]


def test_plans():
    assert _plan("imagenet", 9, 1e-3, True) == [("head", "head", 3, 1e-3), ("fine-tune", "all", 6, 1e-4)]
    assert _plan("imagenet", 9, 1e-3, "last-stage", 1, 1e-5)[1] == ("fine-tune", "last-stage", 8, 1e-5)
    assert _plan("imagenet", 9, 1e-3, False) == [("head", "head", 9, 1e-3)]
    assert _plan(None, 9, 1e-3, True) == [("all", "all", 9, 1e-3)]
    assert _plan("no card", 9, 1e-3, True) == [("as-given", None, 9, 1e-3)]


def test_too_few_epochs():
    with pytest.raises(TrainingError, match="epochs=1 leaves none for fine-tuning"):
        _plan("imagenet", 1, 1e-3, True)
