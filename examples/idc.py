"""Train CancerNet on IDC patches, split by patient, and plot the predicted probability over a whole slide.

    python examples/idc.py --data IDC_regular_ps50_idx5
    python examples/idc.py                           # synthetic patches; no data set is needed

Adjacent patches of a slide share tissue, so a random split over patches inflates the score: the patient is the case.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from quiet import start_tensorflow_quietly

import breastcls as bc


def plot_slide(predictions: bc.Predictions, data: bc.Dataset, case: str, path: Path) -> Path:
    """Plot true class and predicted probability of one patient's patches at their positions in the slide."""
    rows = np.flatnonzero(data.cases == case)
    table = data.table.iloc[rows]
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, values, title in (
        (left, predictions.labels[rows], "true class"),
        (right, predictions.positive[rows], "predicted probability"),
    ):
        points = axes.scatter(table["x"], table["y"], c=values, s=9, marker="s", cmap="viridis", vmin=0, vmax=1)
        axes.set(title=f"patient {case}: {title}", xlabel="x (pixels)", aspect="equal")
    left.invert_yaxis()
    left.set_ylabel("y (pixels)")
    figure.colorbar(points, ax=right, label="invasive ductal carcinoma")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path


def main() -> None:
    """Split by patient, train, evaluate, plot a slide, and write the report and heat-maps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of IDC patches; by default synthetic ones are generated")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--augment", default="stain", help="an augmentation policy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("runs/idc"))
    arguments = parser.parse_args()
    start_tensorflow_quietly()

    root = arguments.data
    if root is None:
        # Many patients with few patches each: the confidence intervals depend on the number of patients.
        root = bc.datasets.make_idc(
            arguments.output / "images", patients=48, patches_per_patient=24, seed=arguments.seed, overwrite=True
        )
    data = bc.load_idc(root)
    print(data.summary(), end="\n\n")
    train, val, test = data.split((0.6, 0.15, 0.25), by="case", seed=arguments.seed)

    model = bc.build_model("cancernet", classes=data.classes, seed=arguments.seed)
    print(
        bc.fit(model, train, val, epochs=arguments.epochs, augment=arguments.augment, seed=arguments.seed), end="\n\n"
    )
    result = bc.evaluate(model, test, train=train + val)
    print(result, end="\n\n")

    both = [case for case in sorted(set(test.cases)) if len(set(test.labels[test.cases == case])) > 1]
    case = both[0] if both else test.cases[0]
    slide = plot_slide(result.predictions, test, case, arguments.output / f"slide_{case}.png")
    bc.save_model(model, arguments.output / "model.keras")
    heatmaps = bc.explain(model, test[:: max(1, len(test) // 8)][:8]).save(
        arguments.output / "heatmaps", overwrite=True
    )
    report = result.to_html(arguments.output / "report.html")
    print(f"Slide     {slide}\nHeat-maps {heatmaps}\nReport    {report}")


if __name__ == "__main__":
    main()
