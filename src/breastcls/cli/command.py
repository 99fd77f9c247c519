"""The class of the commands: options that all commands have, the settings file, and running or printing the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from typing_extensions import override

from breastcls.cli.exit_statuses import ExitStatus
from breastcls.cli.library_option import TABLES, LibraryOption
from breastcls.cli.program import Program
from breastcls.cli.quiet_keras import choose_environment
from breastcls.cli.run_program import run_program
from breastcls.cli.settings_file import FILE_NAME, read_settings
from breastcls.cli.terminal import Terminal

_COMMON = ("as_json", "quiet", "show_python", "traceback", "config")


class SimpleCommand(click.Command):
    """A command that calls no function of the library; it has the options `--json`, `--quiet` and `--traceback`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params += [option for option in common_options() if option.name in ("as_json", "quiet", "traceback")]

    @override
    def invoke(self, ctx: click.Context) -> Any:
        for name in _COMMON:
            ctx.params.pop(name, None)
        return super().invoke(ctx)


class ProgramCommand(click.Command):
    """A command whose function adds statements to a program, which is then run, or printed as Python.

    The function takes the program and the values of the parameters.

    Args:
        *arguments: As for `click.Command`.
        keras: Whether the program needs Keras.
        resumption: How the command is continued after Ctrl-C, as a sentence; by default by `--resume` if there is one.
        **options: As for `click.Command`.
    """

    def __init__(self, *arguments: Any, keras: bool = True, resumption: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.keras = keras
        if not resumption and any(option.name == "resume" for option in self.params):
            resumption = "The same command with --resume continues."
        self.resumption = resumption
        self.params += common_options()

    @override
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under headings, those of the command itself first."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": [], **{title: [] for title in TABLES.values()}}
        general = []
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx) if isinstance(option, click.Option) else None
            if record is None:
                continue
            if option.name in _COMMON or "--help" in option.opts:
                general.append(record)
            else:
                table = option.table if isinstance(option, LibraryOption) else ""
                sections[TABLES.get(table, "Options")].append(record)
        for title, records in {**sections, "General": general}.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    @override
    def invoke(self, ctx: click.Context) -> int:
        terminal = ctx.ensure_object(Terminal)
        given = {name: value for name, value in ctx.params.items() if name not in _COMMON}
        settings: Path | None = ctx.meta.get("breastcls.settings")
        if settings is not None and not ctx.params["show_python"]:
            terminal.note(f"Settings: {settings}")
        if self.callback is None:
            return int(ExitStatus.SUCCESS)
        program = Program(keras=self.keras)
        with terminal.listening():
            ctx.invoke(self.callback, program, **given)
        if ctx.params["show_python"]:
            terminal.write(program.source(choose_environment(), as_json=terminal.json))
            return int(ExitStatus.SUCCESS)
        return run_program(program, str(self.name), terminal)


def common_options() -> list[click.Parameter]:
    """Return the options that every command has."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(dir_okay=False, path_type=Path),
            help=f"Settings file.  [default: {FILE_NAME} in this folder, if there is one]",
            is_eager=True,
            callback=_read_config,
        ),
        _terminal_flag("json", "--json", "as_json", help="Write results and errors as one JSON object."),
        _terminal_flag("quiet", "--quiet", "-q", help="Show warnings and errors, but no progress and no messages."),
        click.Option(
            ["--show-python"], is_flag=True, help="Print the equivalent Python instead of running the command."
        ),
        _terminal_flag("traceback", "--traceback", help="Print the Python traceback of an error."),
    ]


def _terminal_flag(attribute: str, *declarations: str, help: str) -> click.Option:
    """Return a flag that sets an attribute of the terminal, before anything else can fail."""

    def set_attribute(context: click.Context, _: click.Parameter, value: bool) -> bool:
        if value:
            setattr(context.ensure_object(Terminal), attribute, True)
        return value

    return click.Option(list(declarations), is_flag=True, is_eager=True, callback=set_attribute, help=help)


def _read_config(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    """Read the settings file before other options take their defaults from it."""
    path = value or (Path(FILE_NAME) if Path(FILE_NAME).is_file() else None)
    group = context.parent.command if context.parent is not None else None
    if path is None or not isinstance(group, click.Group) or context.resilient_parsing:
        return value
    settings = read_settings(path, group)[str(context.info_name)]
    context.default_map = settings
    if settings:
        context.meta["breastcls.settings"] = path
    return value
