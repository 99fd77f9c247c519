"""The search for the model that has to be beaten: every configuration by case, with intervals, and the nested choice.

Run `python benchmarks/small_cpu.py` (about a quarter of an hour on two cores; `--quick` takes a tenth of the
configurations and two splits). It needs the images and weights in BREASTCLS_TEST_DATA and the package mahotas.

Each configuration is a set of features and a classifier. It is judged by pooled out-of-fold AUC over five case-wise
folds, for several seeds of the folds, with a bootstrap interval over cases. The nested figure is that of the choice
itself: within the training cases of each outer fold, the configuration with the best mean AUC over inner case-wise
folds is chosen, its scores are calibrated on those folds (Platt), and only then does it see the held-out cases.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import harness
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from small_cpu_candidates import CANDIDATES, Candidate, quick_candidates
from threadpoolctl import threadpool_limits

import breastcls as bc
from breastcls.datasets.dataset import Dataset
from breastcls.errors import LeakageWarning
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_strata
from breastcls.metrics.weighted_ranking import Ranking

OUTER, INNER = 5, 4
INNER_SEEDS = (0, 1)
CLASSES = ("benign", "malignant")
_STATE: dict[str, Any] = {}


def classify(candidate: Candidate, train: Any, labels: Any, test: Any, views: list[Any]) -> Any:
    """Fit a candidate's classifier; return its decision values of `test`."""
    scaler = StandardScaler().fit(train)
    known, unknown = (np.clip(scaler.transform(part), -6, 6) for part in (train, test))
    if views:
        known = np.concatenate([known, *(np.clip(scaler.transform(view), -6, 6) for view in views)])
        labels = np.tile(labels, 1 + len(views))
    if candidate.head == "svm":
        model: Any = SVC(C=candidate.c, gamma=candidate.gamma / train.shape[1], class_weight="balanced")
    else:
        model = LogisticRegression(C=candidate.c, class_weight="balanced", max_iter=500, tol=1e-3)
    return model.fit(known, labels).decision_function(unknown)


def join(features: dict[str, Any], names: tuple[str, ...]) -> Any:
    """Put features side by side."""
    return np.concatenate([features[name] for name in names], axis=1).astype(np.float64)


def out_of_fold(candidate: Candidate, features: dict[str, Any], labels: Any, fold: Any) -> Any:
    """Return the decision values of all images, each from a model that saw none of its fold."""
    values = np.zeros(len(labels))
    for number in np.unique(fold):
        values[fold == number] = predict(candidate, features, labels, fold != number, fold == number)
    return values


def predict(candidate: Candidate, features: dict[str, Any], labels: Any, train: Any, test: Any) -> Any:
    """Return the mean decision value over the members of a candidate."""
    total = 0.0
    for names in candidate.members:
        whole = join(features, names)
        views = [join(features, tuple(view(name) for name in names))[train] for view in candidate.views]
        total = total + classify(candidate, whole[train], labels[train], whole[test], views) / len(candidate.members)
    return total


def fold_numbers(data: Dataset, count: int, seed: int, by: Any = "case") -> Any:
    """Return the fold in which each image is held out."""
    place = {path: number for number, path in enumerate(data.paths)}
    numbers = np.zeros(len(data), np.int64)
    for number, (_, test) in enumerate(data.folds(count, by=by, seed=seed)):
        numbers[[place[path] for path in test.paths]] = number
    return numbers


def measure(values: Any, labels: Any, cases: Any, resamples: int) -> dict[str, float]:
    """Return AUC with its interval over cases, the same that `breastcls.evaluate` gives."""
    _, codes = np.unique(cases.astype(str), return_inverse=True)
    ranking = Ranking(values, labels == 1, codes, codes.max() + 1)
    strata = case_strata(labels, codes, 2)
    low, high, _ = Bootstrap(resamples).intervals(lambda weights: ranking.score(weights)[0][:, None], strata)
    return {
        name: round(float(v), 4)
        for name, v in (("auc", roc_auc_score(labels, values)), ("low", low[0]), ("high", high[0]))
    }


def judge(job: tuple[str, int, int]) -> dict[str, Any]:
    """Judge one candidate on one held-out fold, and beforehand on folds within the training cases alone."""
    name, seed, number = job
    data, features, candidate = _STATE["data"], _STATE["features"], _STATE["candidates"][job[0]]
    fold = fold_numbers(data, OUTER, seed)
    known = np.flatnonzero(fold != number)
    needed = {part for names in candidate.members for part in names}
    needed |= {view(part) for part in needed for view in candidate.views}
    inside = {part: features[part][known] for part in needed}
    labels, part = data.labels[known], data[known]
    with threadpool_limits(limits=1):
        values = predict(candidate, features, data.labels, fold != number, fold == number)
        result = {"name": name, "seed": seed, "fold": number, "values": values}
        if not candidate.eligible:
            return result
        runs = [out_of_fold(candidate, inside, labels, fold_numbers(part, INNER, inner)) for inner in INNER_SEEDS]
    scale = LogisticRegression(C=1e6, class_weight="balanced").fit(np.mean(runs, axis=0)[:, None], labels)
    inner = float(np.mean([roc_auc_score(labels, run) for run in runs]))
    return {**result, "inner": inner, "calibrated": scale.decision_function(values[:, None])}


def judge_at_random(name: str) -> dict[str, Any]:
    """Judge one candidate over folds at random over images, which share cases."""
    data = _STATE["data"]
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # This is the split that it warns of.
        warnings.simplefilter("ignore", LeakageWarning)
        fold = fold_numbers(data, OUTER, 0, "image")
        values = out_of_fold(_STATE["candidates"][name], _STATE["features"], data.labels, fold)
    return {"name": name, "auc": round(float(roc_auc_score(data.labels, values)), 4)}


def spread_out(work: Callable[[Any], dict[str, Any]], jobs: list[Any]) -> list[dict[str, Any]]:
    """Run jobs on two processes."""
    # Forked, so that the features are not copied; nothing here has threads of TensorFlow.
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(work, jobs, chunksize=1)


def pool_folds(data: Dataset, rows: list[dict[str, Any]], key: str, resamples: int) -> dict[str, float]:
    """Return the AUC over the held-out images of all folds of one seed."""
    fold, values = fold_numbers(data, OUTER, rows[0]["seed"]), np.zeros(len(data))
    for row in rows:
        values[fold == row["fold"]] = row[key]
    return measure(values, data.labels, data.cases, resamples)


def choose(data: Dataset, rows: list[dict[str, Any]], resamples: int) -> list[dict[str, Any]]:
    """Choose in each outer fold by the inner folds; pool the calibrated scores of the choices by seed."""
    result = []
    for seed in sorted({row["seed"] for row in rows}):
        best = [
            max(
                (row for row in rows if (row["seed"], row["fold"]) == (seed, number) and "inner" in row),
                key=lambda row: row["inner"],
            )
            for number in range(OUTER)
        ]
        chosen = [row["name"] for row in best]
        result.append({"seed": seed, **pool_folds(data, best, "calibrated", resamples), "chosen": chosen})
    return result


def tabulate(
    data: Dataset,
    candidates: dict[str, Candidate],
    rows: list[dict[str, Any]],
    random: dict[str, float],
    resamples: int,
) -> list[dict[str, Any]]:
    """Return one row a configuration, the best first."""
    table = []
    for name, candidate in candidates.items():
        mine = [row for row in rows if row["name"] == name]
        seeds = sorted({row["seed"] for row in mine})
        by_case = [
            {"seed": seed, **pool_folds(data, [row for row in mine if row["seed"] == seed], "values", resamples)}
            for seed in seeds
        ]
        inner = [row["inner"] for row in mine if "inner" in row]
        table.append(
            {
                "configuration": name,
                "group": candidate.group,
                "mean_auc": round(float(np.mean([row["auc"] for row in by_case])), 4),
                "mean_inner_auc": round(float(np.mean(inner)), 4) if inner else None,
                "random_split_auc": random[name],
                "by_case": by_case,
            }
        )
    return sorted(table, key=lambda row: -row["mean_auc"])


def find_features(arguments: argparse.Namespace, data: Dataset, folder: Path) -> dict[str, Any]:
    """Compute the features, or take them from the file of an earlier run."""
    if arguments.features is not None and arguments.features.is_file():
        with np.load(arguments.features) as stored:
            return {name: stored[name] for name in stored.files}
    # In a process of its own: what forks later must not have TensorFlow's threads. Unlike one of a `Pool` it may start
    # others in turn.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        images = data.to_numpy(224)[0]
        features = process.submit(_compute, images, folder / "weights", arguments.quick).result()
    if arguments.features is not None:
        np.savez(arguments.features, **features)
    return features


def _compute(images: Any, weights: Path, quick: bool) -> dict[str, Any]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from small_cpu_features import compute_features

    return compute_features(images, weights, quick)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few configurations, two splits")
    parser.add_argument("--seeds", type=int, default=5, help="number of split seeds")
    parser.add_argument("--features", type=Path, help="an .npz file to keep the features in, or to take them from")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    folder = harness.find_real_data()
    data = bc.load_breakhis(folder / "BreaKHis_200X_224")
    began = time.perf_counter()
    candidates = quick_candidates() if arguments.quick else CANDIDATES
    seeds = range(2 if arguments.quick else arguments.seeds)
    resamples = 500 if arguments.quick else 2000
    features = find_features(arguments, data, folder)
    described = time.perf_counter() - began
    _STATE.update(data=data, features=features, candidates=candidates, resamples=resamples)

    print(f"features after {described:.0f} s; {len(candidates)} configurations, {len(seeds)} split seeds")
    jobs = [(name, seed, number) for name in candidates for seed in seeds for number in range(OUTER)]
    rows = spread_out(judge, jobs)
    random = {row["name"]: row["auc"] for row in spread_out(judge_at_random, list(candidates))}
    result = report(data, candidates, rows, random, resamples)
    result["quick"] = arguments.quick
    result["seconds"] = {"features": round(described, 1), "all": round(time.perf_counter() - began, 1)}
    harness.write_result("small_cpu", result, arguments.output)


def report(
    data: Dataset,
    candidates: dict[str, Candidate],
    rows: list[dict[str, Any]],
    random: dict[str, float],
    resamples: int,
) -> dict[str, Any]:
    """Put the result together and print it."""
    nested, table = choose(data, rows, resamples), tabulate(data, candidates, rows, random, resamples)
    for row in table:
        inner = "   - " if row["mean_inner_auc"] is None else f"{row['mean_inner_auc']:.3f}"
        print(f"{row['configuration']:55s} {row['mean_auc']:.3f}  inner {inner}  random {row['random_split_auc']:.3f}")
    for row in nested:
        print(f"nested, seed {row['seed']}: {row['auc']:.3f} ({row['low']:.3f} to {row['high']:.3f})")
    return {
        "benchmark": "small_cpu",
        "data": {"images": len(data), "slides": len(set(data.slides)), "cases": len(set(data.cases))},
        "folds": {"outer": OUTER, "inner": INNER, "inner_seeds": list(INNER_SEEDS), "resamples": resamples},
        "nested": nested,
        "nested_mean_auc": round(float(np.mean([row["auc"] for row in nested])), 4),
        "chosen": dict(Counter(name for row in nested for name in row["chosen"]).most_common()),
        "configurations": table,
    }


if __name__ == "__main__":
    main()
