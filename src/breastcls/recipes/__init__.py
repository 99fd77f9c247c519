"""Recipes: published projects, each done as its authors did it and over cases, side by side.

`breastcls.recipes.list()` names them and `breastcls.run_recipe(name, data)` runs one; so does
`python -m breastcls.recipes`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from breastcls.recipes.catalogue import RecipeTable, list_recipes, recipes, register_recipe
from breastcls.recipes.recipe import Contender, Recipe

if TYPE_CHECKING:
    from breastcls.recipes.result import RecipeResult
    from breastcls.recipes.running import run_recipe

find = recipes.__getitem__
"""The recipe of a name; an unknown name raises RegistryError, which lists the nearest."""

list = list_recipes
"""All recipes, as a table."""

__all__ = [
    "Contender",
    "Recipe",
    "RecipeResult",
    "RecipeTable",
    "find",
    "list",
    "register_recipe",
    "run_recipe",
]

# These load pandas, scikit-learn and, when they run, Keras; the list of recipes needs none of it.
_PLACES = {"RecipeResult": "result", "run_recipe": "running"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'breastcls.recipes' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"breastcls.recipes.{_PLACES[name]}"), name)
    globals()[name] = value
    return value
