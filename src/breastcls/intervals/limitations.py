"""What to keep in mind with the numbers, in plain sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.intervals.case_statistics import case_codes, share_that_stays
from breastcls.intervals.zero_width import find_zero_width
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.repeated_paths import describe_repeats
from breastcls.predictions.unit_labels import mixed_units, scored_images

FEW_CASES = 5
LEAKING = "Training and test images are not independent: these scores are too good for new cases."
NO_CASES = (
    "Cases are not known, so every image counts as its own: intervals are too narrow if cases have several images."
)
# Ways to join images whose results are no probabilities, and what they are.
NO_PROBABILITIES = {"majority": "shares of votes", "maximum": "the highest among the images"}
PATIENT_RATE = "patient_recognition_rate"
# The column of the tables of groups that says on how few cases the figures of a group rest.
RAREST = "cases_of_rarest_class"


def few_cases(counts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each class that was scored on fewer than five cases."""
    sentences = []
    for name, of_class in counts["classes"].items():
        cases = of_class["cases"]
        if 0 < cases < FEW_CASES:
            one = "1 case" if cases == 1 else f"{cases} cases"
            also = "it cannot tell how other cases of it would fare" if cases == 1 else "it is likely too narrow"
            sentences.append(f"The class {name} has only {one} that were scored: take its interval with care, {also}.")
    return tuple(sentences)


def few_cases_in_groups(groups: Mapping[str, pd.DataFrame | None]) -> tuple[str, ...]:
    """Return a sentence that counts the groups in which a class has fewer than five cases, if there are any.

    Args:
        groups: By what the rows of a table are, such as "magnification", tables as `score_groups` returns.
    """
    named = []
    for what, table in groups.items():
        if table is not None and RAREST in table:
            few = int((table[RAREST] < FEW_CASES).sum())
            named += [f"by {what} {few} of {len(table)}"] if few else []
    if not named:
        return ()
    return (
        f"In some groups a class has fewer than five cases: {', '.join(named)} (the tables say which). Take the "
        "intervals of these groups with care, they are likely too narrow.",
    )


def find_ood_limitations(test: npt.NDArray[Any] | None, ood: npt.NDArray[Any] | None) -> tuple[str, ...]:
    """Return a sentence for each set that has few cases, or no known cases, in out-of-distribution detection.

    Args:
        test: (n,) the case of each in-distribution test image, or None.
        ood: (m,) the case of each out-of-distribution image, or None.
    """
    sentences = []
    for images, cases in (("in-distribution images", test), ("out-of-distribution images", ood)):
        count = 0 if cases is None else len(set(cases.tolist()))
        if cases is None:
            sentences.append(
                f"The cases of the {images} are not known, so every image counts as its own case: the confidence "
                "intervals of out-of-distribution detection are too narrow if cases have several images."
            )
        elif count == 1:
            sentences.append(
                f"The {images} are all of one case: out-of-distribution detection has no confidence interval, since "
                "one case does not show how much cases vary."
            )
        elif count < FEW_CASES:
            sentences.append(
                f"The {images} are of only {count} cases: the confidence intervals of out-of-distribution detection "
                "are likely too narrow."
            )
    return tuple(sentences)


def describe_cases(predictions: Predictions, scored: Predictions, counts: Mapping[str, Any]) -> list[str]:
    """Return what has to be said of how many cases there are, in all and of each class; see `find_limitations`."""
    limitations: list[str] = []
    absent = [name for name, of_class in counts["classes"].items() if of_class["images"] == 0]
    if absent:
        whole = scored.level == predictions.level
        missed = f"The test set holds no {predictions.level}" if whole else f"No {scored.level} that was scored is"
        limitations.append(
            f"{missed} of {', '.join(absent)}: figures that need it are not defined, means over classes are over the "
            "others."
        )
    if counts["cases"] == 1:
        limitations.append(
            "All images scored are of one case: no interval can be given, since nothing is known of other cases."
        )
    if predictions.cases is None:
        limitations.append(NO_CASES)
    else:
        limitations += few_cases(counts)
        limitations += _always_drawn(scored, counts)
    return limitations


def find_limitations(
    predictions: Predictions,
    scored: Predictions,
    metrics: pd.DataFrame,
    counts: Mapping[str, Any],
    leaking: bool,
    *,
    aggregation: Aggregation | Level = "image",
    joined: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the limitations of an evaluation.

    Args:
        predictions: By image.
        scored: At the level that was scored.
        metrics: The figures.
        counts: What was scored, as `count_units` returns.
        leaking: Whether training and test are not independent.
        aggregation: How images were aggregated; its level is that of `scored`.
        joined: The levels that figures were given for by joining images.
    """
    aggregation = Aggregation.of(aggregation)
    limitations: list[str] = []
    if leaking:
        limitations.append(LEAKING)
    limitations += describe_cases(predictions, scored, counts)
    limitations += describe_repeats(predictions.paths)
    limitations += _slides_missing(predictions, scored)
    limitations += _several_classes(predictions, aggregation, joined)
    decided = set(np.unique(scored.decisions).tolist())
    never = [name for index, name in enumerate(scored.classes) if index not in decided]
    if never:
        limitations.append(f"The model never decided for {', '.join(never)}: its precision counts as 0.")
    if scored.level != predictions.level:
        limitations.append(
            f"Scored by {scored.level}: {len(scored)} {scored.level}s stand for {counts['images']} images."
        )
    if predictions.aggregation_method is None:
        limitations += _no_probabilities(scored, aggregation.method, joined)
    else:
        limitations += _no_probabilities(scored, predictions.aggregation_method, [predictions.level])
    missing = metrics["value"].notna() & metrics["low"].isna()
    if predictions.cases is None and PATIENT_RATE in metrics.index and missing[PATIENT_RATE]:
        # A slide would span several cases, were each image its own.
        missing[PATIENT_RATE] = False
        limitations.append(f"No interval can be given for {PATIENT_RATE}: cases are not known.")
    return (*limitations, *_without_interval(metrics.index[missing], counts))


def find_paired_limitations(reference: Predictions, scores: pd.DataFrame, counts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the limitations of scores beside those of a reference, on the same images.

    Args:
        reference: What the others are measured against, by image.
        scores: Its own scores, as `score_against` returns.
        counts: What it holds, as `count_units` returns.
    """
    missing = scores.index[scores["value"].notna() & scores["low"].isna()]
    return (
        *describe_cases(reference, reference, counts),
        *describe_repeats(reference.paths),
        *_without_interval(missing, counts),
        *find_zero_width(scores, {}),
    )


def _without_interval(metrics: pd.Index, counts: Mapping[str, Any]) -> list[str]:
    """Say of which metrics there is no interval, where not all have none."""
    if metrics.empty or counts["cases"] == 1:
        return []
    return [f"No interval can be given for {', '.join(map(str, metrics))}: too few cases alike."]


def _always_drawn(scored: Predictions, counts: Mapping[str, Any]) -> list[str]:
    """Say how much hangs on cases that no resample can do without."""
    share = share_that_stays(scored.labels, case_codes(scored), len(scored.classes))
    if share == 0 or counts["cases"] == 1:
        return []
    return [
        f"{100 * share:.0f}% of the {scored.level}s are of cases that are the only one of a class: every resample "
        "holds them, so the intervals say nothing of how other such cases would fare and are too narrow."
    ]


def _slides_missing(predictions: Predictions, scored: Predictions) -> list[str]:
    """Say why there is no patient recognition rate, where there is none."""
    if predictions.slides is None:
        return ["Slides are not known, so there is no patient recognition rate."]
    unknown = int((predictions.slides == "").sum())
    if unknown:
        return [
            f"The slide of {unknown} of {len(predictions)} {predictions.level}s is not known, so there is no patient "
            "recognition rate."
        ]
    if scored.slides is None or (scored.slides == "").any():
        return [f"A {scored.level} may have several slides, so by {scored.level} there is no patient recognition rate."]
    return []


def _several_classes(predictions: Predictions, aggregation: Aggregation, joined: Sequence[str]) -> list[str]:
    """Say of how many slides and cases of several classes something was made, as the caller asked."""
    sentences = []
    for level in joined if aggregation.mixed_labels != "error" else ():
        several, units = mixed_units(predictions, level)
        if several and aggregation.mixed_labels == "drop":
            left = len(predictions) - len(scored_images(predictions, dataclasses.replace(aggregation, level=level)))
            sentences.append(
                f"{several} of {units} {level}s hold images of several classes and were left out, and with them {left} "
                f"of {len(predictions)} images."
            )
        elif several:
            taken = predictions.classes[-1] if len(predictions.classes) == 2 else "the last of their classes"
            sentences.append(f"{several} of {units} {level}s hold images of several classes and count as {taken}.")
    return sentences


def _no_probabilities(scored: Predictions, method: str, joined: Sequence[str]) -> list[str]:
    """Say that votes and maxima are no probabilities, and how many votes were drawn."""
    if method not in NO_PROBABILITIES or not joined:
        return []
    sentences = [
        f"By {' and by '.join(joined)} the values are {NO_PROBABILITIES[method]}, not probabilities: Brier score, log "
        "loss, calibration and decision curve do not mean of them what they mean of probabilities."
    ]
    highest = np.sort(scored.probabilities, axis=1)
    drawn = int((highest[:, -1] == highest[:, -2]).sum())
    if scored.aggregation_method == "majority" and drawn:
        taken = scored.classes[-1] if len(scored.classes) == 2 else "the first of the classes with most votes"
        sentences.append(f"The vote of {drawn} of {len(scored)} {scored.level}s is drawn; they are called {taken}.")
    return sentences
