"""Cross-validate on BreakHis, by case and by image, beside what colour alone would score.

The difference between the two tables is what a random split over images adds to a score:

    python examples/breakhis.py --data BreaKHis_v1 --magnification 200 --weights mobilenet_2_5_224_tf_no_top.h5
    python examples/breakhis.py                      # synthetic images and random weights, to see it run

`--weights` takes a weight file of MobileNet 0.25 without its top, `imagenet` (fetched by Keras), or `none`. A run that
was cut off goes on when it is started again in the same way; one with other settings needs another `--output`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

from quiet import start_tensorflow_quietly

import breastcls as bc
from breastcls.errors import LeakageWarning

SHOWN = ("balanced_accuracy", "roc_auc", "patient_recognition_rate", "image_recognition_rate")


def cross_validate(data: bc.Dataset, by: Any, arguments: argparse.Namespace) -> bc.experiments.CrossValidation:
    """Train and test on each fold, or go on with what the output folder holds of that."""

    def build() -> Any:
        return bc.build_model(
            arguments.backbone,
            classes=data.classes,
            weights=None if arguments.weights == "none" else arguments.weights,
            image_size=arguments.image_size,
            seed=arguments.seed,
            **({"alpha": 0.25} if arguments.backbone == "mobilenet" else {}),
        )

    print(f"{arguments.folds} folds by {by}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakageWarning)  # splitting by image leaks; that is what is shown here
        return bc.cross_validate(
            build,
            data,
            folds=arguments.folds,
            by=by,
            seed=arguments.seed,
            run_dir=arguments.output / f"by-{by}",
            resume=True,
            tta="dihedral" if arguments.views else None,
            epochs=arguments.epochs,
            fine_tune=arguments.fine_tune,
            augment=arguments.augment,
            learning_rate=arguments.learning_rate,
            progress=arguments.progress,
        )


def describe(metrics: Any) -> str:
    """Write the main figures with their intervals on one line."""
    rows = metrics.loc[[name for name in SHOWN if name in metrics.index]]
    return "  ".join(f"{name} {row.value:.3f} ({row.low:.3f}-{row.high:.3f})" for name, row in rows.iterrows())


def main() -> None:
    """Read, cross-validate twice, print, write report, figures and heat-maps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of BreakHis images; synthetic ones are drawn without it")
    parser.add_argument("--magnification", type=int, help="40, 100, 200 or 400; all of them by default")
    parser.add_argument("--target", choices=("malignancy", "subtype"), default="malignancy")
    parser.add_argument("--backbone", default="mobilenet")
    parser.add_argument("--weights", default="none", help="a weight file, 'imagenet' or 'none'")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--augment", default="none", help="an augmentation policy; 'none' trains on fixed features")
    parser.add_argument("--fine-tune", action="store_true", help="train the backbone too, after the head")
    parser.add_argument("--by", nargs="+", default=["case", "image"], choices=("case", "slide", "image"))
    parser.add_argument("--views", action="store_true", help="predict eight views of each image and average them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("runs/breakhis"))
    arguments = parser.parse_args()
    start_tensorflow_quietly()

    root = arguments.data
    if root is None:
        arguments.image_size, arguments.epochs = 64, min(arguments.epochs, 5)
        drawn = tempfile.mkdtemp()
        root = bc.datasets.make_breakhis(drawn, magnifications=(200,), slides_per_subtype=6, image_size=(96, 144))
    data = bc.load_breakhis(root, magnification=arguments.magnification, target=arguments.target)
    print(data.summary(), end="\n\n")

    results = {by: cross_validate(data, by, arguments) for by in arguments.by}
    print()
    for by, result in results.items():
        print(f"by {by}, {sum(run.seconds for run in result.runs):.0f} s")
        print(f"  model        {describe(result.evaluation.metrics)}")
        print(f"  colour alone {describe(result.evaluation.colour_baseline)}")
    print("\nIntervals are 95%, over cases, of the pooled predictions of all folds.")

    first = results[arguments.by[0]]
    report = first.evaluation.to_html(arguments.output / "report.html")
    some = data[first.fold_of == arguments.folds][:8]  # images of the last fold, by the model that had not seen them
    heatmaps = bc.explain(bc.load_model(first.models[-1]), some)
    folder = heatmaps.save(arguments.output / "heatmaps", overwrite=True)
    figures = {
        by: {
            "seconds": sum(run.seconds for run in result.runs),
            "model": result.evaluation.to_dict()["metrics"],
            "colour": result.evaluation.to_dict()["colour_baseline"],
        }
        for by, result in results.items()
    }
    (arguments.output / "figures.json").write_text(json.dumps(figures, indent=2))
    print(f"Heat-maps {folder}\nReport    {report}")


if __name__ == "__main__":
    main()
