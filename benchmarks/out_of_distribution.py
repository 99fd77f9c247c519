"""Out-of-distribution detection on the available real images, by the scores of a network and by its stored limit.

MobileNet 0.25 with ImageNet weights, frozen, a linear head trained for 20 epochs without augmentation, on BreakHis at
200X. Out-of-distribution are IDC patches, of another scanner and another size, and images of the same collection at
100X. `python benchmarks/out_of_distribution.py`
"""

from __future__ import annotations

import os
import tempfile
import warnings
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from harness import find_real_data, write_result

import breastcls as bc
from breastcls.json_values import table_to_dict
from breastcls.models.card_ood import measure_colours
from breastcls.uncertainty.ood_detection import measure_detection

WEIGHTS = "mobilenet_2_5_224_tf_no_top.h5"
PARTS = (0.4, 0.3, 0.3)
SEEDS = (0, 1, 2)
PATCHES = 300
ACCEPTED = 0.8
MEMBERS = ("mutual-information", "disagreement")


def main() -> None:
    real = find_real_data()
    os.environ["BREASTCLS_CACHE"] = tempfile.mkdtemp()
    warnings.simplefilter("ignore", bc.errors.EvaluationWarning)
    data = bc.load_breakhis(real / "BreaKHis_200X_224")
    patches = bc.load_idc(real / "IDC_regular_ps50_idx5")
    patches = patches[np.unique(np.linspace(0, len(patches) - 1, PATCHES).round().astype(int))]
    other = bc.load_breakhis(real / "BreaKHis_100X_224")
    kinds = {"IDC patches": patches, "BreakHis at 100X": other}

    model, (train, _, test) = _train(data, real / "weights" / WEIGHTS, SEEDS[0])
    table = bc.uncertainty.score_ood(model, test, patches, train)
    members = bc.uncertainty.score_ood(model, test, patches, scores=MEMBERS, tta="dihedral")
    print(table.round(2).to_string(), members.round(2).to_string(), sep="\n")

    limits = []
    for seed in SEEDS:
        train_part, val, held_out = data.split(PARTS, seed=seed)
        limit = bc.uncertainty.fit_ood_limit(model, train_part, val, accepted=ACCEPTED)
        known = limit.colours.distances(_colours(held_out))
        row: dict[str, Any] = {"seed": seed, "val_cases": len(limit.cases), "test_flagged": _flagged(limit, known)}
        for name, images in kinds.items():
            # Of images of another magnification, those of the cases that the limit was fitted on are left out.
            new = images[~np.isin(images.cases, sorted(set(train_part.cases) | set(val.cases)))]
            distances = limit.colours.distances(_colours(new))
            detection = measure_detection(known, distances, held_out.cases, new.cases)
            row[name] = {"flagged": _flagged(limit, distances), **detection}
        limits.append(row)
        print(row)
    write_result(
        "out_of_distribution",
        {
            "what": "detection of out-of-distribution images on BreakHis at 200X",
            "train": _count(train),
            "test": _count(test),
            "ood": _count(patches),
            "scores": table_to_dict(table),
            "scores_of_members": table_to_dict(members),
            "accepted": ACCEPTED,
            "limits": limits,
        },
    )


def _train(data: bc.Dataset, weights: Any, seed: int) -> tuple[Any, tuple[bc.Dataset, ...]]:
    parts = tuple(data.split(PARTS, seed=seed))
    model = bc.build_model("mobilenet", classes=data.classes, alpha=0.25, image_size=224, weights=weights, seed=seed)
    bc.fit(model, parts[0], epochs=20, fine_tune=False, augment="none", seed=seed)
    return model, parts


def _colours(data: bc.Dataset) -> Any:
    return measure_colours(data.to_numpy(image_size=224)[0])


def _flagged(limit: bc.uncertainty.OODLimit, distances: Any) -> float:
    return float(np.mean(distances > limit.colours.limit))


def _count(data: bc.Dataset) -> dict[str, int]:
    return {"images": len(data), "cases": len(set(data.cases))}


if __name__ == "__main__":
    main()
