"""Faithfulness and localisation of all explanation methods, on models trained on real images.

Run `python benchmarks/explanation_methods.py` (about 40 minutes on two cores). `--parts` repeats some of the three
parts, and `--quick` takes four images and few methods. It needs the images and weights in BREASTCLS_TEST_DATA.

At 200X and at 100X a linear head on frozen MobileNetV2 is fitted to one half of the cases, and 24 images of the other
half are explained, distributed evenly over the cases. Deletion, insertion and ROAD are compared with random maps
and with a map of the centre; confidence intervals are over cases. The real images have no masks: localisation is that
of a head fitted to synthetic images, against their tumour.

The variants of Grad-CAM that give finer maps are compared with it: one replaces it as the default only if its interval
is above that of Grad-CAM for two of the three measures at 200X, and again at 100X.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import RESULTS, find_real_data, update_rows

import breastcls as bc
from breastcls.datasets.dataset import Dataset

PARTS = ("200X", "100X", "localisation")
WEIGHTS = "mobilenet_v2_1.0_224_no_top_rot180.weights.h5"
IMAGES = 24
VARIANTS = {"grad-cam, dihedral": "grad-cam", "grad-cam, tiles": "grad-cam"}
OPTIONS: dict[str, dict[str, Any]] = {
    "grad-cam, dihedral": {"dihedral": True},
    "grad-cam, tiles": {"tiles": 2},
    "rise": {"masks": 256},
    "kernel-shap": {"samples": 256},
}
# Those that may replace Grad-CAM as the default.
FINER = (*VARIANTS, "fused-layer-cam", "layer-cam")


def options_of(names: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return the options of some of the methods."""
    return {name: OPTIONS[name] for name in names if name in OPTIONS}


def fit_head(train: Dataset, val: Dataset, weights: Path) -> Any:
    """Return MobileNetV2 with an exact head on its frozen features."""
    model = bc.build_model("mobilenetv2", classes=train.classes, weights=weights, head="linear", seed=1)
    bc.fit(model, train, val, frozen_head="lbfgs", fine_tune=False, augment="none", seed=1)
    return model


def spread(data: Dataset, count: int) -> Dataset:
    """Return `count` images, one of each case before a second of any."""
    turns = data.table.groupby("case").cumcount().to_numpy()
    order = np.lexsort((np.arange(len(data)), turns))[:count]
    return data[np.sort(order)]


def compare(folder: Path, magnification: int, weights: Path, names: dict[str, str], count: int) -> dict[str, Any]:
    """Return the comparison of methods on real images of one magnification."""
    data = bc.load_breakhis(folder / f"BreaKHis_{magnification}X_224", magnification=magnification)
    train, val, test = data.split((0.4, 0.1, 0.5), by="case", seed=1)
    model = fit_head(train, val, weights)
    made = bc.explanation.compare_methods(
        model, spread(test, count), names, options=options_of(names), engine="openvino", steps=8
    )
    print(made, flush=True)
    return {**made.to_dict(), "auc": float(bc.evaluate(model, test, train=train + val).metrics.loc["roc_auc", "value"])}


def localise(weights: Path, names: dict[str, str], count: int) -> dict[str, Any]:
    """Return the localisation of tumour in synthetic images by a head fitted to other synthetic images."""
    with tempfile.TemporaryDirectory() as root:
        tree = bc.datasets.make_breakhis(
            root, slides_per_subtype=8, images_per_slide=2, magnifications=(200,), image_size=(224, 224)
        )
        data = bc.load_breakhis(tree, magnification=200)
        train, val, test = data.split((0.4, 0.1, 0.5), by="case", seed=1)
        model = fit_head(train, val, weights)
        malignant = test[(test.table["label"] == "malignant").to_numpy()]
        masks = bc.datasets.make_masks(malignant, "tumour")
        shown = np.flatnonzero([0.02 < mask.mean() < 0.9 for mask in masks])[:count]
        made = bc.explanation.compare_methods(
            model,
            malignant[shown],
            names,
            masks=[masks[number] for number in shown],
            options=options_of(names),
            engine="openvino",
            steps=1,
            target_class="malignant",
        )
        print(made, flush=True)
        return made.to_dict()


def read_table(found: dict[str, Any]) -> pd.DataFrame:
    """Return the table of a stored comparison."""
    table = found["table"]
    return pd.DataFrame(table["data"], index=table["index"], columns=table["columns"])


def choose_default(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return for each finer map by how many measures its interval is above that of Grad-CAM, and the default."""
    above: dict[str, dict[str, int]] = {}
    for name in FINER:
        above[name] = {}
        for level, table in tables.items():
            if name in table.index:
                gains = [f"{measure}_gain_random" for measure in ("deletion", "insertion", "imputation")]
                low, high = table.loc[name], table.loc["grad-cam"]
                above[name][level] = sum(bool(low[f"{gain}_low"] > high[f"{gain}_high"]) for gain in gains)
    better = [name for name, counts in above.items() if counts and min(counts.values()) >= 2]
    return {"measures_above_grad_cam": above, "default": better[0] if better else "grad-cam"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four images and few methods, for correctness")
    parser.add_argument("--images", type=int, default=IMAGES, help="images of each magnification")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.quick and arguments.output is None:
        parser.error("--quick measures too little to replace the stored result: name another file with --output.")
    output = arguments.output or RESULTS / "explanation_methods.json"
    warnings.simplefilter("ignore")
    folder = find_real_data()
    weights = folder / "weights" / WEIGHTS
    names = {name: name for name in bc.explanation.list_methods() if "rollout" not in name} | VARIANTS
    count = arguments.images
    if arguments.quick:
        names = {name: names[name] for name in ("grad-cam", "grad-cam, tiles", "fused-layer-cam", "occlusion")}
        count = 4
    # The number of images is in the counts of each part, since not all parts may have been run with the same.
    about = {"options": OPTIONS, "model": "mobilenetv2, frozen, exact linear head"}
    for part in arguments.parts:
        if part == "localisation":
            found = localise(weights, names, count)
        else:
            found = compare(folder, int(part.removesuffix("X")), weights, names, count)
        update_rows("explanation_methods", {**about, part: found}, output)
    written = json.loads(output.read_text(encoding="utf-8"))
    choice = choose_default({part: read_table(written[part]) for part in ("200X", "100X") if part in written})
    print(json.dumps(choice, indent=2))
    update_rows("explanation_methods", {"choice": choice}, output)


if __name__ == "__main__":
    main()
