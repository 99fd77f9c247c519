"""Training the head of a frozen backbone: `bc.fit` on features computed once, against the plain Keras way.

    python benchmarks/training_frozen.py

Three rows, on the 571 images of `BreaKHis_200X_224` at 224, batch 32, 20 epochs: MobileNet 0.25 with its ImageNet
weights without augmentation and with `classic` augmentation in four views, and VGG16 with random weights. The peer is
what tutorials do: `image_dataset_from_directory`, the frozen backbone called inside the model, `model.fit` with its
defaults, augmentation by the preprocessing layers of Keras. Both begin with a model that is built, the same weights in
its head, and images on disk; ours with an empty cache. Then both are trained on the same case-wise folds, and every
image is judged by the models that had not seen its case.

Keras waits at the end of each epoch for a thread of TensorFlow (`keras_clock.py`): the ratio is given with and without
these waits, and the target is held against the one without.

VGG16 takes ten minutes for twenty epochs of the peer on two cores: three are measured there, and the later ones counted
as often as need be; `--peer-epochs` asks for another number in all rows.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from frozen_sides import Task, case_auc, image_auc, prepare_folder, train_ours, train_peer
from harness import find_real_data, load_images, ratio, write_result

ROWS = {
    "mobilenet": {"backbone": "mobilenet", "augment": "none", "views": None, "target": 6.0, "folds": 5},
    "vgg16": {"backbone": "vgg16", "augment": "none", "views": None, "target": 18.0, "folds": 0, "peer_epochs": 3},
    "classic": {"backbone": "mobilenet", "augment": "classic", "views": 4, "target": 4.0, "folds": 5},
}
MOST_DIFFERENCE = 0.01
WITHOUT_WAITS = "keras, without waits"


def main() -> None:
    """Measure each row, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    parser.add_argument("--images", type=int, help="so many of the images, spread over all; all by default")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument(
        "--peer-epochs", type=int, help="epochs of the peer that are measured; all by default, 3 of VGG16"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folds", type=int, help="folds for the AUC; 0 for none; by default 5, none for VGG16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    folder = find_real_data()
    data = load_images(folder, arguments.images)
    result = {name: measure(name, data, folder / "weights", arguments) for name in arguments.rows}
    write_result("training_frozen", result, arguments.output)


def measure(name: str, data: Any, weights: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return one row: speed in turns, then AUC over the same folds."""
    row = ROWS[name]
    task = Task(row["backbone"], weights, row["augment"], row["views"], arguments.epochs)
    peer_epochs = min(arguments.peer_epochs or row.get("peer_epochs", arguments.epochs), arguments.epochs)
    rounds: dict[str, list[float]] = {"breastcls": [], "keras": [], WITHOUT_WAITS: []}
    with tempfile.TemporaryDirectory() as temporary:
        tree = prepare_folder(data, Path(temporary) / "tree")
        for number in range(arguments.rounds):
            sides = ["breastcls", "keras"] if number % 2 == 0 else ["keras", "breastcls"]
            for side in sides:
                with empty_cache():
                    model = task.build(data.classes, arguments.seed)
                    began = time.perf_counter()
                    if side == "breastcls":
                        train_ours(model, data, task, arguments.seed)
                        seconds = time.perf_counter() - began
                    else:
                        clock = train_peer(model, tree, task, peer_epochs)
                        ended, missing = time.perf_counter(), arguments.epochs - peer_epochs
                        steps, waits = np.array(clock.steps()), np.array(clock.waits(ended))
                        # The epochs that were not run are counted as the median of those after the first.
                        later = np.s_[1:] if peer_epochs > 1 else np.s_[:]
                        seconds = float(ended - began + missing * np.median((steps + waits)[later]))
                        waited = float(waits.sum() + missing * np.median(waits[later]))
                        rounds[WITHOUT_WAITS].append(len(data) * arguments.epochs / (seconds - waited))
                rounds[side].append(len(data) * arguments.epochs / seconds)
                print(f"{name}, {side}: {seconds:.1f} s", flush=True)
    sides = {
        side: {"images_per_second": float(np.median(values)), "rounds": [round(value, 1) for value in values]}
        for side, values in rounds.items()
    }
    times, times_trained = ratio(sides, "breastcls", "keras"), ratio(sides, "breastcls", WITHOUT_WAITS)
    views = f", {row['views']} views" if row["views"] else ""
    result = {
        "what": f"{arguments.epochs} frozen epochs, {row['backbone']}, {len(data)} images, augmentation "
        f"{row['augment']}{views}",
        "sides": sides,
        "ratio": times,
        "ratio_without_waits": times_trained,
        "target": row["target"],
        "met": times_trained >= row["target"],
        "epochs_of_the_peer_measured": peer_epochs,
    }
    folds = row["folds"] if arguments.folds is None else arguments.folds
    if folds:
        result["auc"] = compare_auc(data, task, folds, arguments.seed)
    print(
        f"{name}: {times:.1f} times, {times_trained:.1f} without waits (target {row['target']:g})",
        result.get("auc", ""),
        flush=True,
    )
    return result


def compare_auc(data: Any, task: Task, folds: int, seed: int) -> dict[str, Any]:
    """Return what both sides reach on images of cases they had not seen, pooled over the folds."""
    labels, cases, found = [], [], {"breastcls": [], "keras": []}
    with empty_cache(), tempfile.TemporaryDirectory() as temporary:
        for number, (train, test) in enumerate(data.folds(folds, seed=seed)):
            tree = prepare_folder(train, Path(temporary) / str(number))
            images, truth = test.to_numpy(task.size)
            labels.append(truth)
            cases.append(test.cases)
            for side in found:
                model = task.build(data.classes, seed)
                if side == "breastcls":
                    train_ours(model, train, task, seed)
                else:
                    train_peer(model, tree, task, task.epochs)
                found[side].append(model.predict(images, verbose=0)[:, 1])
    truth, units = np.concatenate(labels), np.concatenate(cases)
    scores = {side: np.concatenate(parts) for side, parts in found.items()}
    by_image = {side: image_auc(truth, values) for side, values in scores.items()}
    difference = by_image["breastcls"] - by_image["keras"]
    return {
        "by_image": by_image,
        "by_case": {side: case_auc(truth, values, units) for side, values in scores.items()},
        "folds": folds,
        "difference": difference,
        "most": MOST_DIFFERENCE,
        "met": abs(difference) <= MOST_DIFFERENCE,
    }


@contextmanager
def empty_cache() -> Iterator[None]:
    """Within the block nothing is prepared or computed beforehand."""
    before = os.environ.get("BREASTCLS_CACHE")
    keras.utils.clear_session()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BREASTCLS_CACHE"] = folder
        try:
            yield
        finally:
            os.environ.pop("BREASTCLS_CACHE")
            if before is not None:
                os.environ["BREASTCLS_CACHE"] = before


if __name__ == "__main__":
    main()
