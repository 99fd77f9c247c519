"""Synthetic images, few and small, and one result of each recipe that several tests look at."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import keras
import pytest

import breastcls as bc
from breastcls.errors import ExplanationWarning
from breastcls.experiments import Recipe, RecipeModel, RecipeResult


@pytest.fixture(scope="session")
def tissue(tmp_path_factory) -> bc.Dataset:
    """32 images of 16 cases, two images of each."""
    root = bc.datasets.make_breakhis(
        tmp_path_factory.mktemp("tissue"),
        slides_per_subtype=2,
        images_per_slide=2,
        magnifications=(200,),
        image_size=(46, 70),
    )
    return bc.load_breakhis(root)


@pytest.fixture(scope="session")
def patches(tmp_path_factory) -> bc.Dataset:
    """IDC patches of ten patients."""
    return bc.load_idc(bc.datasets.make_idc(tmp_path_factory.mktemp("patches"), patients=10, patches_per_patient=8))


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    """A recipe that takes seconds."""
    return Recipe(
        name="tiny",
        title="The four-layer network",
        summary="Four layers, for a test.",
        models=(RecipeModel("cnn4", "cnn4", (32, 32), reported={"accuracy": 0.9}),),
        fractions=(0.6, 0.4),
        reported="accuracy 90%",
        fit={"epochs": 1},
        explain="grad-cam",
    )


@pytest.fixture(scope="session")
def run_small(tissue, patches) -> Callable[[str], RecipeResult]:
    """Run a recipe of the registry as small as can be; once, however many tests ask.

    ResNet50 has one block in each stage instead of three to six: tracing the others takes most of a minute.
    """
    done: dict[str, RecipeResult] = {}
    resnet = sys.modules[keras.applications.ResNet50.__module__]
    stack = resnet.stack_residual_blocks_v1

    def stack_one(x: Any, filters: int, blocks: int, **options: Any) -> Any:
        return stack(x, filters, 1, **options)

    def run(name: str) -> RecipeResult:
        if name not in done:
            data = patches if bc.experiments.list_recipes().to_frame().loc[name, "data"] == "idc" else tissue
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(resnet, "stack_residual_blocks_v1", stack_one)
                done[name] = bc.experiments.run_recipe(
                    name,
                    data,
                    weights=None,
                    image_size=32,
                    epochs=1,
                    limit=24 if data is tissue else 60,
                    progress=False,
                )
        return done[name]

    return run


@pytest.fixture(scope="session")
def tiny_result(tiny, tissue, tmp_path_factory) -> RecipeResult:
    """The tiny recipe with everything written."""
    with warnings.catch_warnings():
        # A network of one epoch has little evidence to show.
        warnings.simplefilter("ignore", ExplanationWarning)
        return bc.experiments.run_recipe(
            tiny, tissue, output=tmp_path_factory.mktemp("output") / "result", progress=False
        )


@pytest.fixture(scope="session")
def folds_result(tiny, tissue) -> RecipeResult:
    """The tiny recipe, cross-validated over two folds."""
    return bc.experiments.run_recipe(tiny, tissue, folds=2, progress=False)
