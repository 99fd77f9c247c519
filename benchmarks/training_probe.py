"""The linear probe against a hundred epochs of Adam on the same features: time, and AUC on held-out cases.

    python benchmarks/training_probe.py

Features of MobileNet 0.25 of the images of `BreaKHis_200X_224`, filled up with turned views to 839 rows; the same in
1280 dimensions (random rectified combinations, the width of MobileNetV2); and the whole of `bc.fit` with either solver,
features computed beforehand. The peer of the first two is `model.fit` of Keras on the array, defaults, batch 32.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from frozen_sides import MOBILENET, case_auc, image_auc
from harness import find_real_data, load_images, ratio, write_result

import breastcls as bc
from breastcls.datasets.splitting import assign_parts, equal_fractions
from breastcls.features.feature_store import read_features
from breastcls.features.linear_probe import fit_linear_probe
from breastcls.models.model_parts import split_model

TARGET, ROWS, WIDE = 10.0, 839, 1280


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, help="so many of the images, spread over all; all by default")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--assignments", type=int, default=3, help="random assignments of the cases to folds")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    folder = find_real_data()
    data = load_images(folder, arguments.images)

    def build() -> Any:
        return bc.build_model(
            "mobilenet", classes=data.classes, weights=folder / "weights" / MOBILENET, alpha=0.25, seed=1
        )

    with tempfile.TemporaryDirectory() as cache:
        os.environ["BREASTCLS_CACHE"] = cache
        frozen, _ = split_model(build())
        options = {"image_size": 224, "progress": False}
        plain = read_features(frozen, data, **options)
        turned = read_features(frozen, data, augment="dihedral", versions=2, **options)
        rows = np.arange(arguments.rows) % (3 * len(data))
        narrow = np.concatenate([plain, turned]).reshape(-1, plain.shape[-1])[rows]
        labels, cases = np.tile(data.labels, 3)[rows], np.tile(data.cases, 3)[rows]
        mixing = np.random.default_rng(0).normal(size=(narrow.shape[1], WIDE)) / np.sqrt(narrow.shape[1])
        wide = np.maximum(narrow @ mixing, 0).astype(np.float32)
        result = {
            f"features_{values.shape[1]}": compare(values, labels, cases, data.classes, arguments)
            for values in (narrow, wide)
        }
        result["fit"] = compare_fit(build, data, arguments)
    write_result("training_probe", result, arguments.output)


def compare(features: Any, labels: Any, cases: Any, classes: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the times of both on all rows, and their AUC over case-wise folds."""

    def probe(rows: Any, unseen: Any) -> Any:
        found = fit_linear_probe(features[rows], labels[rows], cases[rows], len(classes))
        return found.probabilities(features[unseen])

    def adam(rows: Any, unseen: Any) -> Any:
        keras.utils.set_random_seed(1)
        head = keras.Sequential(
            [
                keras.Input(features.shape[1:]),
                keras.layers.Dropout(0.2),
                keras.layers.Dense(len(classes), activation="softmax"),
            ]
        )
        head.compile("adam", "sparse_categorical_crossentropy")
        head.fit(features[rows], labels[rows], batch_size=32, epochs=arguments.epochs, verbose=0)
        return head.predict(features[unseen], verbose=0)

    everything = np.arange(len(features))
    sides = in_turns(
        {
            "breastcls, lbfgs": lambda: probe(everything, everything[:1]),
            "keras, adam": lambda: adam(everything, everything[:1]),
        },
        len(features),
        arguments.rounds,
    )
    out_of_fold = {
        "breastcls, lbfgs": hold_out(probe, labels, cases, classes, arguments),
        "keras, adam": hold_out(adam, labels, cases, classes, arguments),
    }
    scores = {side: judge(assignments, labels, cases) for side, assignments in out_of_fold.items()}
    scores["pooled_differences"] = [
        difference(parts[0], peer[0], labels, cases, classes) for parts, peer in zip(*out_of_fold.values(), strict=True)
    ]
    what = f"linear probe on {len(features)} x {features.shape[1]} against {arguments.epochs} epochs of Adam"
    return report(what, sides, scores)


def hold_out(
    work: Callable[[Any, Any], Any], labels: Any, cases: Any, classes: Any, arguments: argparse.Namespace
) -> list[tuple[Any, Any]]:
    """Return the out-of-fold probabilities of all rows and their folds, for several assignments of the cases."""
    assignments = []
    for number in range(arguments.assignments):
        values = np.empty(len(labels))
        parts = assign_parts(cases, labels, classes, equal_fractions(arguments.folds), seed=number)
        for part in range(arguments.folds):
            held = np.flatnonzero(parts == part)
            values[held] = work(np.flatnonzero(parts != part), held)[:, 1]
        assignments.append((values, parts))
    return assignments


def judge(assignments: list[tuple[Any, Any]], labels: Any, cases: Any) -> dict[str, float]:
    """Return AUCs on images of cases that were not trained on, means over the assignments.

    Each fold by itself, and pooled: pooled, probabilities of models of different sharpness are ranked together, and
    where each fold chooses its own penalty they differ more.
    """
    found: dict[str, list[float]] = {"mean_over_folds": [], "pooled_by_image": [], "pooled_by_case": []}
    for values, parts in assignments:
        each = [image_auc(labels[parts == part], values[parts == part]) for part in np.unique(parts)]
        found["mean_over_folds"].append(float(np.mean(each)))
        found["pooled_by_image"].append(image_auc(labels, values))
        found["pooled_by_case"].append(case_auc(labels, values, cases))
    return {name: float(np.mean(scores)) for name, scores in found.items()}


def difference(ours: Any, peer: Any, labels: Any, cases: Any, classes: Any) -> dict[str, float]:
    """Return the pooled AUC of ours less that of the peer, with its 95% interval over cases and its p-value."""
    both = {
        name: bc.Predictions.from_arrays(
            probabilities=np.column_stack([1 - one, one]), labels=labels, classes=classes, cases=cases
        )
        for name, one in (("ours", ours), ("peer", peer))
    }
    row = bc.compare(both, metric="roc_auc").differences.loc[("ours", "peer", "roc_auc")]
    return {name: float(row[name]) for name in ("difference", "low", "high", "p")}


def compare_fit(build: Callable[[], Any], data: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the times of `bc.fit` with both solvers, features kept beforehand."""

    def run(solver: str, epochs: int) -> None:
        bc.fit(
            build(),
            data,
            epochs=epochs,
            fine_tune=False,
            frozen_head=solver,
            augment="none",
            class_weight=None,
            logging=bc.training.Logging(progress=False),
        )

    run("lbfgs", 1)
    solvers = {"breastcls, lbfgs": ("lbfgs", 1), "breastcls, adam": ("optimizer", arguments.epochs)}
    sides = in_turns(
        {side: lambda run_it=run_it: run(*run_it) for side, run_it in solvers.items()}, len(data), arguments.rounds
    )
    return report(
        f"bc.fit on {len(data)} images with kept features, lbfgs against {arguments.epochs} epochs", sides, None
    )


def in_turns(sides: dict[str, Callable[[], Any]], count: int, rounds: int) -> dict[str, Any]:
    """Return rows a second of each side, one warm round aside."""
    found: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 1):
        for side, work in sides.items():
            keras.utils.clear_session()
            began = time.perf_counter()
            work()
            if number:
                found[side].append(count / (time.perf_counter() - began))
    return {
        side: {"rows_per_second": float(np.median(values)), "rounds": [round(value, 2) for value in values]}
        for side, values in found.items()
    }


def report(what: str, sides: dict[str, Any], scores: dict[str, Any] | None) -> dict[str, Any]:
    """Return one row, and print it."""
    ours, peer = list(sides)
    times = ratio(sides, ours, peer)
    result = {"what": what, "sides": sides, "ratio": times, "target": TARGET, "met": times >= TARGET}
    if scores is not None:
        differences = {name: value - scores[peer][name] for name, value in scores[ours].items()}
        result["auc"] = {**scores, "differences": differences, "met": differences["mean_over_folds"] >= 0}
    print(f"{what}: {times:.1f} times (target {TARGET:g})", result.get("auc", ""), flush=True)
    return result


if __name__ == "__main__":
    main()
