"""The options repeat the arguments of public functions, and their defaults."""

import inspect

import pytest

import breastcls as bc
from breastcls.cli.command_line import command_line
from breastcls.cli.library_option import LibraryOption

OPTIONS = [
    (name, option)
    for name, command in command_line.commands.items()
    for option in command.params
    if isinstance(option, LibraryOption)
]
# Options whose own default is the one that is documented: an empty list for None or ().
NOTHING = (None, ())


@pytest.mark.parametrize(
    ("command", "option"),
    [pair for pair in OPTIONS if pair[1].function],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_an_option_has_the_default_of_its_argument(command, option):
    function = bc
    for name in option.function.split("."):
        function = getattr(function, name)
    default = inspect.signature(function).parameters[option.argument].default
    assert option.default == default or (option.default in NOTHING and default in NOTHING)


def test_every_option_is_described_and_has_a_default_or_an_example():
    assert [f"{name} {option.opts[0]}" for name, option in OPTIONS if not option.help] == []
    lacking = [option.opts[0] for _, option in OPTIONS if option.default in NOTHING and option.example is None]
    assert lacking == []


def test_options_of_one_name_in_a_shared_table_are_the_same():
    shared = {}
    for _, option in OPTIONS:
        if option.table:
            known = shared.setdefault((option.table, option.opts[0]), option)
            assert (known.default, known.help, known.multiple) == (option.default, option.help, option.multiple)
