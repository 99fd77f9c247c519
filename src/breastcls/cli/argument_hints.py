"""Names of arguments in error messages, as options of a command."""

from __future__ import annotations

import re

import click

# A word that only an argument can be: one with a value, with an underscore, written as code, or at the beginning of a
# message of `breastcls.argument_checks`.
_ARGUMENT = re.compile(r"\b([a-z_]+)=|\b([a-z]+_[a-z_]+)\b|`([a-z]+)`|^([a-z]+) is .*; expected ")


def name_options(message: str, command: click.Command | None) -> str:
    r"""Return a message of the library with the options of the command that its Python arguments are.

    Example:
        >>> command = click.Command("train", params=[click.Option(["--allow-leakage"]), click.Option(["--seed"])])
        >>> name_options("Pass allow_leakage=True.", command)
        'Pass allow_leakage=True.\nOn the command line: --allow-leakage.'
        >>> name_options("seed is -1; expected a whole number of at least 0.", command)
        'seed is -1; expected a whole number of at least 0.\nOn the command line: --seed.'
    """
    if command is None:
        return message
    options = {
        getattr(option, "argument", option.name): option.opts[0]
        for option in command.params
        if isinstance(option, click.Option)
    }
    named = dict.fromkeys(options[name] for name in map("".join, _ARGUMENT.findall(message)) if name in options)
    return f"{message}\nOn the command line: {', '.join(named)}." if named else message
