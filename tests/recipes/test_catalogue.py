import subprocess
import sys

import pytest

import breastcls as bc
from breastcls.errors import RegistryError
from breastcls.recipes.catalogue import recipes


def test_the_list_shows_every_recipe_and_loads_no_tensorflow():
    code = """
import sys, breastcls as bc
table = bc.recipes.list()
print(table)
print(len(table), sorted({'tensorflow', 'keras', 'pandas'} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:-1]] == list(recipes)
    assert lines[-1] == f"{len(recipes)} []"


def test_the_frame_has_one_row_a_recipe():
    frame = bc.recipes.list().to_frame()
    assert list(frame.index) == list(recipes)
    assert frame.loc["vgg19-resnet50-breakhis", "models"] == "vgg19, resnet50, cnn4"
    assert frame.loc["vgg16-128-breakhis", "image_size"] == "128x128"
    assert [recipe.name for recipe in bc.recipes.list()] == list(recipes)


def test_a_name_is_taken_once(tiny, monkeypatch):
    monkeypatch.setattr(recipes, "_items", dict(recipes._items))
    assert bc.recipes.register_recipe(tiny) is recipes["tiny"]
    with pytest.raises(RegistryError, match="named 'tiny' is registered already"):
        bc.recipes.register_recipe(tiny)


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(RegistryError, match="Did you mean 'vgg16-breakhis'"):
        bc.run_recipe("vgg16-breakhiss", "nowhere")


def test_an_unknown_attribute_is_named():
    with pytest.raises(AttributeError, match="no attribute 'liste'"):
        bc.recipes.liste  # noqa: B018
