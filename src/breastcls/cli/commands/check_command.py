"""`breastcls check`: broken, blank and repeated images of a data set."""

from __future__ import annotations

from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options, read_data, take_data_options
from breastcls.cli.exit_statuses import ExitStatus
from breastcls.cli.program import Program


@click.command("check", cls=ProgramCommand, keras=False, short_help="Find broken, blank and repeated images.")
@click.argument("data")
@data_options
@click.option("--output", "-o", metavar="CSV", help="Write a table of the usable images to this file.")
def check(program: Program, data: str, output: str | None, **options: Any) -> None:
    """Read every image of DATA, a folder or a table, and list those that are broken, blank or repeated.

    The exit status is 3 if there are images that training would have to leave out.
    """
    images = read_data(program, "data", data, take_data_options(options))
    report = program.assign("report", images.check(on_error="drop"), "Reading every image.")
    program.show(report)
    if output is not None:
        program.write("table", report.clean.to_csv(output))
    program.exit_unless(report.all_usable, ExitStatus.UNUSABLE_FILES)
