import runpy
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


OUTSIDE = """
from breastcls.experiments import Recipe, RecipeModel, register_recipe

register_recipe(
    Recipe(
        name="from-outside",
        title="Another group's network",
        summary="Four layers.",
        reported="accuracy 91%",
        models=(RecipeModel("cnn4", "cnn4", (32, 32), reported={"accuracy": 0.91}),),
        fractions=(0.6, 0.4),
        fit={"epochs": 1},
    )
)
"""


def test_a_recipe_outside_the_package_is_one_file_and_one_registration(tissue, tmp_path, monkeypatch):
    monkeypatch.setattr(RECIPES, "_items", dict(RECIPES._items))
    (tmp_path / "recipe_from_outside.py").write_text(OUTSIDE, encoding="utf-8")
    runpy.run_path(str(tmp_path / "recipe_from_outside.py"))
    assert bc.experiments.find_recipe("from-outside") in list(bc.experiments.list_recipes())
    result = bc.experiments.run_recipe("from-outside", tissue, output=tmp_path / "out", progress=False)
    assert result.table.loc[("cnn4", "accuracy"), "reported"] == 0.91
    assert "Another group's network" in str(result)
    assert "from-outside" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "cnn4" / "case-split" / "report.html").is_file()
