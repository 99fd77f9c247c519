"""What the guides say of few cases, by simulation: calibration, its verdict, prediction sets, p-values of a comparison.

Cases have several images that resemble one another, and what is true of the population is known. NumPy and SciPy only,
no real images, no model. `python benchmarks/few_cases.py` (some minutes on two cores)
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import write_result
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

import breastcls as bc
from breastcls.calibration.calibrators import METHODS
from breastcls.evaluation.sections.calibration_section import calibration_verdict
from breastcls.intervals.bootstrap import Bootstrap

CLASSES = ("benign", "malignant")
SMALLEST = 1e-7
NEW_CASES = 2000
# Much worse than without: the log loss grew by more than a tenth.
MUCH = 1.1


def make(probabilities: np.ndarray, labels: np.ndarray, case: np.ndarray) -> bc.Predictions:
    """Return predictions of images with cases."""
    return bc.Predictions.from_arrays(
        probabilities=probabilities, labels=labels, cases=case.astype(str), classes=CLASSES
    )


def draw_separable(generator: np.random.Generator, cases: int, factor: float) -> bc.Predictions:
    """Return eight images per case that are easy to separate; the true log-odds are smaller by `factor`."""
    case = np.repeat(np.arange(cases), 8)
    labels = case % 2
    between, within = 0.7 * generator.normal(size=cases)[case], 0.7 * generator.normal(size=len(case))
    seen = (2 * labels - 1) * 2.0 + between + within
    return make(expit(factor * 4.0 * seen / (0.7**2 + 0.7**2)), labels, case)


def log_loss(some: bc.Predictions, power: float = 0.0) -> float:
    """Return the log loss, of logits times exp(power)."""
    logs = np.log(np.clip(some.probabilities.astype(float), SMALLEST, 1))
    margin = np.exp(power) * (logs[:, 1] - logs[:, 0]) * (2 * some.labels - 1)
    return float(np.logaddexp(0, -margin).mean())


def published_temperature(val: bc.Predictions) -> float:
    """Return the logarithm of the factor that minimises the log loss, between a temperature of 0.05 and 50."""
    found = minimize_scalar(lambda power: log_loss(val, power), bounds=(-np.log(50), -np.log(0.05)), method="bounded")
    return float(found.x)


def measure_calibration(trials: int) -> dict[str, Any]:
    """Return how often, and by how much, a calibration on 12 cases changes the log loss of new cases."""
    found: dict[str, Any] = {}
    for name, factor in (("right", 1.0), ("2.5 times too sure", 2.5)):
        generator = np.random.default_rng(0)
        new = draw_separable(generator, NEW_CASES, factor)
        raw = log_loss(new)
        ratios: dict[str, list[float]] = {"temperature as published": [], **{method: [] for method in METHODS}}
        bounds = 0
        for _ in range(trials):
            val = draw_separable(generator, 12, factor)
            power = published_temperature(val)
            bounds += int(power > -np.log(0.051))
            ratios["temperature as published"].append(log_loss(new, power) / raw)
            for method in METHODS:
                ratios[method].append(log_loss(bc.calibration.fit_calibrator(val, method).apply(new)) / raw)
        found[name] = {
            method: {"much_worse": float(np.mean(np.array(values) > MUCH)), "times": float(np.mean(values))}
            for method, values in ratios.items()
        }
        found[name]["temperature as published"]["at_its_bound"] = bounds / trials
    return found


def draw_claims(generator: np.random.Generator, cases: int, images: int, factor: float, alike: bool) -> bc.Predictions:
    """Claims anywhere from 0 to 1 that come true as often as claimed, of logits then multiplied by `factor`.

    The images of a case come true together as far as their claims let them, or each by itself.
    """
    case = np.repeat(np.arange(cases), images)
    claims = generator.random(len(case))
    luck = generator.random(cases)[case] if alike else generator.random(len(case))
    claimed = expit(factor * logit(np.clip(claims, 1e-6, 1 - 1e-6)))
    return make(claimed, (luck < claims).astype(int), case)


def measure_verdicts(trials: int, resamples: int) -> dict[str, Any]:
    """Return the share of each tone of the report's verdict on probabilities."""
    found: dict[str, Any] = {}
    designs = [(images, alike) for images, alike in ((1, False), (8, False), (8, True))]
    for name, factor in (("right", 1.0), ("2.5 times too sure", 2.5)):
        for cases in (16, 40, 80, 300):
            for images, alike in designs:
                generator = np.random.default_rng(1)
                tones = []
                for _ in range(trials):
                    some = draw_claims(generator, cases, images, factor, alike)
                    if len(np.unique(some.labels)) < 2:
                        continue
                    tones.append(tone_of(some, resamples))
                kind = f"{cases} cases of {images}" + (", images of a case alike" if alike else "")
                shares = {tone or "neutral": tones.count(tone) / len(tones) for tone in ("good", "", "caution", "bad")}
                found.setdefault(name, {})[kind] = shares
    return found


def tone_of(some: bc.Predictions, resamples: int) -> str:
    """Return the tone of the verdict on the probabilities of an evaluation."""
    found = bc.evaluate(some, bootstrap=Bootstrap(resamples))
    verdict = calibration_verdict(found.calibration, found)
    assert verdict is not None
    return verdict.tone


def draw_hard_cases(generator: np.random.Generator, hard: np.ndarray, sizes: tuple[int, int]) -> bc.Predictions:
    """Cases of which some are hard; those have `sizes[0]` images, the others `sizes[1]`."""
    case = np.repeat(np.arange(len(hard)), np.where(hard, *sizes))
    labels = generator.integers(0, 2, len(hard))[case]
    tilt = np.where(hard, 0.2, 2.0)[case]
    between, within = 0.5 * generator.normal(size=len(hard))[case], generator.normal(size=len(case))
    return make(expit(2 * ((2 * labels - 1) * tilt + between + within)), labels, case)


def one_of_each(generator: np.random.Generator, some: bc.Predictions) -> bc.Predictions:
    """Return one image of each case, drawn."""
    rows = generator.permutation(len(some))
    assert some.cases is not None
    return some[rows[np.unique(some.cases[rows].astype(str), return_index=True)[1]]]


def measure_sets(trials: int) -> dict[str, Any]:
    """Return the coverage of sets for 0.9: of one image a new case, and over all images where hard cases have most."""
    found: dict[str, Any] = {}
    for score in ("aps", "lac"):
        generator = np.random.default_rng(5)
        covered: dict[str, list[float]] = {"case": [], "image": []}
        for _ in range(trials):
            val = draw_hard_cases(generator, generator.random(30) < 0.3, (2, 20))
            new = one_of_each(generator, draw_hard_cases(generator, generator.random(60) < 0.3, (2, 20)))
            for by, shares in covered.items():
                sets = bc.decisions.fit_conformal(val, coverage=0.9, score=score, by=by).sets(new)
                shares.append(float(sets[np.arange(len(new)), new.labels].mean()))
        found[f"{score}, 30 cases, one image of each new case"] = {by: float(np.mean(x)) for by, x in covered.items()}
    generator = np.random.default_rng(8)
    over: list[tuple[float, float]] = []
    for _ in range(max(1, trials // 10)):
        val, new = (draw_hard_cases(generator, generator.random(200) < 0.12, (60, 2)) for _ in range(2))
        sets = bc.decisions.fit_conformal(val, coverage=0.9).sets(new)
        holds = sets[np.arange(len(new)), new.labels]
        codes = np.unique(np.asarray(new.cases, str), return_inverse=True)[1]
        over.append((float((np.bincount(codes, holds) / np.bincount(codes)).mean()), float(holds.mean())))
    cases, images = np.mean(over, axis=0)
    found["12% of 200 cases hard, with 60 images instead of 2"] = {"over_cases": float(cases), "images": float(images)}
    return found


def measure_p_values(trials: int, resamples: int) -> dict[str, Any]:
    """Return how often two models of the same skill get a p-value below 0.05, and an interval that leaves out 0."""
    found: dict[str, Any] = {}
    for cases, benign in ((10, 5), (20, 10), (20, 2)):
        generator = np.random.default_rng(3)
        counts: dict[str, list[bool]] = {"p_below_0.05": [], "interval_leaves_out_0": [], "percentile_leaves_out_0": []}
        for _ in range(trials):
            case = np.repeat(np.arange(cases), 8)
            labels = (case >= benign).astype(int)
            signal = 1.0 * labels + 0.7 * generator.normal(size=cases)[case]
            models = [
                make(expit(signal + 0.7 * generator.normal(size=cases)[case] + generator.normal(size=len(case)) - 0.5),
                     labels, case)
                for _ in range(2)
            ]  # fmt: skip
            for interval, name in (("expanded", "interval_leaves_out_0"), ("percentile", "percentile_leaves_out_0")):
                compared = bc.compare(models, bootstrap=Bootstrap(resamples=resamples, method=interval))
                row = compared.differences.xs("roc_auc", level="metric").iloc[0]
                counts[name].append(bool(row["low"] > 0 or row["high"] < 0))
                if interval == "expanded":
                    counts["p_below_0.05"].append(bool(row["p"] < 0.05))
        found[f"{cases} cases, {benign} benign"] = {name: float(np.mean(held)) for name, held in counts.items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    trials, resamples = arguments.trials, arguments.resamples
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "calibration": lambda: measure_calibration(trials),
        "sets": lambda: measure_sets(5 * trials),
        "p_values": lambda: measure_p_values(5 * trials, resamples),
        "verdicts": lambda: measure_verdicts(trials, resamples),
    }
    result: dict[str, Any] = {"what": "what few cases do, by simulation", "trials": trials, "resamples": resamples}
    for name, measure in measures.items():
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of few cases, which is what this is about
            result[name] = measure()
        print(f"{name}, {time.perf_counter() - began:.0f} s", flush=True)
        for design, found in result[name].items():
            print(f"    {design}: {found}", flush=True)
    write_result("few_cases", result, arguments.output)


if __name__ == "__main__":
    main()
