"""Calling the command line in this process."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from breastcls.cli.command_line import command_line


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Return a function that runs a command line in an empty folder; with `--json`, `.json` is the parsed output."""
    monkeypatch.chdir(tmp_path)

    def run(*words, status=0):
        result = CliRunner().invoke(command_line, [str(word) for word in words])
        assert result.exit_code == status, result.stderr
        if "--json" in words and "--show-python" not in words:
            result.json = json.loads(result.stdout)
        return result

    return run


@pytest.fixture(scope="session")
def easy_table(easy, tmp_path_factory) -> Path:
    """The easy images of training as a table, and their folder."""
    return easy.to_csv(tmp_path_factory.mktemp("tables") / "easy.csv")


@pytest.fixture(scope="session")
def easy_root(easy) -> str:
    return str(Path(easy.paths[0]).parent)
