"""How often 95% intervals hold the truth, by simulation: bootstrap over cases, and over images as if independent.

Cases have several images that resemble one another. They are of one class each, or hold a mixture of 2 or 4 classes of
their own. The true figures are known in closed form or from many images that share no case. NumPy and SciPy only, no
real images, no model. `python benchmarks/interval_coverage.py`
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import RESULTS, write_result
from scipy.stats import norm

from breastcls.decisions.operating_points import predictive_values
from breastcls.files import write_text
from breastcls.intervals.bootstrap import Bootstrap, IntervalMethod
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.score_tables import score
from breastcls.metrics.classification_metrics import METRICS, compute_metrics
from breastcls.predictions.predictions import Predictions

CASES = (10, 20, 50, 100)
FIGURES = ("accuracy", "balanced_accuracy", "roc_auc", "average_precision", "patient_recognition_rate")
# Two classes only, at a prevalence that is not that of the sample.
PREDICTIVE = ("ppv", "npv")
PREVALENCE = 0.1
MALIGNANT = 0.6
MEAN_IMAGES = 8
SHIFT = 0.75
# Between cases the logits vary as much as between the images of one case: an intraclass correlation of one half.
SPREAD_OF_CASES, SPREAD_OF_IMAGES = 1.0, 1.0
# Share of images of each class where cases are mixed; the lower the evenness, the more a case is of one class.
MIXTURES = {2: (0.6, 0.4), 4: (0.4, 0.3, 0.2, 0.1)}
EVENNESS = 2.0
IMAGES_OF_TRUTH = 1_000_000
UNITS: dict[str, tuple[bool, IntervalMethod]] = {
    "cases, percentile": (True, "percentile"),
    "cases, BCa": (True, "bca"),
    "cases, expanded": (True, "expanded"),
    "images, percentile": (False, "percentile"),
}
# Images are many cases: a fifth of the trials shows what is to be seen.
SHARE_OVER_IMAGES = 0.2
FEW_FIGURES = ("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "roc_auc")
# Cases of the first and of the second class.
FEW_COUNTS = ((2, 10), (3, 3), (3, 10), (5, 10), (10, 20), (16, 54))
# Shift of the logits, and share of the cases that are shifted as much to the wrong side: with few cases, mostly none or
# one, which then has nearly all the errors.
FEW_DESIGNS = {
    "overlapping classes": (SHIFT, 0.0),
    "nearly separated classes": (3.0, 0.0),
    "separated but for one case in ten": (4.0, 0.1),
}
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Design:
    """How test sets are drawn, what is scored, and what is true of the population."""

    classes: tuple[str, ...]
    draw: Callable[[np.random.Generator, int], Sample]
    truth: dict[str, float]


def draw(generator: np.random.Generator, cases: int, share: float = MALIGNANT) -> Sample:
    """Draw the case, label and logit of each image; a share of the cases is malignant."""
    malignant = np.arange(cases) < round(share * cases)
    case = np.repeat(np.arange(cases), 1 + generator.poisson(MEAN_IMAGES - 1, cases))
    labels = malignant[case].astype(np.int64)
    logits = SHIFT * (2 * labels - 1) + SPREAD_OF_CASES * generator.normal(size=cases)[case]
    return case, labels, logits + SPREAD_OF_IMAGES * generator.normal(size=len(case))


def draw_mixed(generator: np.random.Generator, cases: int, classes: int) -> Sample:
    """Draw cases that hold a mixture of classes each, until every class is there."""
    while True:
        mixtures = generator.dirichlet(EVENNESS * np.array(MIXTURES[classes]), cases)
        case = np.repeat(np.arange(cases), 1 + generator.poisson(MEAN_IMAGES - 1, cases))
        labels = (generator.random(len(case))[:, None] > np.cumsum(mixtures, axis=1)[case][:, :-1]).sum(axis=1)
        if len(np.unique(labels)) == classes:
            break
    if classes == 2:
        logits = SHIFT * (2 * labels - 1) + SPREAD_OF_CASES * generator.normal(size=cases)[case]
        return case, labels, logits + SPREAD_OF_IMAGES * generator.normal(size=len(case))
    logits = 2 * SHIFT * np.eye(classes)[labels] + SPREAD_OF_CASES * generator.normal(size=(cases, classes))[case]
    return case, labels, logits + SPREAD_OF_IMAGES * generator.normal(size=logits.shape)


def true_figures(share: float) -> dict[str, float]:
    """Return the figures of a population of two classes in which a share of the images is malignant."""
    spread = np.hypot(SPREAD_OF_CASES, SPREAD_OF_IMAGES)
    right = norm.cdf(SHIFT / spread)
    # Average precision is the precision averaged over the scores of malignant images: here at their quantiles.
    scores = norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    found, alarms = share * norm.sf(scores), (1 - share) * norm.sf(scores + 2 * SHIFT / spread)
    ppv, npv = predictive_values(*(np.float64(value) for value in (right, right, PREVALENCE)))
    figures = (right, right, norm.cdf(2 * SHIFT / (np.sqrt(2) * spread)), (found / (found + alarms)).mean(), right)
    return dict(zip((*FIGURES, *PREDICTIVE), map(float, (*figures, ppv, npv)), strict=True))


def to_predictions(sample: Sample, classes: tuple[str, ...], over_cases: bool = True) -> Predictions:
    """Return a sample as predictions; every second image of a case is of its second slide."""
    case, labels, logits = sample
    if len(classes) > 2:
        scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = scaled / scaled.sum(axis=1, keepdims=True)
    else:
        probabilities = 1 / (1 + np.exp(-logits))
    return Predictions.from_arrays(
        probabilities=probabilities,
        labels=labels,
        cases=case.astype(str) if over_cases else None,
        slides=(np.arange(len(case)) % 2).astype(str) if over_cases else None,
        classes=classes,
    )


def find_truth(classes: int) -> dict[str, float]:
    """Return the figures of many images that share no case, of several classes."""
    generator = np.random.default_rng(0)
    case, labels, logits = draw_mixed(generator, IMAGES_OF_TRUTH, classes)
    first = np.unique(case, return_index=True)[1]
    names = tuple(str(number) for number in range(classes))
    figures = compute_metrics(to_predictions((case[first], labels[first], logits[first]), names))
    return {name: float(figures["accuracy" if name == "patient_recognition_rate" else name]) for name in FIGURES}


class Remembered:
    """A measure that is not taken twice of the same resamples, which all ways of making an interval share."""

    def __init__(self, predictions: Predictions, figures: tuple[str, ...]) -> None:
        self.statistics = CaseStatistics.of(predictions)
        self._places = [METRICS.index(name) for name in figures if name in METRICS]
        self._predictive = PREDICTIVE[0] in figures
        self._known: dict[bytes, np.ndarray] = {}

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Return the figures of each weighting of the cases, (resamples, figures)."""
        key = weights.tobytes()
        if key not in self._known:
            values = self.statistics.compute(weights)
            found = values[:, self._places]
            if self._predictive:
                sensitivity, specificity = (values[:, METRICS.index(name)] for name in ("recall", "specificity"))
                predictive = predictive_values(sensitivity, specificity, np.float64(PREVALENCE))
                found = np.column_stack([found, *predictive])
            self._known[key] = found
        return self._known[key]


def run_trials(design: Design, cases: int, trials: int, resamples: int) -> dict[str, Any]:
    """Return for each way of drawing and each figure the share of intervals that hold the truth, and their width."""
    generator = np.random.default_rng(cases)
    figures, truth = tuple(design.truth), np.array(list(design.truth.values()))
    held, width = ({unit: np.zeros(len(truth)) for unit in UNITS} for _ in range(2))
    over_images = max(1, int(trials * SHARE_OVER_IMAGES))
    done = {unit: trials if over_cases else over_images for unit, (over_cases, _) in UNITS.items()}
    for trial in range(trials):
        sample = design.draw(generator, cases)
        measures: dict[bool, Remembered] = {}
        for unit, (over_cases, interval) in UNITS.items():
            if trial >= done[unit]:
                continue
            if over_cases not in measures:
                measures[over_cases] = Remembered(to_predictions(sample, design.classes, over_cases), figures)
            measure = measures[over_cases]
            bootstrap = Bootstrap(resamples, 0.95, interval, seed=trial)
            # Without the minimum number of cases, which these results are a reason for.
            strata = measure.statistics.strata
            low, high = bootstrap.bounds(bootstrap.distribution(measure, strata), measure, strata)
            held[unit] += (low <= truth) & (truth <= high)
            width[unit] += high - low
    found: dict[str, Any] = {}
    for unit in UNITS:
        found[unit] = {
            name: {"held": held[unit][index] / done[unit], "width": width[unit][index] / done[unit]}
            for index, name in enumerate(figures)
            # Without cases slides are not known either.
            if np.isfinite(width[unit][index])
        }
    return found


def make_designs(share: float) -> dict[str, Design]:
    """Return the designs by what a case holds."""
    two, mixed = ("benign", "malignant"), true_figures(MIXTURES[2][1])
    return {
        "one class": Design(two, lambda generator, cases: draw(generator, cases, share), true_figures(share)),
        "2 classes": Design(two, lambda generator, cases: draw_mixed(generator, cases, 2), mixed),
        "4 classes": Design(tuple("abcd"), lambda generator, cases: draw_mixed(generator, cases, 4), find_truth(4)),
    }


def draw_few(generator: np.random.Generator, counts: tuple[int, int], design: tuple[float, float]) -> Sample:
    """Draw so many cases of each class, eight images each on average."""
    shift, misread = design
    cases = sum(counts)
    case = np.repeat(np.arange(cases), 1 + generator.poisson(MEAN_IMAGES - 1, cases))
    labels = (case >= counts[0]).astype(np.int64)
    side = np.where(generator.random(cases) < misread, -1, 1)[case]
    logits = shift * side * (2 * labels - 1) + SPREAD_OF_CASES * generator.normal(size=cases)[case]
    return case, labels, logits + SPREAD_OF_IMAGES * generator.normal(size=len(case))


def true_few(level: str, counts: tuple[int, int], design: tuple[float, float]) -> dict[str, float]:
    """Return the true figures of images, or of cases by the mean probability, of as large a share of each class."""
    many = tuple(count * (80_000 // sum(counts)) for count in counts)
    some = to_predictions(draw_few(np.random.default_rng(0), many, design), ("benign", "malignant"))
    if level == "image":
        # One image of each case: the images of a case are not independent.
        some = some[np.unique(some.cases.astype(str), return_index=True)[1]]
    return compute_metrics(some.aggregate(level))[list(FEW_FIGURES)].to_dict()


def run_few(trials: int, resamples: int) -> dict[str, Any]:
    """Return the coverage of the intervals of `evaluate`, and of the bootstrap alone, with few cases of one class."""
    found: dict[str, Any] = {}
    for name, design in FEW_DESIGNS.items():
        for counts in FEW_COUNTS:
            truths = {level: true_few(level, counts, design) for level in ("image", "case")}
            generator = np.random.default_rng(sum(counts))
            seen: dict[str, list[list[float]]] = {level: [] for level in truths}
            for trial in range(trials):
                some = to_predictions(draw_few(generator, counts, design), ("benign", "malignant"))
                for level, truth in truths.items():
                    scored = some.aggregate(level)
                    statistics, bootstrap = CaseStatistics.of(scored), Bootstrap(resamples, seed=trial)
                    drawn = bootstrap.distribution(statistics.compute, statistics.strata)
                    raw = np.stack(bootstrap.bounds(drawn, statistics.compute, statistics.strata))
                    table = score(scored, statistics, bootstrap)
                    for figure, true in truth.items():
                        low, high = table.loc[figure, ["low", "high"]]
                        first, last = raw[:, METRICS.index(figure)]
                        still = last - first < 1e-9
                        seen[level].append(
                            [low <= true <= high, np.isfinite(low), first <= true <= last, still, high - low]
                        )
            for level, rows in seen.items():
                values = np.array(rows, dtype=float).reshape(trials, len(FEW_FIGURES), 5)
                for place, figure in enumerate(FEW_FIGURES):
                    held, given, raw_held, still, width = values[:, place].T
                    key = f"{counts[0]} and {counts[1]} cases"
                    found.setdefault(name, {}).setdefault(key, {}).setdefault(level, {})[figure] = {
                        "given": given.mean(),
                        "held": held[given > 0].mean() if given.any() else None,
                        "width": width[given > 0].mean() if given.any() else None,
                        "bootstrap_held": raw_held.mean(),
                        "bootstrap_zero_width": still.mean(),
                        "held_where_zero_width": held[(still > 0) & (given > 0)].mean()
                        if ((still > 0) & (given > 0)).any()
                        else None,
                    }
            print(
                f"{name}, {counts}",
                {f: round(v["held"] or 0, 3) for f, v in found[name][key]["image"].items()},
                flush=True,
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000, help="test sets of cases of one class; half with mixtures")
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--cases", type=int, nargs="+", default=CASES)
    parser.add_argument("--malignant", type=float, default=MALIGNANT, help="share of the cases that is malignant")
    parser.add_argument("--few", action="store_true", help="only few cases of a class, added to the present results")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.few:
        path = arguments.output or RESULTS / "interval_coverage.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        few = {"trials": arguments.trials, "resamples": arguments.resamples}
        kept["few_cases"] = {**few, "found": run_few(arguments.trials, arguments.resamples)}
        write_text(path, json.dumps(kept, indent=2) + "\n")
        return
    designs = make_designs(arguments.malignant)
    found: dict[str, Any] = {}
    for name, design in designs.items():
        trials = arguments.trials if name == "one class" else arguments.trials // 2
        found[name] = {"trials": trials, "truth": design.truth, "cases": {}}
        for cases in arguments.cases:
            began = time.perf_counter()
            result = run_trials(design, cases, trials, arguments.resamples)
            found[name]["cases"][str(cases)] = result
            print(f"a case holds {name}; {cases} cases, {time.perf_counter() - began:.0f} s", flush=True)
            for unit, by_name in result.items():
                shown = "  ".join(f"{figure} {value['held']:.3f}" for figure, value in by_name.items())
                print(f"    {unit}: {shown}", flush=True)
    result = {
        "what": "share of 95% intervals that hold the true figure, and their mean width, by what a case holds",
        "share_of_trials_over_images": SHARE_OVER_IMAGES,
        "resamples": arguments.resamples,
        "design": {
            "malignant_cases": arguments.malignant,
            "mean_images_a_case": MEAN_IMAGES,
            "logit_shift": SHIFT,
            "spread_of_cases": SPREAD_OF_CASES,
            "spread_of_images": SPREAD_OF_IMAGES,
            "prevalence_of_ppv_and_npv": PREVALENCE,
            "mixtures": {str(classes): list(shares) for classes, shares in MIXTURES.items()},
            "evenness_of_mixtures": EVENNESS,
        },
        "found": found,
    }
    write_result("interval_coverage", result, arguments.output)


if __name__ == "__main__":
    main()
