"""The settings file: written with every default, read before the defaults, and checked."""

import re

import pytest


def source(call, *words):
    return call(*words, "--show-python").stdout


def test_the_file_of_init_changes_nothing_and_is_read_from_the_folder(call, easy_table, tmp_path):
    before = source(call, "train", easy_table)
    text = call("init").stdout
    assert text == "Settings  breastcls.toml\n"
    assert source(call, "train", easy_table) == before
    settings = (tmp_path / "breastcls.toml").read_text(encoding="utf-8")
    # Every line that has no default is valid once its # is removed.
    (tmp_path / "all.toml").write_text(re.sub("(?m)^#(?=[a-z])", "", settings), encoding="utf-8")
    (tmp_path / "breastcls.toml").unlink()
    changed = source(call, "train", easy_table, "--config", "all.toml", "--format", "table", "--stain", "reinhard")
    assert 'resize="stretch", stain="reinhard"' in changed
    assert "alpha=0.25" in changed


def test_the_command_line_precedes_the_file_and_a_command_the_shared_table(call, easy_table, tmp_path):
    (tmp_path / "breastcls.toml").write_text(
        '[training]\nepochs = 3\nbatch-size = 4\noptimizer = "sgd"\n[train]\nbatch-size = 5\n', encoding="utf-8"
    )
    found = source(call, "train", easy_table, "--optimizer", "adamw")
    assert 'epochs=3, batch_size=5, optimizer="adamw"' in " ".join(found.split())
    assert "batch_size=4" in source(call, "cross-validate", easy_table)
    assert call("train", easy_table, "--show-python").stderr.count("Settings") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trian]\nepochs = 3", "breastcls.toml: unknown table 'trian'. Did you mean 'train'?"),
        ("epochs = 3", "unknown key outside of a table 'epochs'. Known: audit, "),
        ("[training]\nepoch = 3", "[training]: unknown key 'epoch'. Did you mean 'epochs'?"),
        ("[training]\nbatch_size = 3", "unknown key 'batch_size'. Did you mean 'batch-size'?"),
        ("[training]\nepochs = 1.5", "[training] epochs = 1.5: '1.5' is not a valid integer"),
        ("[training]\nepochs = true", "[training] epochs = True: expected one value."),
        ("[training]\nloss = 'hinge'", "[training] loss = 'hinge': 'hinge' is not one of 'cross-entropy', 'focal'."),
        ("[data]\nmagnification = 200", "[data] magnification = 200: expected a list."),
        ("[audit]\npixels = 'no'", "[audit] pixels = 'no': expected true or false."),
        ("[training\n", "breastcls.toml is not a TOML file: "),
    ],
)
def test_a_wrong_file_is_an_error_that_names_the_place(call, tmp_path, text, message):
    (tmp_path / "breastcls.toml").write_text(text, encoding="utf-8")
    result = call("backbones", status=64)
    assert message in result.stderr
    assert result.stdout == ""


def test_a_missing_file_is_an_error_and_init_replaces_none(call):
    assert "Cannot read the settings file none.toml" in call("backbones", "--config", "none.toml", status=64).stderr
    call("init", "a.toml")
    assert "a.toml exists already" in call("init", "a.toml", status=1).stderr
    call("init", "a.toml", "--overwrite")
