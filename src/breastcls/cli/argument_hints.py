"""Names of arguments in error messages, as options of a command."""

from __future__ import annotations

import re

import click

# A word that only an argument can be: one with a value, with an underscore, or written as code.
_ARGUMENT = re.compile(r"\b([a-z_]+)=|\b([a-z]+_[a-z_]+)\b|`([a-z]+)`")


def name_options(message: str, command: click.Command | None) -> str:
    r"""Return a message of the library with the options of the command that its Python arguments are.

    Example:
        >>> command = click.Command("train", params=[click.Option(["--allow-leakage"])])
        >>> name_options("Pass allow_leakage=True.", command)
        'Pass allow_leakage=True.\nOn the command line: --allow-leakage.'
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
