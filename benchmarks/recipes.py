"""The published recipes on the real images there are: reported, as their authors did it, and over cases.

The images are few, and ImageNet weights of VGG and ResNet are too large to keep beside them, so every network starts
from random weights, and the deep ones see small images for few epochs: the figures show what the split does to a
score, not what the recipes can reach. `python benchmarks/recipes.py`; `--runs FOLDER` keeps the runs, and goes on.
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
from breastcls.experiments.recipes.recipe_result import COLOUR
from breastcls.json_values import to_json_values

# Two folds: the benign images come from six cases, so that more would leave one or two of them to be judged by.
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
    """Return what the documentation shows of a result."""
    table = result.table
    trials = []
    for trial in result.trials:
        rows = table.loc[trial.name]
        sides: dict[str, Any] = {}
        for name, side in zip(("over_images", "over_cases"), trial.sides, strict=True):
            columns = [name, f"{name}_low", f"{name}_high"]
            figures = {
                metric: to_json_values(rows.loc[metric, columns].tolist()) for metric in (*SHOWN, f"{COLOUR}roc_auc")
            }
            sides[name] = {
                "figures": figures,
                "confusion": side.evaluation.confusion.to_numpy().tolist(),
                "judged": side.evaluation.counts["images"],
                "judged_cases": side.evaluation.counts["cases"],
                "trained_on": list(side.trained_on),
                "leaks": side.evaluation.leak_allowed,
                "seconds": round(side.seconds, 1),
            }
        trials.append(
            {
                "model": trial.name,
                "images": trial.images,
                "cases": trial.cases,
                "cases_by_class": {
                    str(label): of["cases"] for label, of in trial.over_cases.evaluation.counts["classes"].items()
                },
                "image_size": list(trial.image_size),
                "reported": dict(trial.contender.reported),
                **sides,
            }
        )
    return {
        "title": result.recipe.title,
        "reported": result.recipe.reported,
        "departures": list(result.departures),
        "settings": dict(result.settings),
        "trials": trials,
        "seconds": round(result.seconds, 1),
    }


def run(name: str, plan: dict[str, Any], runs: Path, limit: int | None) -> tuple[str, dict[str, Any]]:
    """Run a recipe; return its summary as text and what the documentation shows of it."""
    # A network that learnt little has little evidence to show; the heat-maps say so themselves.
    warnings.simplefilter("ignore", ExplanationWarning)
    data = load(name, find_real_data())
    result = bc.experiments.run_recipe(
        name, data, weights=None, output=runs / name, resume=True, limit=limit, progress=False, **plan
    )
    return str(result), describe(result)


def main() -> None:
    """Run, print and write; what is done is written after each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs, so that a second call goes on")
    parser.add_argument("--only", nargs="+", choices=tuple(PLANS), default=tuple(PLANS))
    parser.add_argument("--epochs", type=int, help="fewer than planned, to try it")
    parser.add_argument("--limit", type=int, help="fewer images, to try it")
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
