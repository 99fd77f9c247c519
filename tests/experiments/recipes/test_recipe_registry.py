import subprocess
import sys

import pytest

import breastcls as bc
from breastcls.errors import RegistryError
from breastcls.experiments.recipes.recipe_registry import RECIPES


def test_the_list_shows_every_recipe_and_loads_no_tensorflow():
    code = """
import sys, breastcls as bc
table = bc.experiments.list_recipes()
print(table)
print(len(table), sorted({'tensorflow', 'keras', 'pandas'} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:-1]] == list(RECIPES)
    assert lines[-1] == f"{len(RECIPES)} []"


def test_the_frame_has_one_row_per_recipe():
    frame = bc.experiments.list_recipes().to_frame()
    assert list(frame.index) == list(RECIPES)
    assert frame.loc["vgg19-resnet50-breakhis", "models"] == "vgg19, resnet50, cnn4"
    assert frame.loc["vgg16-128-breakhis", "image_size"] == "128x128"
    assert [recipe.name for recipe in bc.experiments.list_recipes()] == list(RECIPES)


def test_a_name_is_taken_once(tiny, monkeypatch):
    monkeypatch.setattr(RECIPES, "_items", dict(RECIPES._items))
    assert bc.experiments.register_recipe(tiny) is RECIPES["tiny"]
    with pytest.raises(RegistryError, match="named 'tiny' is registered already"):
        bc.experiments.register_recipe(tiny)


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(RegistryError, match="Did you mean 'vgg16-breakhis'"):
        bc.experiments.run_recipe("vgg16-breakhiss", "nowhere")


def test_an_unknown_attribute_is_named():
    with pytest.raises(AttributeError, match="attribute liste"):
        bc.experiments.liste  # noqa: B018
