"""The published recipes on the available real images: reported, with the image-wise and with the case-wise split.

The images are few, and ImageNet weights of VGG and ResNet are too large to keep beside them, so every network starts
from random weights, and the deep ones see small images for few epochs: the results show the effect of the split on a
score, not what the recipes can reach. `python benchmarks/recipes.py`; `--runs FOLDER` keeps and continues the runs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from harness import find_real_data, write_result

import breastcls as bc
from breastcls.errors import ExplanationWarning
from breastcls.experiments import RecipeResult
from breastcls.experiments.recipes.model_result import BASELINE, SPLITS
from breastcls.json_values import to_json_values

# Two folds: the benign images come from six cases, so that more folds would have one or two of them in each test part.
PLANS: dict[str, dict[str, Any]] = {
    "vgg16-breakhis": {"image_size": 64, "epochs": 12, "folds": 2},
    "vgg19-resnet50-breakhis": {"image_size": 64, "epochs": 10, "folds": 2},
    "resnet50-breakhis": {"image_size": 64, "epochs": 4, "folds": 2},
    "cancernet-idc": {"epochs": 10, "folds": 2},
    "vgg16-128-breakhis": {"image_size": 64, "epochs": 6, "folds": 2},
}
SHOWN = ("accuracy", "balanced_accuracy", "roc_auc")


def load(name: str, real: Path) -> bc.Dataset:
    """Return the real images that a recipe is run on."""
    if name == "cancernet-idc":
        return bc.load_idc(real / "IDC_regular_ps50_idx5")
    complete = bc.load_breakhis(real / "BreaKHis_200X_224")
    if name != "resnet50-breakhis":
        return complete
    originals = bc.load_breakhis(real / "BreaKHis_v1")
    return originals.where(magnification=[40, 100, 400]) + complete


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


def run(name: str, plan: dict[str, Any], runs: Path, limit: int | None) -> tuple[str, dict[str, Any]]:
    """Run a recipe; return its result as text, and the part that the documentation shows."""
    # The heat-maps of a network with few epochs of training state themselves that they show little.
    warnings.simplefilter("ignore", ExplanationWarning)
    data = load(name, find_real_data())
    result = bc.experiments.run_recipe(
        name, data, weights=None, output=runs / name, resume=True, limit=limit, progress=False, **plan
    )
    return str(result), describe(result)


def main() -> None:
    """Run, print and write; results are written after each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs, so that a second call continues them")
    parser.add_argument("--only", nargs="+", choices=tuple(PLANS), default=tuple(PLANS))
    parser.add_argument("--epochs", type=int, help="fewer than planned, for a trial run")
    parser.add_argument("--limit", type=int, help="fewer images, for a trial run")
    arguments = parser.parse_args()
    find_real_data()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.only:
            plan = PLANS[name] if arguments.epochs is None else {**PLANS[name], "epochs": arguments.epochs}
            # TensorFlow keeps the graph of every model that a process trained; a process a recipe gives it back.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                text, results[name] = process.submit(
                    run, name, plan, arguments.runs or Path(scratch), arguments.limit
                ).result()
            print(text, end="\n\n", flush=True)
            write_result("recipes", {"recipes": results}, arguments.output)


if __name__ == "__main__":
    main()
