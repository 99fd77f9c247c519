import json
import shutil

import pytest

import breastcls as bc
from breastcls.errors import DatasetWarning, LayoutError, RecipeError, RegistryError
from breastcls.experiments import Recipe, RecipeModel
from breastcls.experiments.recipes.recipe_registry import RECIPES
from breastcls.experiments.recipes.recipe_run import _replaced


def _recipe(**fields):
    whole = {
        "name": "some",
        "title": "t",
        "summary": "s",
        "models": (RecipeModel("cnn4", "cnn4", (32, 32)),),
        "fractions": (0.7, 0.3),
    }
    return Recipe(**{**whole, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "needs a name"),
        ({"data": "mammograms"}, "Known: breakhis, idc, any"),
        ({"models": ()}, "needs models"),
        ({"models": (RecipeModel("a", "cnn4"), RecipeModel("a", "cnn4"))}, "a name of its own"),
        ({"models": (RecipeModel("a", None),)}, "'a' of the recipe 'some' needs a backbone"),
        ({"fractions": (0.5, 0.6)}, "adding up to 1"),
        ({"fractions": (1.0,)}, "expected \\(train, test\\)"),
        ({"fractions": (1.2, -0.2)}, "expected \\(train, test\\)"),
    ],
)
def test_what_cannot_be_run_is_refused(fields, message):
    with pytest.raises(RecipeError, match=message):
        _recipe(**fields)


def test_a_model_with_an_unknown_head_is_refused():
    with pytest.raises(RecipeError, match=r"'hydra'\. Known: linear"):
        RecipeModel("a", "cnn4", head="hydra")


def test_the_split_in_words():
    assert _recipe().split_in_words == "70/30"
    assert _recipe(fractions=(0.72, 0.08, 0.2)).split_in_words == "72/8/20"


def test_to_dict_returns_json_values():
    one = _recipe(models=(RecipeModel("cnn4", "cnn4", 32, options={"filters": (1, 2, 3, 4)}),), train=print)
    values = json.loads(json.dumps(one.to_dict()))
    assert values["models"][0] == {
        "name": "cnn4",
        "backbone": "cnn4",
        "image_size": [32, 32],
        "head": None,
        "dropout": None,
        "options": {"filters": [1, 2, 3, 4]},
        "reported": {},
    }
    assert values["train"] == "print"


def test_any_images_are_read_by_whoever_knows_the_folder(tissue, tmp_path):
    patches = bc.datasets.make_idc(tmp_path, patients=4, patches_per_patient=2)
    sections = bc.datasets.make_breakhis(tmp_path, slides_per_subtype=1, magnifications=(200,), image_size=(46, 70))
    classes = tmp_path / "classes"
    for name, path in (("no", tissue.paths[0]), ("yes", tissue.paths[1])):
        (classes / name).mkdir(parents=True)
        shutil.copy(path, classes / name / f"{name}.png")
    recipe = _recipe(data="any")
    assert recipe.load(patches).classes == ("negative", "positive")
    assert recipe.load(sections, magnification=200).classes == ("benign", "malignant")
    with pytest.warns(DatasetWarning):
        assert recipe.load(classes).classes == ("no", "yes")


def test_each_kind_has_its_reader(tmp_path):
    root = bc.datasets.make_idc(tmp_path, patients=4, patches_per_patient=2)
    assert _recipe(data="idc").load(root).classes == bc.load_idc(root).classes
    with pytest.raises(LayoutError):
        _recipe(data="breakhis").load(root)


def test_another_backbone_takes_the_place_of_all_models():
    recipe = RECIPES["vgg19-resnet50-breakhis"].with_backbone("mobilenetv2")
    (model,) = recipe.models
    assert (model.name, model.backbone, model.image_size) == ("mobilenetv2", "mobilenetv2", (224, 224))
    assert dict(model.reported) == {}
    assert _replaced(RECIPES["vgg19-resnet50-breakhis"], recipe) == ("mobilenetv2 instead of vgg19, resnet50, cnn4",)
    assert recipe.fit == RECIPES["vgg19-resnet50-breakhis"].fit
    with pytest.raises(RegistryError, match="No backbone is named 'vgg17'"):
        recipe.with_backbone("vgg17")
    with pytest.raises(RecipeError, match="its own training"):
        RECIPES["small-cpu"].with_backbone("mobilenetv2")
