"""The command line."""

import json
import os
import subprocess
import sys

import pytest

import breastcls as bc
from breastcls.experiments.recipes.__main__ import main, read_weights
from breastcls.experiments.recipes.recipe_registry import RECIPES


def test_list_names_every_recipe(capsys):
    assert main(["list"]) == 0
    assert capsys.readouterr().out.rstrip("\n") == str(bc.experiments.list_recipes())


def test_show_prints_a_recipe_as_json(capsys):
    assert main(["show", "cancernet-idc"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(RECIPES["cancernet-idc"].to_dict()))


def test_an_unknown_name_is_reported_without_a_traceback(capsys):
    assert main(["show", "cancernet"]) == 1
    assert "RegistryError: No recipe is named 'cancernet'. Did you mean 'cancernet-idc'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "default"),
        (["none"], None),
        (["imagenet"], "imagenet"),
        (["a.h5"], "a.h5"),
        (["vgg19=a=b.h5", "resnet50=none"], {"vgg19": "a=b.h5", "resnet50": None}),
    ],
)
def test_weights_are_read(given, expected):
    assert read_weights(given) == expected


def test_two_weight_files_must_name_their_backbones():
    with pytest.raises(SystemExit, match=r"a\.h5"):
        read_weights(["a.h5", "vgg19=b.h5"])


@pytest.mark.slow
def test_it_runs_on_synthetic_patches_and_names_its_report(tmp_path):
    command = [sys.executable, "-W", "error::breastcls.errors.BreastclsWarning", "-m", "breastcls.experiments.recipes"]
    command += ["run", "cancernet-idc", "--epochs", "1", "--limit", "60", "--output", str(tmp_path / "out"), "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "synthetic images" in result.stderr
    assert "TensorFlow" not in result.stderr
    assert result.stdout.rstrip().splitlines()[-1] == f"Report    {tmp_path / 'out' / 'index.html'}"
    assert (tmp_path / "out" / "index.html").is_file()
    assert (
        json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))["recipe"]["name"] == "cancernet-idc"
    )
