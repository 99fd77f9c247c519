"""Train a model, evaluate it with confidence intervals, and write a report and heat-maps, in about a minute.

Without arguments it generates synthetic images, so it needs neither a data set nor a network:

    python examples/quickstart.py
    python examples/quickstart.py --data BreaKHis_v1 --magnification 200

The network is small and trained from random weights. `breakhis.py` shows a pretrained backbone on real images.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from quiet import start_tensorflow_quietly

import breastcls as bc


def main() -> None:
    """Run the five calls one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of BreakHis images; by default synthetic ones are generated")
    parser.add_argument("--magnification", type=int, default=200, help="40, 100, 200 or 400")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("demo"))
    arguments = parser.parse_args()
    start_tensorflow_quietly()
    began = time.perf_counter()

    root = arguments.data
    if root is None:
        print("Generating synthetic images ...")
        # Many cases with few images each: the confidence intervals depend on the number of cases.
        root = bc.datasets.make_breakhis(
            arguments.output / "images",
            magnifications=(arguments.magnification,),
            slides_per_subtype=16,
            images_per_slide=3,
            image_size=(184, 280),
            seed=arguments.seed,
            overwrite=True,
        )
    data = bc.load_breakhis(root, magnification=arguments.magnification)
    print(data.summary(), end="\n\n")

    train, val, test = data.split((0.6, 0.15, 0.25), by="case", seed=arguments.seed)
    model = bc.build_model(
        "cnn4", classes=data.classes, image_size=(80, 128), filters=(16, 32, 64, 128), seed=arguments.seed
    )
    run = bc.fit(
        model,
        train,
        val,
        epochs=arguments.epochs,
        batch_size=8,
        learning_rate=bc.training.EpochSchedule(1e-3, decay="cosine"),
        augment="dihedral",
        seed=arguments.seed,
    )
    print(run, end="\n\n")

    result = bc.evaluate(model, test, train=train + val)
    print(result, end="\n\n")

    report = result.to_html(arguments.output / "report.html")
    model_file = bc.save_model(model, arguments.output / "model.keras")
    heatmaps = bc.explain(model, test[:: max(1, len(test) // 8)]).save(arguments.output / "heatmaps", overwrite=True)

    print(f"Done in {time.perf_counter() - began:.0f} s.")
    print(f"Model     {model_file}")
    print(f"Heat-maps {heatmaps}")
    print(f"Report    {report}")


if __name__ == "__main__":
    main()
