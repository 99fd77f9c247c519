"""Does training on features computed once end where the plain loop ends? Five seeds, in pairs.

    python benchmarks/frozen_equals_plain.py

MobileNet 0.25 with its ImageNet weights on `BreaKHis_200X_224`, the head trained for 20 epochs on one part of the cases
and judged on the others, each seed with another split and another start of the head. Without augmentation, and with
`classic` augmentation in four views. The other side is the plain loop: every image through the backbone in every epoch,
augmented anew. Both begin with the same weights, and each is run from a second start of the dropout and order too, so
that the difference between the modes can be held against the difference between two runs of one mode.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from frozen_sides import Task, case_auc, image_auc, mean_loss, train_ours
from harness import find_real_data, load_images, write_result
from scipy import stats

POLICIES = {"none": None, "classic": 4}
MEASURES = ("case_auc", "image_auc", "loss")


def main() -> None:
    """Run all seeds, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--images", type=int, help="so many of the images, spread over all; all by default")
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=POLICIES)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    folder = find_real_data()
    data = load_images(folder, arguments.images)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["BREASTCLS_CACHE"] = cache
        result = {
            policy: compare(
                data, Task("mobilenet", folder / "weights", policy, POLICIES[policy], arguments.epochs), arguments.seeds
            )
            for policy in arguments.policies
        }
    write_result("frozen_equals_plain", result, arguments.output)


def compare(data: Any, task: Task, seeds: int) -> dict[str, Any]:
    """Return all scores of both modes, and their differences in pairs."""
    modes = ("features", "plain", "features again", "plain again")
    scores: dict[str, list[dict[str, float]]] = {mode: [] for mode in modes}
    for seed in range(seeds):
        train, test = data.split((0.7, 0.3), seed=seed)
        images, labels = test.to_numpy(task.size)
        for mode in modes:
            model = task.build(data.classes, seed)
            start = seed + (1000 if mode.endswith("again") else 0)
            if mode.startswith("features"):
                train_ours(model, train, task, start)
            else:
                train_plain(model, train, task, start)
            probabilities = model.predict(images, verbose=0)
            scores[mode].append(
                {
                    "case_auc": case_auc(labels, probabilities[:, 1], test.cases),
                    "image_auc": image_auc(labels, probabilities[:, 1]),
                    "loss": mean_loss(labels, probabilities),
                }
            )
        keras.utils.clear_session()
        print(task.augment, seed, {mode: scores[mode][-1] for mode in modes[:2]}, flush=True)
    return {
        "what": f"{task.epochs} frozen epochs, augmentation {task.augment}, views {task.views or 1}, {seeds} seeds",
        "scores": scores,
        "differences": {measure: differences(scores, measure) for measure in MEASURES},
    }


def differences(scores: dict[str, list[dict[str, float]]], measure: str) -> dict[str, Any]:
    """Return the paired differences between the modes with a 95% interval, beside those between runs of one mode."""
    values = {mode: np.array([row[measure] for row in rows]) for mode, rows in scores.items()}
    paired = values["features"] - values["plain"]
    again = np.concatenate([values[mode] - values[f"{mode} again"] for mode in ("features", "plain")])
    error = float(paired.std(ddof=1) / np.sqrt(len(paired))) if len(paired) > 1 else float("nan")
    reach = float(stats.t.ppf(0.975, max(len(paired) - 1, 1))) * error
    return {
        "pairs": paired.tolist(),
        "mean": float(paired.mean()),
        "low": float(paired.mean() - reach),
        "high": float(paired.mean() + reach),
        "root_mean_square_between_runs_of_one_mode": float(np.sqrt(np.mean(again**2))),
        "zero_in_interval": bool(abs(paired.mean()) <= reach or not paired.any()),
    }


def train_plain(model: Any, data: Any, task: Task, seed: int) -> None:
    """Train the head, every image through the frozen backbone in every epoch."""
    from breastcls.models.model_parts import with_inference_backbone

    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    backbone.trainable = False
    keras.utils.set_random_seed(seed)
    view = with_inference_backbone(model)
    view.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", jit_compile=False)
    batches = data.to_tf(task.size, batch_size=32, shuffle=True, augment=task.augment, seed=seed)
    view.fit(batches, epochs=task.epochs, verbose=0)


if __name__ == "__main__":
    main()
