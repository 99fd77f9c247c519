"""Cross-validate on BreakHis, by case and by image, beside what colour alone would score.

The difference between the two tables is what a random split over images adds to a score:

    python examples/breakhis.py --data BreaKHis_v1 --magnification 200 --weights mobilenet_2_5_224_tf_no_top.h5
    python examples/breakhis.py                      # synthetic images and random weights, to see it run

`--weights` takes a weight file of MobileNet 0.25 without its top, `imagenet` (fetched by Keras), or `none`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from quiet import start_tensorflow_quietly

import breastcls as bc
from breastcls.errors import LeakageWarning
from breastcls.evaluation.colour_baseline import predict_by_colour
from breastcls.evaluation.joining import join_predictions

SHOWN = ("balanced_accuracy", "roc_auc", "patient_recognition_rate", "image_recognition_rate")


def cross_validate(data: bc.Dataset, by: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train and test on each fold; return pooled evaluations of the model and of colour alone."""
    import keras  # here, because it starts TensorFlow

    began = time.perf_counter()
    scored, by_colour = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakageWarning)  # splitting by image leaks; that is what is shown here
        folds = data.folds(arguments.folds, by=by, seed=arguments.seed)
        for number, (train, test) in enumerate(folds, start=1):
            print(f"by {by}, fold {number} of {arguments.folds}: {len(train)} to learn from, {len(test)} to judge")
            keras.utils.clear_session()
            model = bc.build_model(
                arguments.backbone,
                classes=data.classes,
                weights=None if arguments.weights == "none" else arguments.weights,
                image_size=arguments.image_size,
                seed=arguments.seed,
                **({"alpha": 0.25} if arguments.backbone == "mobilenet" else {}),
            )
            bc.fit(
                model,
                train,
                epochs=arguments.epochs,
                fine_tune=arguments.fine_tune,
                augment=arguments.augment,
                learning_rate=arguments.learning_rate,
                seed=arguments.seed,
                progress=arguments.progress,
            )
            scored.append(bc.predict(model, test))
            by_colour.append(predict_by_colour(train, test))
    return {
        "seconds": time.perf_counter() - began,
        "model": bc.evaluate(join_predictions(scored)),
        "colour": bc.evaluate(join_predictions(by_colour)),
        "last_model": model,
        "last_test": test,
    }


def describe(result: bc.Evaluation) -> str:
    """Write the main figures with their intervals on one line."""
    rows = result.metrics.loc[[name for name in SHOWN if name in result.metrics.index]]
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
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("runs/breakhis"))
    arguments = parser.parse_args()
    start_tensorflow_quietly()

    root = arguments.data
    if root is None:
        arguments.image_size, arguments.epochs = 64, min(arguments.epochs, 5)
        drawn = tempfile.mkdtemp()
        root = bc.make_breakhis(drawn, magnifications=(200,), slides_per_subtype=6, image_size=(96, 144))
    data = bc.load_breakhis(root, magnification=arguments.magnification, target=arguments.target)
    print(data.summary(), end="\n\n")

    results = {by: cross_validate(data, by, arguments) for by in arguments.by}
    print()
    for by, result in results.items():
        print(f"by {by}, {result['seconds']:.0f} s")
        print(f"  model        {describe(result['model'])}")
        print(f"  colour alone {describe(result['colour'])}")
    print("\nIntervals are 95%, over cases, of the pooled predictions of all folds.")

    first = results[arguments.by[0]]
    report = first["model"].to_html(arguments.output / "report.html")
    folder = bc.explain(first["last_model"], first["last_test"][:8]).save(arguments.output / "heatmaps", overwrite=True)
    figures = {
        by: {
            "seconds": r["seconds"],
            "model": r["model"].to_dict()["metrics"],
            "colour": r["colour"].to_dict()["metrics"],
        }
        for by, r in results.items()
    }
    (arguments.output / "figures.json").write_text(json.dumps(figures, indent=2))
    print(f"Heat-maps {folder}\nReport    {report}")


if __name__ == "__main__":
    main()
