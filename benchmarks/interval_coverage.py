"""How often 95% intervals hold the truth, by simulation: bootstrap over cases, and over images as if independent.

Cases have several images that resemble one another; the true figures are known in closed form. NumPy and SciPy only, no
real images, no model. `python benchmarks/interval_coverage.py`
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import write_result
from scipy.stats import norm

from breastcls.evaluation.case_statistics import CaseStatistics
from breastcls.evaluation.intervals import Bootstrap, Interval
from breastcls.evaluation.metrics import METRICS
from breastcls.evaluation.predictions import Predictions

CASES = (10, 20, 50, 100)
FIGURES = ("accuracy", "balanced_accuracy", "roc_auc")
MALIGNANT = 0.6
MEAN_IMAGES = 8
SHIFT = 0.75
# Between cases the logits vary as much as between the images of one case: an intraclass correlation of one half.
SPREAD_OF_CASES, SPREAD_OF_IMAGES = 1.0, 1.0
UNITS: dict[str, tuple[bool, Interval]] = {
    "cases, percentile": (True, "percentile"),
    "cases, BCa": (True, "bca"),
    "cases, expanded": (True, "expanded"),
    "images, percentile": (False, "percentile"),
}


def true_figures() -> np.ndarray:
    """Return the population's figures, in the order of `FIGURES`."""
    spread = np.hypot(SPREAD_OF_CASES, SPREAD_OF_IMAGES)
    right = norm.cdf(SHIFT / spread)
    return np.array([right, right, norm.cdf(2 * SHIFT / (np.sqrt(2) * spread))])


def draw(
    generator: np.random.Generator, cases: int, share: float = MALIGNANT
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the case, label and logit of each image; a share of the cases is malignant."""
    malignant = np.arange(cases) < round(share * cases)
    case = np.repeat(np.arange(cases), 1 + generator.poisson(MEAN_IMAGES - 1, cases))
    labels = malignant[case].astype(np.int64)
    logits = SHIFT * (2 * labels - 1) + SPREAD_OF_CASES * generator.normal(size=cases)[case]
    return case, labels, logits + SPREAD_OF_IMAGES * generator.normal(size=len(case))


def run_trials(cases: int, trials: int, resamples: int, share: float) -> dict[str, Any]:
    """Return for each way of drawing and each figure the share of intervals that hold the truth, and their width."""
    generator = np.random.default_rng(cases)
    truth, places = true_figures(), [METRICS.index(name) for name in FIGURES]
    held = {unit: np.zeros(len(FIGURES)) for unit in UNITS}
    width = {unit: np.zeros(len(FIGURES)) for unit in UNITS}
    for trial in range(trials):
        case, labels, logits = draw(generator, cases, share)
        for unit, (over_cases, interval) in UNITS.items():
            some = Predictions.from_arrays(
                probabilities=1 / (1 + np.exp(-logits)),
                labels=labels,
                cases=case.astype(str) if over_cases else None,
                classes=("benign", "malignant"),
            )
            statistics = CaseStatistics.of(some)
            bootstrap = Bootstrap(resamples, 0.95, interval, seed=trial)
            low, high = bootstrap.intervals(statistics.measure, statistics.strata)
            held[unit] += (low[places] <= truth) & (truth <= high[places])
            width[unit] += high[places] - low[places]
    return {
        unit: {
            name: {"held": held[unit][index] / trials, "width": width[unit][index] / trials}
            for index, name in enumerate(FIGURES)
        }
        for unit in UNITS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--cases", type=int, nargs="+", default=CASES)
    parser.add_argument("--malignant", type=float, default=MALIGNANT, help="share of the cases that is malignant")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    found = {}
    for cases in arguments.cases:
        began = time.perf_counter()
        found[str(cases)] = run_trials(cases, arguments.trials, arguments.resamples, arguments.malignant)
        shown = {
            unit: " ".join(f"{value['held']:.3f}" for value in by_name.values())
            for unit, by_name in found[str(cases)].items()
        }
        print(f"{cases:>4} cases, {time.perf_counter() - began:.0f} s: {shown}")
    result = {
        "what": "share of 95% intervals that hold the true figure, and their mean width",
        "trials": arguments.trials,
        "resamples": arguments.resamples,
        "design": {
            "malignant_cases": arguments.malignant,
            "mean_images_a_case": MEAN_IMAGES,
            "logit_shift": SHIFT,
            "spread_of_cases": SPREAD_OF_CASES,
            "spread_of_images": SPREAD_OF_IMAGES,
        },
        "truth": dict(zip(FIGURES, true_figures().tolist(), strict=True)),
        "cases": found,
    }
    write_result("interval_coverage", result, arguments.output)


if __name__ == "__main__":
    main()
