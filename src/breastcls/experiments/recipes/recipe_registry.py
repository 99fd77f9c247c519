"""The registry of recipes: those of the package, those registered by others, and their table."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from breastcls.experiments.recipes.published import PUBLISHED
from breastcls.experiments.recipes.recipe import Recipe
from breastcls.experiments.recipes.small_cpu import SMALL_CPU
from breastcls.registry import Registry, RegistryTable
from breastcls.text_tables import text_table

RECIPES: Registry[Recipe] = Registry("recipe")
"""Recipes by name, in order of registration."""

for _entry in (*PUBLISHED, SMALL_CPU):
    RECIPES.register(_entry.name, _entry)


def register_recipe(recipe: Recipe) -> Recipe:
    """Register a recipe under its name, so that `run_recipe` finds it, and return it.

    Args:
        recipe: The recipe; `run_recipe` and `find_recipe` find it by its `name`.

    Raises:
        RegistryError: If the name is taken.

    Example:
        >>> from breastcls.experiments.recipes.recipe_model import RecipeModel
        >>> tiny = Recipe(name="tiny-cnn4", title="The four-layer network", summary="For a demonstration.",
        ...               models=(RecipeModel("cnn4", "cnn4", (32, 32)),), fractions=(0.7, 0.3), fit={"epochs": 2})
        >>> register_recipe(tiny).name in list_recipes().names
        True
    """
    return RECIPES.register(recipe.name, recipe)


def find_recipe(name: str) -> Recipe:
    """Return the recipe with a name.

    Args:
        name: One of `list_recipes().names`.

    Raises:
        RegistryError: If there is none; the error lists the nearest names.

    Example:
        >>> find_recipe("vgg16-breakhis").data
        'breakhis'
    """
    return RECIPES[name]


class RecipeTable(RegistryTable[Recipe]):
    """The result of `list_recipes`: prints as a table, iterates over the recipes, and has their `names`."""

    headers = ("recipe", "images", "models", "size", "split", "title")

    def cells(self, entry: Recipe) -> tuple[str, ...]:
        """The cells of a recipe's row."""
        return entry.name, entry.data, _models(entry), _sizes(entry), entry.split_in_words, entry.title

    @override
    def __str__(self) -> str:
        """Return the columns that a line of a terminal has room for; `to_frame` has all."""
        rows = [("recipe", "split", "title"), *((one.name, one.split_in_words, one.title) for one in self.entries)]
        return text_table(rows, rule=True)

    def record(self, entry: Recipe) -> dict[str, Any]:
        """The record of a recipe."""
        return {
            "name": entry.name,
            "title": entry.title,
            "data": entry.data,
            "models": _models(entry),
            "image_size": _sizes(entry),
            "augment": entry.augment,
            "split": entry.split_in_words,
            "reported": entry.reported,
            "summary": entry.summary,
        }


def list_recipes() -> RecipeTable:
    """List all recipes; also `bc.experiments.list_recipes()`.

    Returns:
        A `RecipeTable`. Printing it shows the table; `to_frame()` gives a DataFrame. Loads neither Keras nor
        TensorFlow.

    Example:
        >>> table = list_recipes()
        >>> "vgg16-breakhis" in table.names
        True
        >>> table.to_frame().loc["cancernet-idc", "image_size"]
        '48x48'
    """
    return RecipeTable(tuple(RECIPES.values()))


def _models(recipe: Recipe) -> str:
    return ", ".join(model.name for model in recipe.models)


def _sizes(recipe: Recipe) -> str:
    sizes = dict.fromkeys(f"{height}x{width}" for height, width in (one.image_size for one in recipe.models))
    return ", ".join(sizes)
