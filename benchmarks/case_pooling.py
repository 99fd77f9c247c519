"""Attention pooling over the images of a case against their mean, on frozen features of real images.

`python benchmarks/case_pooling.py` (some minutes on two cores). Needs the real images and the weights of MobileNetV2 in
`BREASTCLS_TEST_DATA`. Written to `benchmarks/results/case_pooling.json`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from harness import find_real_data, write_result

import breastcls as bc

WEIGHTS = "mobilenet_v2_1.0_224_no_top_rot180.weights.h5"
SETS = {"100X": ("BreaKHis_100X_224", 100), "200X": ("BreaKHis_200X_224", 200)}
SHOWN = ("roc_auc", "balanced_accuracy", "log_loss")


def compare(folder: Path, name: str, magnification: int, resamples: int, pictures: Path | None) -> dict[str, Any]:
    """Return the table of one set, with the exact head on single images and the colour-only baseline by case."""
    data = bc.load_breakhis(folder / name, magnification=magnification)
    encoder = bc.build_model("mobilenetv2", classes=data.classes, weights=folder / "weights" / WEIGHTS)
    vectors = bc.features.extract_features(encoder, data)
    began = time.perf_counter()
    bootstrap = bc.intervals.Bootstrap(resamples)
    result = bc.experiments.compare_pooling(vectors, bootstrap=bootstrap)
    seconds = time.perf_counter() - began
    print(result)
    if pictures is not None:
        case = result.attention.groupby("case").size().idxmax()
        result.plot_case(str(case), pictures / f"attention-{magnification}.png")
    size = vectors.vectors.shape[1]
    cross = bc.cross_validate(
        lambda: bc.build_model("embeddings", classes=vectors.classes, dimensions=size, seed=0),
        vectors,
        frozen_head="lbfgs",
        bootstrap=bootstrap,
        progress=False,
        logging=bc.training.Logging(progress=False),
    )
    by_case = bc.evaluate(cross.predictions, aggregation="case", bootstrap=bootstrap)
    colour = bc.baselines.cross_validate_baselines(data, baselines=("colour",))["colour"]
    of_colour = bc.evaluate(colour, aggregation="case", bootstrap=bootstrap)
    counts = result.comparison.counts
    return {
        "images": len(data),
        "cases": {label: one["cases"] for label, one in counts["classes"].items()},
        "dimensions": size,
        "settings": dict(result.settings),
        "seconds": round(seconds, 1),
        "poolings": result.to_dict()["table"],
        "penalties": {label: list(values) for label, values in result.penalties.items()},
        "verdicts": list(result.verdicts),
        "mean of probabilities": _scores(by_case),
        "colour": _scores(of_colour),
    }


def _scores(evaluation: Any) -> dict[str, list[float]]:
    table = evaluation.metrics
    return {name: [float(table.loc[name, column]) for column in ("value", "low", "high")] for name in SHOWN}


def main() -> None:
    """Run on both sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--pictures", type=Path, help="a folder for a picture of one case of each set")
    options = parser.parse_args()
    folder = find_real_data()
    sets = {name: compare(folder, *SETS[name], options.resamples, options.pictures) for name in options.sets}
    write_result("case_pooling", {"sets": sets, "encoder": f"MobileNetV2, {WEIGHTS}"})


if __name__ == "__main__":
    main()
