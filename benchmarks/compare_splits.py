"""The effect of the split on a score, and the BreakHis protocol, on the available real images.

MobileNet 0.25 with ImageNet weights, frozen, a linear head trained for 20 epochs without augmentation: small enough to
be repeated in minutes. The images are few: the results show the effect of the split on a score, not what a model can
reach.
`python benchmarks/compare_splits.py`
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from harness import find_real_data, write_result

import breastcls as bc

WEIGHTS = "mobilenet_2_5_224_tf_no_top.h5"
FITTING: dict[str, Any] = {"epochs": 20, "fine_tune": False, "augment": "none", "progress": False}
BASELINES = ("colour", "texture-svm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    real = find_real_data()
    # A cache kept between runs would hide the time of a first run.
    os.environ["BREASTCLS_CACHE"] = tempfile.mkdtemp()
    data = bc.load_breakhis(real / "BreaKHis_200X_224")

    def build() -> Any:
        return bc.build_model(
            "mobilenet",
            classes=data.classes,
            alpha=0.25,
            image_size=224,
            weights=real / "weights" / WEIGHTS,
            seed=arguments.seed,
        )

    began = time.perf_counter()
    compared = bc.experiments.compare_splits(
        build, data, folds=arguments.folds, baselines=BASELINES, seed=arguments.seed, **FITTING
    )
    print(compared, end="\n\n")
    protocol = bc.experiments.evaluate_protocol(build, data, real / "breakhis_folds", seed=arguments.seed, **FITTING)
    print(protocol)
    without_runs = {name: value for name, value in compared.to_dict().items() if name not in ("runs", "environment")}
    of_protocol = {name: value for name, value in protocol.to_dict().items() if name != "environment"}
    write_result(
        "compare_splits",
        {
            "comparison": {**without_runs, "markdown": compared.to_markdown()},
            "protocol": {**of_protocol, "markdown": protocol.to_markdown()},
            "seconds": time.perf_counter() - began,
        },
    )


if __name__ == "__main__":
    main()
