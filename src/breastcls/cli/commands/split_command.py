"""`breastcls split`: the parts of a data set as tables."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options, read_data, take_data_options
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.parts import part_fractions
from breastcls.cli.program import Program

_TITLES = {"train": "Training images", "val": "Validation images", "test": "Test images"}


@click.command("split", cls=ProgramCommand, keras=False, short_help="Split a data set by case, into tables.")
@click.argument("data")
@data_options
@library_option("--val-fraction", type=float, default=0.1, help="Share of the images for validation; 0 for none.")
@library_option("--test-fraction", type=float, default=0.2, help="Share of the images for testing; 0 for none.")
@library_option(
    "--by",
    type=click.Choice(("case", "slide", "image")),
    default="case",
    function="Dataset.split",
    help='The unit that is kept in one part; "slide" and "image" cause leaks.',
)
@library_option(
    "--stratify",
    function="Dataset.split",
    metavar="COLUMN",
    example="subtype",
    help="Column whose values have the same shares in all parts.  [default: the label]",
)
@library_option("--seed", type=int, default=0, function="Dataset.split", help="Seed of the split.")
@click.option("--output", "-o", default="split", show_default=True, metavar="FOLDER", help="Folder for the tables.")
def split(program: Program, data: str, output: str, **options: Any) -> None:
    """Split DATA into training, validation and test images, and write one table for each.

    All images of a case are in one part. The paths in the tables are relative to the folder of DATA, which other
    commands need as --root.
    """
    from breastcls.datasets.data_format import is_table

    chosen = take_data_options(options)
    images = read_data(program, "data", data, chosen)
    names, fractions = part_fractions(options["val_fraction"], options["test_fraction"])
    parts = program.unpack(
        names, images.split(fractions, **arguments_of("Dataset.split", options)), "Splitting the images."
    )
    tables = []
    for name, part in zip(names, parts, strict=True):
        program.show(part.summary(), heading=_TITLES[name])
        tables.append(str(Path(output, f"{name}.csv")))
        program.write(name, part.to_csv(tables[-1]))
    root = chosen["root"] or (str(Path(data).parent) if is_table(data) else data)
    given = {"train": "", "val": "--val ", "test": "--test "}
    words = " ".join(given[name] + shlex.quote(file) for name, file in zip(names, tables, strict=True))
    program.closing.append(f"Train on them: breastcls train {words} --root {shlex.quote(root)}")
