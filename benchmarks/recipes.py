"""The published recipes on the available real images: reported, with the image-wise and with the case-wise split.

The images are few, and ImageNet weights of VGG and ResNet are too large to keep beside them, so these networks start
from random weights, and the deep ones see small images for few epochs: the results show the effect of the split on a
score, not what the recipes can reach. MobileNetV2, whose ImageNet weights are there, takes the place of VGG16 in two
rows. `python benchmarks/recipes.py`; `--runs FOLDER` keeps and continues the runs.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from harness import RESULTS, find_real_data, write_result

import breastcls as bc
from breastcls.errors import ExplanationWarning
from breastcls.experiments import RecipeResult
from breastcls.experiments.recipes.model_result import BASELINE, SPLITS
from breastcls.json_values import to_json_values

MOBILENET = "mobilenet_v2_1.0_224_no_top_rot180.weights.h5"


@dataclass(frozen=True)
class Plan:
    """One row: a recipe on one of the real sets.

    Two folds: the benign images of 200X come from six cases, so that more folds would have one or two of them in each
    test part.
    """

    recipe: str
    data: str
    options: dict[str, Any]
    pretrained: bool = False

    @property
    def name(self) -> str:
        """The recipe, its backbone if that is another, and the set."""
        instead = f" with {self.options['backbone']}" if "backbone" in self.options else ""
        return f"{self.recipe}{instead}, {self.data}"


_SMALL = {"image_size": 64, "folds": 2}
_MOBILENET = {"backbone": "mobilenetv2", "image_size": 128, "folds": 2, "epochs": 8}
PLANS = {
    plan.name: plan
    for plan in (
        Plan("vgg16-breakhis", "200X", {**_SMALL, "epochs": 12}),
        Plan("vgg16-breakhis", "100X", {**_SMALL, "epochs": 12}),
        Plan("vgg16-breakhis", "200X", _MOBILENET, pretrained=True),
        Plan("vgg16-breakhis", "100X", _MOBILENET, pretrained=True),
        Plan("vgg19-resnet50-breakhis", "200X", {**_SMALL, "epochs": 10}),
        Plan("vgg19-resnet50-breakhis", "100X", {**_SMALL, "epochs": 10}),
        Plan("resnet50-breakhis", "all magnifications", {**_SMALL, "epochs": 4}),
        Plan("cancernet-idc", "IDC of 130 patients", {"epochs": 12, "folds": 2}),
        Plan("vgg16-128-breakhis", "200X", {**_SMALL, "epochs": 6}),
        Plan("vgg16-128-breakhis", "100X", {**_SMALL, "epochs": 6}),
    )
}
SHOWN = ("accuracy", "balanced_accuracy", "roc_auc")


def load(data: str, real: Path) -> bc.Dataset:
    """Return the real images of a row."""
    if data.startswith("IDC"):
        return bc.load_idc(real / "IDC_sampled")
    if data in ("100X", "200X"):
        return bc.load_breakhis(real / f"BreaKHis_{data}_224")
    originals = bc.load_breakhis(real / "BreaKHis_v1").where(magnification=[40, 400])
    return originals + bc.load_breakhis(real / "BreaKHis_100X_224") + bc.load_breakhis(real / "BreaKHis_200X_224")


def describe(result: RecipeResult) -> dict[str, Any]:
    """Return the part of a result that the documentation shows."""
    table = result.table
    models = []
    for model in result.models:
        rows = table.loc[model.name]
        splits: dict[str, Any] = {}
        for name, split in zip(SPLITS, model.splits, strict=True):
            columns = [name, f"{name}_low", f"{name}_high"]
            metrics = {
                metric: to_json_values(rows.loc[metric, columns].tolist()) for metric in (*SHOWN, f"{BASELINE}roc_auc")
            }
            splits[name] = {
                "metrics": metrics,
                "confusion": split.evaluation.confusion.to_numpy().tolist(),
                "test_images": split.evaluation.counts["images"],
                "test_cases": split.evaluation.counts["cases"],
                "training_images": list(split.training_images),
                "leaks": split.leaks,
                "seconds": round(split.seconds, 1),
            }
        models.append(
            {
                "model": model.name,
                "images": model.images,
                "cases": model.cases,
                "cases_by_class": {
                    str(label): of["cases"] for label, of in model.case_split.evaluation.counts["classes"].items()
                },
                "image_size": list(model.image_size),
                "reported": dict(model.model.reported),
                **splits,
            }
        )
    return {
        "title": result.recipe.title,
        "reported": result.recipe.reported,
        "departures": list(result.departures),
        "settings": dict(result.settings),
        "models": models,
        "seconds": round(result.seconds, 1),
    }


def run(plan: Plan, runs: Path, limit: int | None) -> tuple[str, dict[str, Any]]:
    """Run a row; return its result as text, and the part that the documentation shows."""
    # The heat-maps of a network with few epochs of training state themselves that they show little.
    warnings.simplefilter("ignore", ExplanationWarning)
    real = find_real_data()
    output = runs / plan.name.replace(" ", "-").replace(",", "")
    weights = real / "weights" / MOBILENET if plan.pretrained else None
    result = bc.experiments.run_recipe(
        plan.recipe, load(plan.data, real), weights=weights, output=output, resume=True, limit=limit, progress=False,
        **plan.options,
    )  # fmt: skip
    return str(result), describe(result)


def main() -> None:
    """Run, print and write; results are written after each row, the others stay as they were measured before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs, so that a second call continues them")
    parser.add_argument("--only", nargs="+", choices=tuple(PLANS), default=tuple(PLANS))
    parser.add_argument("--epochs", type=int, help="fewer than planned, for a trial run")
    parser.add_argument("--limit", type=int, help="fewer images, for a trial run")
    arguments = parser.parse_args()
    find_real_data()
    target = arguments.output or RESULTS / "recipes.json"
    before = json.loads(target.read_text(encoding="utf-8"))["recipes"] if target.exists() else {}
    results = {name: before[name] for name in PLANS if name in before}
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.only:
            plan = PLANS[name]
            if arguments.epochs is not None:
                plan = replace(plan, options={**plan.options, "epochs": arguments.epochs})
            # TensorFlow keeps the graph of every model that a process trained; a process a recipe gives it back.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                text, results[name] = process.submit(
                    run, plan, arguments.runs or Path(scratch), arguments.limit
                ).result()
            print(text, end="\n\n", flush=True)
            write_result("recipes", {"recipes": {name: results[name] for name in PLANS if name in results}}, target)


if __name__ == "__main__":
    main()
