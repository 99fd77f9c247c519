"""The page made from the parser, and the command lines in the documentation."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from breastcls.cli.command_line import command_line
from breastcls.cli.exit_statuses import ExitStatus

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
SHELL = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)


def test_the_page_has_every_command_option_and_status():
    place = PROJECT / "docs" / "command_line_page.py"
    spec = importlib.util.spec_from_file_location("docs_command_line_page", place)
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    page = hook.on_page_markdown((PROJECT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8"))
    assert hook.COMMANDS not in page
    for name, command in command_line.commands.items():
        assert f"\n## {name}\n" in page
        for option in command.params:
            assert not isinstance(option, click.Option) or f"`{option.opts[0]}`" in page
    assert [status for status in ExitStatus if f"\n| {int(status)} | " not in page] == []
    anchors = {re.sub(r"\s", "-", title.lower()) for title in re.findall(r"^## (.+)$", page, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors


def written_commands():
    """Every line of a shell block that calls the command line, with its page."""
    for page in PAGES:
        for block in SHELL.findall(page.read_text(encoding="utf-8")):
            for line in block.splitlines():
                found = re.match(r"(?:\w+=\S+ )*(?:\.venv/bin/)?breastcls +(?!>)(.+)", line.strip())
                if found:
                    yield page.name, found[1]


@pytest.mark.parametrize(("page", "line"), list(written_commands()))
def test_the_command_lines_of_the_documentation_are_valid(page, line):
    words = shlex.split(re.split(r" (?:\|\||>|\|) ", line)[0], comments=True)
    if words[0].startswith("-"):
        return
    command = command_line.commands[words[0]]
    context = click.Context(command, info_name=words[0], resilient_parsing=False)
    given, rest, _ = command.make_parser(context).parse_args(words[1:])
    assert rest == []
    for parameter in command.get_params(context):
        if parameter.name in given and not parameter.is_eager:
            parameter.type_cast_value(context, given[parameter.name])
    required = [one.name for one in command.params if one.required and not given.get(one.name)]
    assert "--help" in words or required == []
