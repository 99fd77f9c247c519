"""The options by which commands read a data set, and the expression that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from breastcls.cli.expressions import Expression, bc
from breastcls.cli.library_option import library_option, option_group
from breastcls.cli.program import Program

FORMATS = ("breakhis", "idc", "classes", "images", "table")
_NAMES = ("data_format", "magnification", "target", "layout", "group", "class_names", "root", "where")
_TABLE: dict[str, Any] = {"table": "data"}


def class_option(**options: Any) -> Callable[[Any], Any]:
    """Declare the option `--class` with the table and the function that it belongs to."""
    return library_option(
        "--class",
        "class_names",
        multiple=True,
        argument="classes",
        example=("benign", "malignant"),
        metavar="NAME",
        help="Name of a class; repeat the option for each class, the positive one last.",
        **options,
    )


data_options = option_group(
    library_option(
        "--format",
        "data_format",
        type=click.Choice(FORMATS),
        example="classes",
        metavar="FORMAT",
        help="The format, if it is not recognised: breakhis, idc, classes (a folder of class folders), images (a "
        "folder without labels) or table (CSV, XLSX).",
        **_TABLE,
    ),
    library_option(
        "--magnification",
        type=int,
        multiple=True,
        example=(200,),
        help="Only images of this magnification; may be repeated.",
        **_TABLE,
    ),
    library_option(
        "--target",
        type=click.Choice(("malignancy", "subtype")),
        function="load_breakhis",
        default="malignancy",
        help="BreakHis: what the classes are.",
        **_TABLE,
    ),
    library_option(
        "--layout",
        function="load_folder",
        example="split/class",
        help='Folders: the meaning of their levels, such as "split/class" or "case/class".',
        **_TABLE,
    ),
    library_option(
        "--group",
        function="load_folder",
        example=r"(P\d+)_",
        metavar="PATTERN",
        help=r'Folders: regular expression for the case of an image in its path, such as "(P\d+)_".',
        **_TABLE,
    ),
    class_option(function="load_folder", **_TABLE),
    library_option(
        "--root",
        type=click.Path(file_okay=False),
        function="load_table",
        example="images",
        help="Tables: the folder that relative paths refer to.  [default: the folder of the table]",
        **_TABLE,
    ),
    library_option(
        "--where",
        multiple=True,
        metavar="COLUMN=VALUE",
        example=("centre=Lyon",),
        help="Only images with this value in a column; may be repeated.",
        **_TABLE,
    ),
)
"""Adds the options of a data set to a command."""


def take_data_options(given: dict[str, Any]) -> dict[str, Any]:
    """Remove the options of `data_options` from the values of a command's parameters and return them."""
    return {name: given.pop(name) for name in _NAMES}


def read_data(
    program: Program, name: str, source: str, options: Mapping[str, Any], *, files: bool = True
) -> Expression:
    """Add the reading of a data set to a program, and return its name.

    Args:
        program: The program.
        name: The name of the data set in the program.
        source: A folder or a table.
        options: The values of `data_options`.
        files: Whether the files of a table must exist.
    """
    kind, found = options["data_format"], ""
    if kind is None:
        from breastcls.datasets.data_format import detect_format

        detected = detect_format(source)
        kind, found = detected.name, f" ({detected.reason})"
    expression = _reading(kind, source, options, files)
    for column, value in _conditions(kind, options):
        expression = expression.where(**{column: value})
    return program.assign(name, expression, f"Reading {source}: {_WORDS[kind]}{found}.")


_WORDS = {
    "breakhis": "BreakHis images",
    "idc": "IDC patches",
    "classes": "class folders",
    "images": "images without labels",
    "table": "a table of images",
}


def _reading(kind: str, source: str, options: Mapping[str, Any], files: bool) -> Expression:
    arguments: dict[str, Any] = {}
    if kind == "breakhis":
        if options["magnification"]:
            chosen = options["magnification"]
            arguments["magnification"] = chosen[0] if len(chosen) == 1 else list(chosen)
        if options["target"] != "malignancy":
            arguments["target"] = options["target"]
        return bc.load_breakhis(source, **arguments)
    if kind == "idc":
        return bc.load_idc(source)
    names = list(options["class_names"]) or None
    if kind == "table":
        arguments = {"root": options["root"], "classes": names, "files": None if files else False}
        return bc.load_table(source, **{name: value for name, value in arguments.items() if value is not None})
    layout = options["layout"]
    if kind == "images" and layout is None:
        layout = ""
    arguments = {"layout": layout, "group": options["group"], "classes": names}
    return bc.load_folder(source, **{name: value for name, value in arguments.items() if value is not None})


def _conditions(kind: str, options: Mapping[str, Any]) -> list[tuple[str, Any]]:
    conditions: list[tuple[str, Any]] = []
    if options["magnification"] and kind != "breakhis":
        conditions.append(("magnification", list(options["magnification"])))
    for text in options["where"]:
        column, equals, value = text.partition("=")
        if not equals or not column.isidentifier():
            raise click.BadParameter(f"{text!r}: expected COLUMN=VALUE.", param_hint="--where")
        conditions.append((column, value))
    return conditions
