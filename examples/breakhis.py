"""Cross-validate a model on BreakHis with image-wise and case-wise folds, and report the difference of the scores.

The difference is the inflation of the score by a random split over images. The colour-only baseline (mean and standard
deviation of red, green and blue) is evaluated on the same folds.

    python examples/breakhis.py --data BreaKHis_v1 --magnification 200 --weights mobilenet_2_5_224_tf_no_top.h5
    python examples/breakhis.py

The second command needs no data set: it generates synthetic images, and fits a linear head to the features of a small
network with random weights. `--weights` takes a weight file of MobileNet 0.25 without its classifier, `imagenet`
(downloaded by Keras), or `none`. An interrupted run resumes when the same command is run again; a run with other
settings needs another `--output`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from quiet import start_tensorflow_quietly

import breastcls as bc

METRICS = ("patient_recognition_rate", "image_recognition_rate", "balanced_accuracy", "roc_auc")


def parse_arguments() -> argparse.Namespace:
    """Read the command line; without `--data`, choose settings for synthetic images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of BreakHis images; by default synthetic ones are generated")
    parser.add_argument("--magnification", type=int, help="40, 100, 200 or 400; all of them by default")
    parser.add_argument("--target", choices=("malignancy", "subtype"), default="malignancy")
    parser.add_argument("--backbone", help="mobilenet by default, cnn4 for synthetic images")
    parser.add_argument("--weights", default="none", help="a weight file, 'imagenet' or 'none'")
    parser.add_argument("--image-size", type=int, help="224 by default, 96 for synthetic images")
    parser.add_argument("--head", choices=("optimizer", "lbfgs"), help="lbfgs fits a linear head without epochs")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20, help="without effect on --head lbfgs")
    parser.add_argument("--learning-rate", type=float, help="0.001 by default")
    parser.add_argument("--augment", default="none", help="an augmentation policy; 'none' trains on fixed features")
    parser.add_argument("--fine-tune", action="store_true", help="also train the backbone, after the head")
    parser.add_argument("--splits", nargs="+", default=["image", "case"], choices=("image", "slide", "case"))
    parser.add_argument("--tta", action="store_true", help="average predictions over eight transforms of an image")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("runs/breakhis"))
    arguments = parser.parse_args()
    synthetic = arguments.data is None
    arguments.backbone = arguments.backbone or ("cnn4" if synthetic else "mobilenet")
    arguments.image_size = arguments.image_size or (96 if synthetic else 224)
    arguments.head = arguments.head or ("lbfgs" if synthetic else "optimizer")
    return arguments


def read_data(arguments: argparse.Namespace) -> bc.Dataset:
    """Read the images, or generate synthetic ones: 24 cases, each with its own stain and texture."""
    root = arguments.data
    if root is None:
        root = bc.datasets.make_breakhis(
            arguments.output / "images",
            magnifications=(200,),
            slides_per_subtype=4,
            images_per_slide=8,
            image_size=(115, 175),
            seed=arguments.seed,
            overwrite=True,
        )
    return bc.load_breakhis(root, magnification=arguments.magnification, target=arguments.target)


def main() -> None:
    """Compare the splits, then write the report and heat-maps of the case-wise cross-validation."""
    arguments = parse_arguments()
    start_tensorflow_quietly()
    data = read_data(arguments)
    print(data.summary(), end="\n\n")

    def build() -> Any:
        return bc.build_model(
            arguments.backbone,
            classes=data.classes,
            weights=None if arguments.weights == "none" else arguments.weights,
            image_size=arguments.image_size,
            seed=arguments.seed,
            **({"alpha": 0.25} if arguments.backbone == "mobilenet" else {}),
        )

    options: dict[str, Any] = {
        "folds": arguments.folds,
        "seed": arguments.seed,
        "bootstrap": bc.intervals.Bootstrap(seed=arguments.seed),
        "tta": "dihedral" if arguments.tta else None,
        "augment": arguments.augment,
        "fine_tune": arguments.fine_tune,
        "frozen_head": arguments.head,
        "progress": arguments.progress,
        "resume": True,
    }
    if arguments.head == "optimizer":
        options |= {"epochs": arguments.epochs, "learning_rate": arguments.learning_rate or 1e-3}

    comparison = bc.experiments.compare_splits(
        build, data, splits=[*arguments.splits], metrics=METRICS, run_dir=arguments.output, **options
    )
    print(comparison, end="\n\n")
    comparison.to_json(arguments.output / "splits.json")

    # The case-wise folds are read from the output folder, not trained again.
    case_wise = bc.cross_validate(build, data, by="case", run_dir=arguments.output / "by-case", **options)
    report = case_wise.evaluation.to_html(arguments.output / "report.html")
    some = data[case_wise.fold_of == arguments.folds][:8]  # test images of the last fold
    heatmaps = bc.explain(bc.load_model(case_wise.models[-1]), some)
    folder = heatmaps.save(arguments.output / "heatmaps", overwrite=True)
    print(f"Heat-maps {folder}\nReport    {report}")


if __name__ == "__main__":
    main()
