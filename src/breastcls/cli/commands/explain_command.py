"""`breastcls explain`: heat-maps of images."""

from __future__ import annotations

from typing import Any

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.data_options import data_options, read_data, take_data_options
from breastcls.cli.expressions import bc
from breastcls.cli.library_option import arguments_of, library_option
from breastcls.cli.model_argument import load_arguments, loaded_model, model_options
from breastcls.cli.program import Program


@click.command("explain", cls=ProgramCommand, short_help="Write heat-maps of the evidence for a class.")
@click.argument("model")
@click.argument("data")
@data_options
@model_options
@library_option(
    "--method",
    default="grad-cam",
    function="explain",
    help="The explanation method: grad-cam, grad-cam++, hires-cam, layer-cam, fused-layer-cam, xgrad-cam, eigen-cam, "
    "score-cam, ablation-cam, gradient-x-input, integrated-gradients, smooth-grad, guided-backpropagation, occlusion, "
    "rise, kernel-shap, attention-rollout or gradient-rollout.",
)
@library_option(
    "--target-class",
    function="explain",
    example="malignant",
    help="The class to explain.  [default: the predicted class of each image]",
)
@library_option("--batch-size", type=int, default=8, function="explain", help="Images per batch.")
@library_option("--limit", type=int, example=8, help="Number of images to explain, the first ones.  [default: all]")
@library_option("--output", "-o", default="heatmaps", metavar="FOLDER", help="Folder for the heat-maps.")
@click.option("--overwrite", is_flag=True, help="Replace existing heat-maps in the folder.")
def explain(program: Program, model: str, data: str, output: str, overwrite: bool, **options: Any) -> None:
    """Compute heat-maps of the evidence for a class in each image of DATA, a folder or a table."""
    chosen = take_data_options(options)
    images = read_data(program, "data", data, chosen)
    if options["limit"] is not None:
        images = images[: options["limit"]]
    loaded = loaded_model(program, model, load_arguments(options, chosen["class_names"]))
    maps = program.assign(
        "heatmaps", bc.explain(loaded, images, **arguments_of("explain", options)), "Computing the heat-maps."
    )
    program.show(maps)
    program.write("heat-maps", maps.save(output, **({"overwrite": True} if overwrite else {})))
