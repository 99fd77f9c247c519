import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import TrainingError
from breastcls.models.backbones.stain_texture import build_stain_texture
from breastcls.models.model_card import get_card, set_card
from breastcls.training.fit_options import EpochSchedule, FineTune
from breastcls.training.fit_settings import FitSettings
from breastcls.training.phases import plan_phases


@pytest.fixture
def quick():
    return {"epochs": 2, "batch_size": 8, "augment": "none"}


@pytest.fixture(scope="module")
def built():
    return bc.build_model("cnn4", classes=("b", "m"), image_size=32, weights=None, seed=1)


@pytest.fixture(scope="module")
def plain():
    """A model in which nothing is nested."""
    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])


@pytest.fixture(scope="module")
def nested(built):
    """A model of somebody else, whose backbone is one layer."""
    inputs = keras.Input((32, 32, 3))
    backbone = next(layer for layer in built.layers if isinstance(layer, keras.Model))
    x = keras.layers.GlobalAveragePooling2D()(backbone(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, "softmax")(x))


def _plan(model, weights=None, **settings):
    if get_card(model) is not None:
        set_card(model, get_card(model).replace(weights=weights))
    phases = plan_phases(model, FitSettings.of(settings))
    return [(p.name, p.trainable, p.epochs, p.learning_rate) for p in phases]


def test_plans(built, plain):
    assert _plan(built, "imagenet", epochs=9) == [("head", "head", 3, 1e-3), ("fine-tune", "all", 6, 1e-4)]
    for depth in ("last-stage", 2, "all"):
        tune = FineTune(depth, head_epochs=1, learning_rate=1e-5)
        assert _plan(built, "imagenet", epochs=9, fine_tune=tune)[1] == ("fine-tune", depth, 8, 1e-5)
        assert _plan(built, "imagenet", epochs=9, fine_tune=depth)[1] == ("fine-tune", depth, 6, 1e-4)
    assert _plan(built, "imagenet", epochs=9, fine_tune=False) == [("head", "head", 9, 1e-3)]
    assert _plan(built, None, epochs=9) == [("all", "all", 9, 1e-3)]
    assert _plan(plain, epochs=9) == [("as-given", None, 9, 1e-3)]


def test_the_rate_of_fine_tuning(built):
    cosine, steps = EpochSchedule(1e-2, "cosine", 1), keras.optimizers.schedules.CosineDecay(1e-2, 10)
    for first, asked, expected in [
        (1e-2, None, 1e-3),
        (1e-2, 1e-5, 1e-5),
        (1e-2, steps, steps),
        (1e-2, cosine, cosine),
        (cosine, None, EpochSchedule(1e-3, "cosine", 1)),
        (cosine, 1e-5, EpochSchedule(1e-5, "cosine", 1)),
        (cosine, EpochSchedule(1e-5), EpochSchedule(1e-5)),
        (steps, None, steps),
        (steps, 1e-5, 1e-5),
    ]:
        plan = _plan(built, "imagenet", epochs=9, learning_rate=first, fine_tune=FineTune(learning_rate=asked))
        assert [phase[3] for phase in plan] == [first, expected]


def test_an_exact_head_takes_one_epoch(built):
    exact = {"epochs": 9, "frozen_head": "lbfgs"}
    assert _plan(built, "imagenet", **exact, fine_tune=False) == [("head", "head", 1, 1e-3)]
    assert _plan(built, "imagenet", **exact) == [("head", "head", 1, 1e-3), ("fine-tune", "all", 9, 1e-4)]


def test_too_few_epochs(built):
    with pytest.raises(TrainingError, match="epochs=1 leaves none for fine-tuning"):
        _plan(built, "imagenet", epochs=1)


def test_more_stages_than_there_are(built):
    with pytest.raises(TrainingError, match=r"fine_tune=4: the backbone of .* has 3 stages"):
        _plan(built, "imagenet", fine_tune=4)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [("as-given", None, 9)]),
        ({"fine_tune": False}, [("head", "head", 9)]),
        ({"fine_tune": "all"}, [("head", "head", 3), ("fine-tune", "all", 6)]),
        ({"fine_tune": FineTune(head_epochs=2)}, [("head", "head", 2), ("fine-tune", "all", 7)]),
        ({"fine_tune": FineTune(learning_rate=1e-5)}, [("head", "head", 3), ("fine-tune", "all", 6)]),
        ({"fine_tune": FineTune(batch_norm="train")}, [("head", "head", 3), ("fine-tune", "all", 6)]),
        ({"frozen_head": "lbfgs"}, [("head", "head", 1), ("fine-tune", "all", 9)]),
    ],
)
def test_models_of_others_have_phases_where_these_are_spoken_of(nested, plain, settings, expected):
    assert [plan[:3] for plan in _plan(nested, epochs=9, **settings)] == expected
    if settings:
        with pytest.raises(
            TrainingError, match=f"{next(iter(settings))}=.*nested in it as one layer.*has 0 nested models"
        ):
            _plan(plain, epochs=9, **settings)


@pytest.mark.parametrize(
    "setting", [{"fine_tune": FineTune(layer_decay=0.5)}, {"fine_tune": "last-stage"}, {"fine_tune": 1}]
)
def test_stages_are_known_of_registered_backbones_only(nested, setting):
    with pytest.raises(TrainingError, match="needs a model from build_model"):
        _plan(nested, **setting)


def test_a_texture_model_can_have_an_exact_head():
    model = build_stain_texture(classes=("b", "m"), image_size=32, weights=None, blocks=(1,), seed=1)
    assert [
        plan.solver for plan in plan_phases(model, FitSettings.of({"fine_tune": False, "frozen_head": "lbfgs"}))
    ] == ["lbfgs"]


def _foreign(small):
    """As `nested`, images scaled, and made anew."""
    backbone = next(layer for layer in small().layers if isinstance(layer, keras.Model))
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(backbone(keras.layers.Rescaling(1 / 255)(inputs)))
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros")(x)), backbone


def test_a_backbone_of_random_weights_has_phases_where_these_are_asked_for(built):
    """As for a model that was trained before, which nothing in its card tells from pretrained ones."""
    for settings, expected in [
        ({}, [("all", "all", 9)]),
        ({"fine_tune": "last-stage"}, [("head", "head", 3), ("fine-tune", "last-stage", 6)]),
        ({"fine_tune": 2}, [("head", "head", 3), ("fine-tune", 2, 6)]),
        ({"fine_tune": FineTune(head_epochs=2)}, [("head", "head", 2), ("fine-tune", "all", 7)]),
        ({"fine_tune": FineTune(learning_rate=1e-5)}, [("head", "head", 3), ("fine-tune", "all", 6)]),
    ]:
        assert [plan[:3] for plan in _plan(built, None, epochs=9, **settings)] == expected
    with pytest.raises(TrainingError, match=r"fine_tune=99: the backbone of .* has 3 stages"):
        _plan(built, None, fine_tune=99)


def test_the_flags_of_somebody_elses_model_are_as_they_were(parts, small, quick):
    model, backbone = _foreign(small)
    backbone.layers[-1].trainable = False
    before = [layer.trainable for layer in model._flatten_layers()]
    bc.fit(model, parts[0], **quick, fine_tune=False)
    assert [layer.trainable for layer in model._flatten_layers()] == before
    run = bc.fit(model, parts[0], **quick)
    assert run.history["phase"].tolist() == ["as-given"] * 2


def test_the_head_of_somebody_elses_model_is_trained_alone(parts, small, quick):
    model, backbone = _foreign(small)
    before = [weight.copy() for weight in backbone.get_weights()]
    run = bc.fit(model, *parts[:2], **quick, fine_tune=False)
    assert run.history["phase"].tolist() == ["head", "head"]
    assert run.config["input_modes"] == ["features"]
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.abs(model.layers[-1].get_weights()[0]).max() > 0
    run = bc.fit(model, *parts[:2], **quick, fine_tune=FineTune(head_epochs=1))
    assert run.history["phase"].tolist() == ["head", "fine-tune"]
    assert np.abs(backbone.get_weights()[0] - before[0]).max() > 0


def test_a_texture_model_keeps_its_filters(parts, quick):
    options = {"classes": ("benign", "malignant"), "image_size": 32, "weights": None, "blocks": (1,), "seed": 1}
    for more, phase in [
        ({"fine_tune": False, "frozen_head": "lbfgs"}, "head"),
        ({"fine_tune": False}, "head"),
        ({}, "as-given"),
    ]:
        model = build_stain_texture(**options)
        before = [weight.copy() for weight in model.get_layer("stain_texture").get_weights()]
        head = model.get_layer("logits").get_weights()[0]
        run = bc.fit(model, *parts[:2], **{**quick, "epochs": 1}, **more)
        assert run.history["phase"].tolist() == [phase]
        for old, new in zip(before, model.get_layer("stain_texture").get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        assert np.abs(model.get_layer("logits").get_weights()[0] - head).max() > 0
