"""`small-cpu` evaluated again: a nested selection among encoders over two magnifications, compared with the recipe.

    python benchmarks/small_cpu_again.py --kept FOLDER

FOLDER holds the vectors that `benchmarks/encoders.py` keeps. In each of five outer folds over the cases of both
magnifications a configuration is chosen within the training cases: the one with the best mean of the AUCs of both
magnifications over inner case-wise folds. It is trained for each magnification by itself, calibrated on the inner folds
(Platt), and only then sees the held-out cases. The recipe as it is shipped is trained on the same folds.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from encoders import SETS, FixedPenalty, head_arguments
from harness import RESULTS, find_real_data, write_result
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

import breastcls as bc
from breastcls.datasets.splitting import assign_parts, equal_fractions
from breastcls.experiments.logistic_head import LogisticHead
from breastcls.experiments.probe_splits import ProbeHead, ProbeSplit
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.paired_scores import score_against
from breastcls.json_values import to_json_values
from breastcls.predictions.dataset_predictions import predictions_of

MAGNIFICATIONS = ("100X", "200X")
OUTER, INNER, INNER_SEEDS = 5, 4, (0, 1)
SMALL, TEXTURE = "small-cpu features", "texture (PFTAS)"
SHIPPED = "small-cpu features, C = 0.003"


@dataclass(frozen=True)
class Configuration:
    """Encoders whose vectors are concatenated, and the penalty: fixed, None for nested selection, or "svm"."""

    encoders: tuple[str, ...]
    c: Any


CONFIGURATIONS = {
    **{f"small-cpu features, C = {c}": Configuration((SMALL,), c) for c in (0.001, 0.003, 0.01, 0.03)},
    "small-cpu features, penalty chosen": Configuration((SMALL,), None),
    "texture, SVM": Configuration((TEXTURE,), "svm"),
    "texture, logistic": Configuration((TEXTURE,), None),
    "MobileNet 0.25": Configuration(("MobileNet 0.25",), None),
    "MobileNetV2": Configuration(("MobileNetV2",), None),
    "EfficientNet-Lite0": Configuration(("EfficientNet-Lite0",), None),
    "DenseNet121": Configuration(("DenseNet121",), None),
    "small-cpu features and texture": Configuration((SMALL, TEXTURE), 0.003),
    "small-cpu features and EfficientNet-Lite0": Configuration((SMALL, "EfficientNet-Lite0"), 0.003),
    "small-cpu features and DenseNet121": Configuration((SMALL, "DenseNet121"), 0.003),
    "EfficientNet-Lite0 and DenseNet121": Configuration(("EfficientNet-Lite0", "DenseNet121"), None),
    "DenseNet121 and texture": Configuration(("DenseNet121", TEXTURE), None),
}


@dataclass(frozen=True, eq=False)
class SvmHead(ProbeHead):
    """A support vector machine on standardised features; a logistic function maps its scores to 0..1."""

    vectors: Any

    name = "svm"
    title = "SVM"

    def predict(self, splits: Sequence[ProbeSplit]) -> list[Any]:
        """Fit on the training rows of each split; return the values of its test rows."""
        found = []
        for split in splits:
            scaler = StandardScaler().fit(self.vectors[split.train])
            model = SVC(C=1.0, gamma=1.0 / self.vectors.shape[1], class_weight="balanced")
            model.fit(scaler.transform(self.vectors[split.train]), split.labels[split.train])
            positive = expit(model.decision_function(scaler.transform(self.vectors[split.test])))
            found.append(np.stack([1 - positive, positive], axis=1))
        return found


def head_of(one: Configuration, data: bc.Dataset, vectors: dict[str, Any]) -> ProbeHead:
    """Return the classifier of a configuration."""
    together = np.concatenate([vectors[name] for name in one.encoders], axis=1)
    if one.c == "svm":
        return SvmHead(together)
    if one.c is None:
        return LogisticHead(**head_arguments(data, together))
    return FixedPenalty(**head_arguments(data, together), c=one.c)


def divide(cases: Any, labels: Any, count: int, seed: int) -> Any:
    """Return the fold of each row."""
    return assign_parts(cases, labels, ("benign", "malignant"), equal_fractions(count), seed=seed)


def judge(one: Configuration, data: bc.Dataset, vectors: dict[str, Any], outer: Any) -> list[dict[str, Any]]:
    """Return for each outer fold the held-out logits, calibrated and not, and the inner AUC."""
    head, splits, plans = head_of(one, data, vectors), [], []
    for fold in range(OUTER):
        train, test = np.flatnonzero(outer != fold), np.flatnonzero(outer == fold)
        splits.append(ProbeSplit(data.labels, train, test))
        for seed in INNER_SEEDS:
            inner = divide(data.cases[train], data.labels[train], INNER, seed)
            splits += [ProbeSplit(data.labels, train[inner != part], train[inner == part]) for part in range(INNER)]
        plans.append((train, test))
    with threadpool_limits(limits=1):
        predicted = iter([logit(np.clip(part[:, 1].astype(float), 1e-7, 1 - 1e-7)) for part in head.predict(splits)])
    rows, used = [], iter(splits)
    for train, test in plans:
        next(used)
        held, aucs, total = next(predicted), [], np.zeros(len(data))
        for _ in INNER_SEEDS:
            values = np.zeros(len(data))
            for _ in range(INNER):
                values[next(used).test] = next(predicted)
            aucs.append(roc_auc_score(data.labels[train], values[train]))
            total += values / len(INNER_SEEDS)
        scale = LogisticRegression(C=1e6, class_weight="balanced").fit(total[train, None], data.labels[train])
        rows.append(
            {"test": test, "held": held, "calibrated": scale.decision_function(held[:, None]), "inner": np.mean(aucs)}
        )
    return rows


def predictions_from(data: bc.Dataset, logits: Any) -> bc.Predictions:
    """Return predictions by case."""
    return predictions_of(data, expit(logits)).aggregate("case")


def compare(data: bc.Dataset, first: Any, second: Any, bootstrap: Bootstrap) -> dict[str, float]:
    """Return the AUC by case of both and the paired difference."""
    one, other = predictions_from(data, first), predictions_from(data, second)
    [table] = score_against(one, [other], ("roc_auc",), bootstrap)
    found: Any = table.loc["roc_auc"]
    names = {"value": "nested", "low": "nested_low", "high": "nested_high", "change": "difference"}
    names |= {"change_low": "difference_low", "change_high": "difference_high"}
    return {
        "shipped": float(found["value"] - found["change"]),
        **{name: float(found[key]) for key, name in names.items()},
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kept", type=Path, required=True, help="folder of the vectors that encoders.py keeps")
    parser.add_argument("--seeds", type=int, default=3, help="number of divisions into outer folds")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    began, folder = time.perf_counter(), find_real_data()
    sets = {of: SETS[of](folder) for of in MAGNIFICATIONS}
    names = sorted({name for one in CONFIGURATIONS.values() for name in one.encoders})
    vectors = {of: {name: np.load(arguments.kept / f"{name} {of}.npy") for name in names} for of in MAGNIFICATIONS}
    cases = np.concatenate([sets[of].cases for of in MAGNIFICATIONS])
    labels = np.concatenate([sets[of].labels for of in MAGNIFICATIONS])
    runs, fixed = [], {name: {of: [] for of in MAGNIFICATIONS} for name in CONFIGURATIONS}
    for seed in range(arguments.seeds):
        both = divide(cases, labels, OUTER, seed)
        outer = dict(zip(MAGNIFICATIONS, np.split(both, [len(sets[MAGNIFICATIONS[0]])]), strict=True))
        found = {
            name: {of: judge(one, sets[of], vectors[of], outer[of]) for of in MAGNIFICATIONS}
            for name, one in CONFIGURATIONS.items()
        }
        chosen = [
            max(CONFIGURATIONS, key=lambda name: np.mean([found[name][of][fold]["inner"] for of in MAGNIFICATIONS]))
            for fold in range(OUTER)
        ]
        run: dict[str, Any] = {"seed": seed, "chosen": chosen}
        for of, data in sets.items():
            shipped, nested = np.zeros(len(data)), np.zeros(len(data))
            for fold in range(OUTER):
                one = found[SHIPPED][of][fold]
                shipped[one["test"]] = one["calibrated"]
                one = found[chosen[fold]][of][fold]
                nested[one["test"]] = one["calibrated"]
            run[of] = compare(data, shipped, nested, Bootstrap(seed=0))
            for name in CONFIGURATIONS:
                values = np.zeros(len(data))
                for one in found[name][of]:
                    values[one["test"]] = one["held"]
                scored = predictions_from(data, values)
                fixed[name][of].append(float(roc_auc_score(scored.labels, scored.positive)))
        runs.append(run)
        print(json.dumps(run, indent=1), flush=True)
    better = [run[of]["difference_low"] > 0 for run in runs for of in MAGNIFICATIONS]
    worse = [run[of]["difference_high"] < 0 for run in runs for of in MAGNIFICATIONS]
    result = {
        "what": "small-cpu as shipped against a nested choice over two magnifications",
        "cases": {of: len(set(data.cases)) for of, data in sets.items()} | {"both": len(set(cases))},
        "runs": runs,
        "chosen": dict(Counter(name for run in runs for name in run["chosen"]).most_common()),
        "configurations": {
            name: {of: [round(one, 4) for one in by_seed] for of, by_seed in one.items()} for name, one in fixed.items()
        },
        "nested_choice_is_better": bool(all(better)),
        "nested_choice_is_better_in": f"{sum(better)} of {len(better)} comparisons",
        "nested_choice_is_worse_in": f"{sum(worse)} of {len(worse)} comparisons",
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps({key: result[key] for key in ("chosen", "configurations")}, indent=1))
    write_result("small_cpu_again", to_json_values(result), arguments.output or RESULTS / "small_cpu_again.json")


if __name__ == "__main__":
    main()
