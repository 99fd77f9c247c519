"""The registry of recipes: what is built in, what others add, and the table of it all."""

from __future__ import annotations

from typing import Any

from breastcls.experiments.recipes.published import PUBLISHED
from breastcls.experiments.recipes.recipe import Recipe
from breastcls.experiments.recipes.small_cpu import SMALL_CPU
from breastcls.registry import Registry, RegistryTable

RECIPES: Registry[Recipe] = Registry("recipe")
"""Recipes by name, in order of registration."""

for _entry in (*PUBLISHED, SMALL_CPU):
    RECIPES.register(_entry.name, _entry)


def register_recipe(recipe: Recipe) -> Recipe:
    """Make a recipe known by its name, so that `run_recipe` runs it, and return it.

    Raises:
        RegistryError: If the name is taken.

    Example:
        >>> from breastcls.experiments.recipes.recipe import Contender
        >>> tiny = Recipe(name="tiny-cnn4", title="The four-layer network", summary="For a demonstration.",
        ...               contenders=(Contender("cnn4", "cnn4", (32, 32)),), fractions=(0.7, 0.3), fit={"epochs": 2})
        >>> register_recipe(tiny).name in list_recipes().names
        True
    """
    return RECIPES.register(recipe.name, recipe)


def find_recipe(name: str) -> Recipe:
    """Return the recipe of a name.

    Raises:
        RegistryError: If there is none; the error lists the nearest names.
    """
    return RECIPES[name]


class RecipeTable(RegistryTable[Recipe]):
    """What `list_recipes` returns: prints as a table, iterates over the recipes, has their `names`."""

    headers = ("recipe", "images", "models", "size", "split", "what it is")

    def cells(self, entry: Recipe) -> tuple[str, ...]:
        """What is printed of a recipe."""
        return entry.name, entry.data, _models(entry), _sizes(entry), entry.split_in_words, entry.title

    def record(self, entry: Recipe) -> dict[str, Any]:
        """What a recipe is."""
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
    """All recipes that `run_recipe` knows; also `bc.experiments.list_recipes()`.

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
    return ", ".join(contender.name for contender in recipe.contenders)


def _sizes(recipe: Recipe) -> str:
    sizes = dict.fromkeys(f"{height}x{width}" for height, width in (one.image_size for one in recipe.contenders))
    return ", ".join(sizes)
