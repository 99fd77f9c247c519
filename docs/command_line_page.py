"""MkDocs hook: the commands, their options and the exit statuses, from the parser of the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from breastcls.cli.command_line import command_line
from breastcls.cli.exit_statuses import MEANINGS
from breastcls.cli.library_option import TABLES, LibraryOption

COMMANDS = "<!-- commands of the command line -->"
STATUSES = "<!-- exit statuses of the command line -->"
GENERAL = {"--config", "--json", "--quiet", "--show-python", "--traceback", "--help", "-h"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of the page by the tables and sections."""
    if STATUSES in markdown:
        markdown = markdown.replace(STATUSES, status_table())
    return markdown.replace(COMMANDS, command_sections()) if COMMANDS in markdown else markdown


def status_table() -> str:
    """Return the exit statuses as a Markdown table."""
    rows = [f"| {int(status)} | {meaning} |" for status, meaning in MEANINGS.items()]
    return "\n".join(["| status | meaning |", "|---|---|", *rows])


def command_sections() -> str:
    """Return a section for each command, and for each group of options that several commands share."""
    sections = []
    shared: dict[str, dict[str, click.Option]] = {}
    general: dict[str, click.Option] = {}
    for name, command in command_line.commands.items():
        context = click.Context(command, info_name=f"breastcls {name}")
        own, groups = [], []
        for option in command.get_params(context):
            table = option.table if isinstance(option, LibraryOption) else ""
            if not isinstance(option, click.Option):
                continue
            if option.opts[0] in GENERAL:
                general[option.opts[0]] = option
            elif table:
                shared.setdefault(table, {})[option.opts[0]] = option
                groups += [] if table in groups else [table]
            else:
                own.append(option)
        sections += [f"## {name}", "", f"```text\n{context.get_usage().removeprefix('Usage: ')}\n```", ""]
        sections += [" ".join(part.split()) + "\n" for part in str(command.help).split("\n\n")]
        sections += [option_table(own), ""] if own else []
        links = [f"[{TABLES[table]}](#{_anchor(TABLES[table])})" for table in groups]
        links.append("[general options](#general-options)")
        sections += [f"Further options: {', '.join(links)}.", ""]
    for table, title in TABLES.items():
        sections += [f"## {title}", "", f"In the settings file: `[{table}]`.", ""]
        sections += [option_table(shared[table].values()), ""]
    return "\n".join([*sections, "## General options", "", option_table(general.values())])


def option_table(options: Iterable[click.Option]) -> str:
    """Return options as a Markdown table."""
    lines = ["| option | meaning | default |", "|---|---|---|"]
    for option in options:
        names = "<br>".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        default = option.default if option.show_default else None
        shown = "" if default is None or default == () else f"`{default}`"
        meaning = str(option.help).replace("|", "\\|")
        if isinstance(option.type, click.Choice):
            meaning += f" One of {', '.join(f'`{choice}`' for choice in option.type.choices)}."
        lines.append(f"| {names} | {meaning} | {shown} |")
    return "\n".join(lines)


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
