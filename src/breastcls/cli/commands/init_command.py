"""`breastcls init`: a settings file with every default."""

from __future__ import annotations

from pathlib import Path

import click

from breastcls._version import __version__
from breastcls.cli.command import SimpleCommand
from breastcls.cli.run_program import write_results
from breastcls.cli.settings_file import FILE_NAME, write_settings
from breastcls.cli.terminal import Terminal


@click.command("init", cls=SimpleCommand, short_help="Write a settings file with every default.")
@click.argument("file", default=FILE_NAME)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.pass_context
def init(context: click.Context, file: str, overwrite: bool) -> None:
    """Write FILE (breastcls.toml) with every option of every command, its default and a comment.

    A command reads breastcls.toml from the folder in which it is called, or any file with --config.
    """
    from breastcls.errors import OutputError
    from breastcls.files import write_text

    group = context.find_root().command
    if not isinstance(group, click.Group):
        raise TypeError(f"{group.name} is no group of commands.")
    if Path(file).exists() and not overwrite:
        raise OutputError(f"{file} exists already. Choose another file, or replace it with --overwrite.")
    path = write_text(file, write_settings(group, __version__))
    write_results("init", {}, {"settings": str(path)}, context.ensure_object(Terminal))
