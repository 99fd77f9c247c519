"""`breastcls export`: a model as ONNX, OpenVINO, LiteRT or SavedModel."""

from __future__ import annotations

from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options, read_data, take_data_options
from breastcls.cli.expressions import bc
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.model_argument import find_model
from breastcls.cli.program import Program


@click.command("export", cls=ProgramCommand, short_help="Write a model as ONNX, OpenVINO, LiteRT or SavedModel.")
@click.argument("model")
@click.argument("output")
@library_option(
    "--to",
    "to_format",
    type=click.Choice(("saved_model", "onnx", "openvino", "litert")),
    argument="format",
    function="export.export_model",
    example="onnx",
    help="The format, if the name of OUTPUT does not determine it.",
)
@click.option(
    "--check",
    metavar="DATA",
    help="Images on which the exported model is compared with MODEL.  [default: synthetic images]",
)
@click.option("--quantize", metavar="DATA", help="OpenVINO: 100 to 300 training images, for int8 quantisation.")
@library_option(
    "--tolerance",
    type=float,
    default=1e-4,
    function="export.export_model",
    help="The largest accepted difference of a probability.",
)
@library_option(
    "--case-names",
    type=click.Choice(("omit", "keep")),
    default="omit",
    function="export.export_model",
    help="Whether the JSON file beside OUTPUT contains the names of the training cases.",
)
@data_options
@click.option("--overwrite", is_flag=True, help="Replace an exported model of the same name.")
def export(
    program: Program,
    model: str,
    output: str,
    check: str | None,
    quantize: str | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Export MODEL to OUTPUT, which runs without breastcls: .onnx, .xml (OpenVINO), .tflite (LiteRT) or a folder.

    Calibration and input scaling are part of the exported model; classes, threshold and input size are in a JSON file
    beside it. The exported model is compared with MODEL, and written only if they agree.
    """
    chosen = take_data_options(options)
    arguments = arguments_of("export.export_model", options)
    for name, source in (("check", check), ("quantize", quantize)):
        if source is not None:
            arguments[name] = read_data(program, f"{name}_images", source, chosen)
    if overwrite:
        arguments["overwrite"] = True
    exporting = bc.export.export_model(find_model(model), output, **arguments)
    program.show(program.assign("report", exporting, f"Exporting {model}."))
    program.files["model"] = output
