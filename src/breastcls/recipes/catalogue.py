"""The registry of recipes: what is built in, what others add, and the table of it all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from breastcls.recipes.published import PUBLISHED
from breastcls.recipes.recipe import Recipe
from breastcls.recipes.small_cpu import SMALL_CPU
from breastcls.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

recipes: Registry[Recipe] = Registry("recipe")
"""Recipes by name, in order of registration."""

for _entry in (*PUBLISHED, SMALL_CPU):
    recipes.register(_entry.name, _entry)


def register_recipe(recipe: Recipe) -> Recipe:
    """Make a recipe known by its name, so that `run_recipe` runs it, and return it.

    Raises:
        RegistryError: If the name is taken.

    Example:
        >>> from breastcls.recipes.recipe import Contender
        >>> tiny = Recipe(name="tiny-cnn4", title="The four-layer network", summary="For a demonstration.",
        ...               contenders=(Contender("cnn4", "cnn4", (32, 32)),), fractions=(0.7, 0.3), fit={"epochs": 2})
        >>> register_recipe(tiny).name in list_recipes().names
        True
    """
    return recipes.register(recipe.name, recipe)


@dataclass(frozen=True)
class RecipeTable:
    """What `breastcls.recipes.list` returns: prints as a table, iterates over the recipes.

    Attributes:
        entries: The recipes, in order of registration.
    """

    entries: tuple[Recipe, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that `run_recipe` takes."""
        return tuple(entry.name for entry in self.entries)

    def to_frame(self) -> pd.DataFrame:
        """What each recipe is, one row a recipe, indexed by `name`."""
        import pandas as pd

        rows = [
            {
                "name": entry.name,
                "title": entry.title,
                "data": entry.data,
                "models": ", ".join(contender.name for contender in entry.contenders),
                "image_size": _sizes(entry),
                "augment": entry.augment,
                "split": entry.split_in_words,
                "reported": entry.reported,
                "summary": entry.summary,
            }
            for entry in self.entries
        ]
        return pd.DataFrame(rows).set_index("name")

    def __str__(self) -> str:
        rows = [("recipe", "images", "models", "size", "split", "what it is")]
        for entry in self.entries:
            models = ", ".join(contender.name for contender in entry.contenders)
            rows.append((entry.name, entry.data, models, _sizes(entry), entry.split_in_words, entry.title))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])

    __repr__ = __str__


def list_recipes() -> RecipeTable:
    """All recipes that `run_recipe` knows; also `breastcls.recipes.list()`.

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
    return RecipeTable(tuple(recipes.values()))


def _sizes(recipe: Recipe) -> str:
    sizes = dict.fromkeys(f"{height}x{width}" for height, width in (one.image_size for one in recipe.contenders))
    return ", ".join(sizes)
