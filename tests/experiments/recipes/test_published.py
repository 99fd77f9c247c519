"""The published recipes hold together, and what their authors stated is what is done."""

import json

import numpy as np
import pytest

import breastcls as bc
from breastcls.augmentation.policy_registry import find_policy
from breastcls.augmentation.resampling import DRAWS, compose_geometry
from breastcls.experiments.recipes.recipe_registry import RECIPES
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.metrics.classification_metrics import METRICS
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.heads import default_dropout
from breastcls.training.fit_settings import FitSettings


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_only_what_there_is(name):
    recipe = RECIPES[name]
    assert set(recipe.metrics) <= set(METRICS)
    assert recipe.explain is None or recipe.explain in METHODS
    find_policy(recipe.augment)
    FitSettings.of({"augment": recipe.augment, **recipe.fit})
    FitSettings.of({"augment": recipe.augment, **recipe.fit, **recipe.scratch})
    for model in recipe.models:
        assert set(model.reported) <= set(recipe.metrics)
        if model.backbone is not None:
            entry = BACKBONES[model.backbone]
            assert all(side >= least for side, least in zip(model.image_size, entry.minimum_size, strict=True))
            assert set(model.options) <= set(entry.options)
    json.dumps(recipe.to_dict())


def test_the_five_projects_are_there():
    names = bc.experiments.list_recipes().names
    assert names[:5] == (
        "vgg16-breakhis",
        "vgg19-resnet50-breakhis",
        "resnet50-breakhis",
        "cancernet-idc",
        "vgg16-128-breakhis",
    )


def test_the_reported_values_are_those_of_the_right_models():
    reported = {
        (recipe.name, model.name): dict(model.reported)
        for recipe in RECIPES.values()
        for model in recipe.models
        if model.reported
    }
    assert reported["vgg16-breakhis", "vgg16"] == {"accuracy": 0.8938}
    assert reported["vgg19-resnet50-breakhis", "resnet50"] == {"accuracy": 0.97}
    assert reported["vgg16-128-breakhis", "vgg16"] == {"accuracy": 0.8632}
    assert not [key for key in reported if key[0] in ("resnet50-breakhis", "cancernet-idc")]


def test_cancernet_is_trained_as_it_was_published():
    recipe = RECIPES["cancernet-idc"]
    (model,) = recipe.models
    fit = FitSettings.of({"augment": recipe.augment, **recipe.fit})
    assert (fit.optimizer, fit.learning_rate, fit.batch_size, fit.epochs) == ("adagrad", 1e-2, 32, 40)
    assert fit.class_weight == "balanced"
    # 80/20, and a tenth of the 80 for validation.
    assert recipe.fractions == pytest.approx((0.8 * 0.9, 0.8 * 0.1, 0.2))
    assert model.image_size == (48, 48)
    assert (model.head, model.dropout) == ("flatten-mlp", default_dropout("flatten-mlp"))


def test_its_augmentation_is_that_of_the_keras_generator_it_was_written_with():
    """The extremes of 4,000 draws of both: rotation, zoom, shift and shear as matrices from result to source."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    settings = {
        "rotation_range": 20,
        "zoom_range": 0.05,
        "width_shift_range": 0.1,
        "height_shift_range": 0.1,
        "shear_range": 0.05,
        "horizontal_flip": True,
        "vertical_flip": True,
    }
    generator = ImageDataGenerator(**settings)
    np.random.seed(0)
    drawn = [generator.get_random_transform((48, 48, 3)) for _ in range(4000)]
    policy = find_policy("cancernet")
    side = 48
    expected = {
        "rotation": max(abs(one["theta"]) for one in drawn),
        "shear": np.tan(np.deg2rad(max(abs(one["shear"]) for one in drawn))),
        "shift": max(abs(one["tx"]) for one in drawn) / side,
        "zoom": max(abs(1 - one["zx"]) for one in drawn),
    }
    for name, value in expected.items():
        assert getattr(policy, name) == pytest.approx(value, rel=0.01), name
    assert policy.flip
    assert {one["flip_horizontal"] for one in drawn} == {one["flip_vertical"] for one in drawn} == {False, True}
    # And nothing else changes: what is left of our matrices at those extremes is a rotation and a zoom.
    numbers = np.random.default_rng(0).random((4000, DRAWS))
    matrices = compose_geometry(policy, numbers, np.zeros(4000, np.int64), side, side)
    areas = np.sqrt(np.linalg.det(matrices[:, :, :2]))
    assert (1 / areas).min() == pytest.approx(0.95, abs=2e-3)
    assert (1 / areas).max() == pytest.approx(1.05, abs=2e-3)
    assert not any((policy.brightness, policy.contrast, policy.saturation, policy.hue, policy.stain, policy.mixup))


def test_the_head_at_128_is_flatten_dense_batch_norm_dropout():
    (entry,) = RECIPES["vgg16-128-breakhis"].models
    model = bc.build_model(
        entry.backbone, classes=("b", "m"), image_size=entry.image_size, head=entry.head, weights=None
    )
    kinds = [type(layer).__name__ for layer in model.layers]
    head = kinds[kinds.index("Flatten") :]
    assert head == ["Flatten", "Dense", "ReLU", "BatchNormalization", "Dropout", "Dense", "Softmax"]
    assert model.input_shape == (None, 128, 128, 3)
