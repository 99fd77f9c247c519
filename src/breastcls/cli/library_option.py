"""Options that are arguments of a public function, with its name and its default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

TABLES = {
    "data": "The images",
    "model": "The model",
    "other-models": "A model that breastcls has not trained",
    "training": "The training",
    "intervals": "Aggregation and confidence intervals",
}
"""The tables of the settings file that several commands share, with their headings in the help texts."""


class LibraryOption(click.Option):
    """An option that is passed to a public function unless it has its default.

    Attributes:
        function: The public function, such as "fit" or "training.ModelSelection".
        argument: The name of the argument; by default that of the option.
        example: A value for the settings file, where the default is none.
        table: The table of the settings file that holds the option, one of `TABLES`, "" for that of the command.
    """

    def __init__(
        self,
        declarations: list[str],
        *,
        function: str = "",
        argument: str = "",
        example: Any = None,
        table: str = "",
        **options: Any,
    ) -> None:
        # None is said, since click has another value for options without a default.
        options.setdefault("default", () if options.get("multiple") else None)
        super().__init__(declarations, **options)
        self.function = function
        self.argument = argument or str(self.name)
        self.example = example
        self.table = table


def library_option(*declarations: str, **options: Any) -> Callable[[Decorated], Decorated]:
    """Declare an option of a command; see `LibraryOption`."""
    options.setdefault("show_default", options.get("default") is not None)
    return click.option(*declarations, cls=LibraryOption, **options)


def option_group(*options: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    """Return a decorator that adds several options to a command, which its help lists in this order."""

    def decorate(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def arguments_of(function: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a public function that differ from their defaults.

    Args:
        function: The public function.
        given: The values of all options of the command, by parameter name.
    """
    command = click.get_current_context().command
    found = {}
    for option in command.params:
        if isinstance(option, LibraryOption) and option.function == function:
            value = given[str(option.name)]
            if value != option.default and not (option.multiple and not value):
                found[option.argument] = value
    return found
