"""How long `evaluate` takes, and how much memory, beside a plain loop over scikit-learn calls.

Both sides bootstrap the same metrics over cases. Each side and size runs in a process of its own, so that the peak of
its memory is its own; the plain loop runs a few resamples and its time is scaled up to all of them, as the JSON says.
`python benchmarks/evaluation.py`

Growth is judged by `evaluate`, as a user meets it. The intervals alone, in a process that has done nothing else, take
three seconds or nearly six at the largest size: glibc may then give the memory of each block of resamples back to the
system, and faulting it in again takes nearly as long as the work. With `MALLOC_MMAP_THRESHOLD_=30000000` and
`MALLOC_TRIM_THRESHOLD_=100000000` it is always three.

`python benchmarks/evaluation.py --large` measures a million images and a thousand classes alone, and leaves the other
rows as they are. Its seconds are those of the processor: on a busy machine, time by the clock is that of others.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import resource
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from harness import run_in_new_process

from breastcls.environment import describe_environment
from breastcls.evaluation.evaluate import evaluate
from breastcls.files import write_text
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics, case_codes, case_strata
from breastcls.intervals.score_tables import score
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.predictions.predictions import Predictions

SIZES = (1_000, 100_000, 277_524)
CASES = 279
RESAMPLES = 2000
LOOP_RESAMPLES = 5
OURS = ("evaluate", "intervals")
MILLION = 1_000_000
LARGE = {
    "a million images of 279 cases": ("cases", MILLION, 2),
    "a million images of 100,000 cases": ("many cases", MILLION, 2),
    "a million images without cases": ("no cases", MILLION, 2),
    "3,000 images of 1,000 classes": ("classes", 3_000, 1_000),
}
LARGE_SECONDS = 60.0
TARGET_SECONDS, TARGET_MEGABYTES, TARGET_RATIO = 20.0, 1000.0, 50.0


def make_predictions(images: int) -> Predictions:
    """Draw predictions of 279 cases in which each case holds both classes, as in IDC."""
    generator = np.random.default_rng(0)
    case = np.concatenate([np.arange(CASES), generator.integers(0, CASES, images - CASES)])
    labels = (generator.random(images) < 0.28).astype(np.int64)
    logits = generator.normal(size=images) + 0.7 * generator.normal(size=CASES)[case] + 1.5 * labels - 1
    names = np.array([str(number) for number in case], dtype=object)
    return Predictions.from_arrays(
        probabilities=1 / (1 + np.exp(-logits)),
        labels=labels,
        classes=("negative", "positive"),
        cases=names,
        slides=names,
    )


def make_large(kind: str, images: int, classes: int) -> Predictions:
    """Draw predictions of two classes of few, many or no cases, or of many classes with one case per image."""
    if kind == "cases":
        return make_predictions(images)
    if kind == "no cases":
        return dataclasses.replace(make_predictions(images), cases=None, slides=None)
    generator = np.random.default_rng(0)
    case = np.arange(images) if kind == "classes" else generator.integers(0, images // 10, images)
    labels = np.arange(images) % classes
    logits = generator.normal(size=(images, classes)).astype(np.float32)
    logits[np.arange(images), labels] += 3
    shares = np.exp(logits)
    return Predictions.from_arrays(
        probabilities=shares / shares.sum(axis=1, keepdims=True),
        labels=labels,
        cases=case.astype(str).astype(object),
        classes=[f"class {number}" for number in range(classes)],
    )


def measure_large(name: str) -> dict[str, float]:
    """Run `evaluate` on one of `LARGE` in this process; time excludes making the predictions."""
    predictions = make_large(*LARGE[name])
    warnings.simplefilter("ignore")
    began, used = time.perf_counter(), time.process_time()
    evaluate(predictions, bootstrap=Bootstrap(RESAMPLES))
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - used,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def write_large(output: Path) -> None:
    """Measure `LARGE`, each in a new process, and write the rows beside those of an earlier run."""
    rows = {}
    for name in LARGE:
        rows[name] = run_in_new_process(__file__, "--side", "large", "--name", name)
        print(f"{name}: {rows[name]['processor_seconds']:.0f} s, {rows[name]['peak_megabytes']:.0f} MB", flush=True)
    before = json.loads(output.read_text(encoding="utf-8"))
    met = all(
        row["processor_seconds"] < LARGE_SECONDS and row["peak_megabytes"] < TARGET_MEGABYTES for row in rows.values()
    )
    targets = {"processor_seconds": LARGE_SECONDS, "megabytes": TARGET_MEGABYTES}
    large = {"large": {**rows, "targets": targets, "met": met}}
    write_text(output, json.dumps({**before, **large}, indent=2) + "\n")


def run_loop(predictions: Predictions, resamples: int) -> None:
    """Bootstrap as one would write it: draw cases, copy their rows, call scikit-learn."""
    codes = case_codes(predictions)
    rows_of = [np.flatnonzero(codes == case) for case in range(int(codes.max()) + 1)]
    strata = case_strata(predictions.labels, codes, 2)
    generator = np.random.default_rng(0)
    values = []
    for _ in range(resamples):
        members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
        drawn = np.concatenate([generator.choice(cases, len(cases)) for cases in members])
        values.append(compute_metrics(predictions[np.concatenate([rows_of[case] for case in drawn])]))
    np.nanquantile(np.array(values), [0.025, 0.975], axis=0)


def measure(side: str, images: int) -> dict[str, float]:
    """Run one side in this process; time excludes making the predictions."""
    predictions = make_predictions(images)
    began = time.perf_counter()
    if side == "evaluate":
        evaluate(predictions, bootstrap=Bootstrap(RESAMPLES))
    elif side == "intervals":
        score(predictions, CaseStatistics.of(predictions), Bootstrap(RESAMPLES))
    else:
        run_loop(predictions, LOOP_RESAMPLES)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "evaluation.json")
    parser.add_argument("--side", choices=[*OURS, "loop", "large"])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--name", choices=list(LARGE))
    parser.add_argument("--images", type=int, default=SIZES[0])
    arguments = parser.parse_args()
    if arguments.side == "large":
        print(json.dumps(measure_large(arguments.name)))
        return
    if arguments.large:
        write_large(arguments.output)
        return
    if arguments.side:
        print(json.dumps(measure(arguments.side, arguments.images)))
        return
    sizes: dict[str, Any] = {}
    for images in SIZES:
        sides = {
            side: run_in_new_process(__file__, "--side", side, "--images", str(images)) for side in (*OURS, "loop")
        }
        sides["loop"]["seconds_of_all_resamples"] = sides["loop"]["seconds"] * RESAMPLES / LOOP_RESAMPLES
        ratio = sides["loop"]["seconds_of_all_resamples"] / sides["intervals"]["seconds"]
        sizes[str(images)] = {**sides, "times_faster_than_loop": ratio}
        whole = sides["evaluate"]
        print(
            f"{images:>7} predictions: evaluate {whole['seconds']:.1f} s, {whole['peak_megabytes']:.0f} MB; intervals "
            f"{sides['intervals']['seconds']:.2f} s, loop "
            f"{sides['loop']['seconds_of_all_resamples']:.0f} s: {ratio:.0f} times"
        )
    grown = {side: sizes[str(SIZES[2])][side]["seconds"] / sizes[str(SIZES[1])][side]["seconds"] for side in OURS}
    growth = (SIZES[2] * math.log(SIZES[2])) / (SIZES[1] * math.log(SIZES[1]))
    largest = sizes[str(SIZES[-1])]["evaluate"]
    result = {
        "what": f"{RESAMPLES} resamples over {CASES} cases; the loop ran {LOOP_RESAMPLES} and its time was scaled up",
        "sizes": sizes,
        "growth": {**grown, "of_n_log_n": growth},
        "targets": {
            "seconds": TARGET_SECONDS,
            "megabytes": TARGET_MEGABYTES,
            "times_faster_at_100000": TARGET_RATIO,
        },
        "met": {
            "seconds": largest["seconds"] < TARGET_SECONDS,
            "megabytes": largest["peak_megabytes"] < TARGET_MEGABYTES,
            "times_faster_at_100000": sizes[str(SIZES[1])]["times_faster_than_loop"] >= TARGET_RATIO,
            "growth": grown["evaluate"] <= growth,
        },
        "environment": describe_environment(),
    }
    write_text(arguments.output, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["met"]))
    write_large(arguments.output)


if __name__ == "__main__":
    main()
