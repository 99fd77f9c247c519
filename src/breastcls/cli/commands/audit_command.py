"""`breastcls audit`: leakage between training and test images."""

from __future__ import annotations

from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options, read_data, take_data_options
from breastcls.cli.exit_statuses import ExitStatus
from breastcls.cli.expressions import bc
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.program import Program


@click.command("audit", cls=ProgramCommand, keras=False, short_help="Find leakage between training and test images.")
@click.argument("train")
@click.argument("test")
@data_options
@library_option(
    "--pixels/--no-pixels",
    function="audit_leakage",
    default=True,
    help="Compare files and pixels, as well as names.",
)
def audit(program: Program, train: str, test: str, **options: Any) -> None:
    """Find cases, slides, files and pixels that TRAIN and TEST share, and near duplicates.

    TRAIN and TEST are folders or tables (CSV, XLSX) with a column `case` or `slide`. The image files of a table need
    not exist; pixels are then not compared. The exit status is 2 if there is a leak, or if names of cases or slides
    differ in spelling only, which is possibly a leak.
    """
    data = take_data_options(options)
    sides = [read_data(program, name, source, data, files=False) for name, source in (("train", train), ("test", test))]
    # Files may be missing from a table, but not from a dataset.
    tables = [side.table for side in sides]
    report = program.assign(
        "report", bc.audit_leakage(*tables, **arguments_of("audit_leakage", options)), "Comparing the images."
    )
    program.show(report)
    program.exit_unless(report.clean, ExitStatus.LEAK)
