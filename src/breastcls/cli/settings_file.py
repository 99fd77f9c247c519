"""The settings file `breastcls.toml`: a table for each command, and one for the options on data."""

from __future__ import annotations

import difflib
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from breastcls.cli.library_option import TABLES, LibraryOption

FILE_NAME = "breastcls.toml"
_HEADER = """\
# Settings of the command line breastcls {version}, written by `breastcls init`. They are all defaults.
#
# A command reads this file from the folder in which it is called, or with --config from anywhere. What is given on the
# command line precedes this file. The keys are the long options without their hyphens in front. A line that begins
# with #key has no default; remove the # and write your value.
"""


class SettingsError(click.UsageError):
    """The settings file cannot be read, or has an unknown key or a wrong value."""


def write_settings(group: click.Group, version: str) -> str:
    """Return a settings file with every option of every command, its default and a comment."""
    parts = [_HEADER.format(version=version)]
    written: set[str] = set()
    for table, options in _tables(group).items():
        if table in group.commands:
            parts.append(f"\n# breastcls {table}: {group.commands[table].get_short_help_str(300)}\n[{table}]")
        else:
            parts.append(f"\n# {TABLES[table]}, for all commands that have these options.\n[{table}]")
        for key, option in options.items():
            if f"{table}.{key}" not in written:
                written.add(f"{table}.{key}")
                parts += [_comment(str(option.help)), _line(key, option)]
    return "\n".join(parts) + "\n"


def read_settings(path: Path, group: click.Group) -> dict[str, dict[str, Any]]:
    """Return the settings of each command by parameter name.

    Raises:
        SettingsError: If the file cannot be read, or has a table or key that does not exist, or a wrong value.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read the settings file {path}: {error.strerror}. Check --config.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}. `breastcls init` writes a correct one.") from error
    known = _tables(group)
    found: dict[str, dict[str, Any]] = {name: {} for name in group.commands}
    # The table of a command precedes that of the data.
    for table in sorted(tables, key=lambda name: name in group.commands):
        settings = tables[table]
        if table not in known or not isinstance(settings, dict):
            what = "table" if isinstance(settings, dict) else "key outside of a table"
            raise SettingsError(f"{path}: unknown {what} {table!r}.{_nearest(table, known)}")
        for key, value in settings.items():
            options = known[table] | (_shared(group, table) if table in group.commands else {})
            if key not in options:
                raise SettingsError(f"{path}, [{table}]: unknown key {key!r}.{_nearest(key, options)}")
            checked = _check(path, table, options[key], value)
            for name, command in group.commands.items():
                if table in (name, options[key].table):
                    for option in command.params:
                        if isinstance(option, LibraryOption) and option.opts == options[key].opts:
                            found[name][str(option.name)] = checked
    return found


def _tables(group: click.Group) -> dict[str, dict[str, LibraryOption]]:
    """Return the options of each table of the file by key."""
    tables: dict[str, dict[str, LibraryOption]] = {}
    for name, command in group.commands.items():
        for option in command.params:
            if isinstance(option, LibraryOption):
                tables.setdefault(option.table or name, {})[_key(option)] = option
    # The options of several commands come first.
    return dict(sorted(tables.items(), key=lambda entry: entry[0] in group.commands))


def _shared(group: click.Group, command: str) -> dict[str, LibraryOption]:
    """Return the options of a command that another table holds by default."""
    options = (option for option in group.commands[command].params if isinstance(option, LibraryOption))
    return {_key(option): option for option in options if option.table}


def _key(option: click.Option) -> str:
    return option.opts[0].lstrip("-")


def _comment(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _line(key: str, option: LibraryOption) -> str:
    default = option.default
    if default is None or default == ():
        example = option.example
        return f"#{key} = {_toml(list(example) if isinstance(example, tuple) else example)}"
    return f"{key} = {_toml(default)}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _check(path: Path, table: str, option: LibraryOption, value: Any) -> Any:
    """Return a value as click takes it from a command line, or raise an error that names the place."""
    place = f"{path}, [{table}] {_key(option)}"
    if option.is_flag:
        if not isinstance(value, bool):
            raise SettingsError(f"{place} = {value!r}: expected true or false.")
        return value
    several = option.multiple or option.nargs != 1
    if several != isinstance(value, list) or isinstance(value, dict | bool):
        raise SettingsError(f"{place} = {value!r}: expected {'a list' if several else 'one value'}.")
    texts = [str(one) for one in value] if several else str(value)
    try:
        option.type_cast_value(click.get_current_context(), texts)
    except click.BadParameter as error:
        raise SettingsError(f"{place} = {value!r}: {error.message}") from error
    return texts


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
    return f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(sorted(known))}."
