"""The limitations of metrics and their confidence intervals, as sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.intervals.minimum_cases import CASES_NOT_KNOWN, FEW_CASES, MIN_CASES, NO_ERRORS, NO_VARIATION
from breastcls.metrics.number_format import format_count, join_words
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.repeated_paths import describe_repeats
from breastcls.predictions.unit_labels import mixed_units, scored_images

LEAKING = "Training and test images are not independent: these scores are too optimistic for new cases."
NO_IMAGES = "The data are vectors without image files, so that these sections were not computed"
NO_CASES = (
    "Cases are not known, so every image counts as its own: confidence intervals are too narrow if cases have several "
    "images."
)
# Methods of aggregation whose values are no probabilities, and what these are.
NO_PROBABILITIES = {"majority": "shares of votes", "maximum": "the highest among the images"}
PATIENT_RATE = "patient_recognition_rate"
# The column of the tables of groups with the number of cases of the class with the fewest.
RAREST = "cases_of_rarest_class"
# Of more classes than this, one sentence counts them and names the first three.
_NAMED = 6


def few_cases(counts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence per class that was scored on fewer than five cases; of many classes one that counts them."""
    scored = {name: of_class["cases"] for name, of_class in counts["classes"].items()}
    sentences: list[str] = []
    counted: set[str] = set()
    for most, what in (
        (MIN_CASES, "are not estimable, and their values may be due to chance"),
        (FEW_CASES, "have to be interpreted with care, they are likely too narrow"),
    ):
        few = [name for name, cases in scored.items() if 0 < cases < most and name not in counted]
        if len(few) > _NAMED:
            sentences.append(
                f"{len(few):,} of {len(scored):,} classes have fewer than {most} cases scored, such as "
                f"{join_words(few[:3])}: confidence intervals of metrics that depend on them {what}."
            )
            counted |= set(few)
    for name in [name for name in scored if name not in counted]:
        cases = scored[name]
        if 0 < cases < MIN_CASES:
            sentences.append(
                f"The class {name} has only {format_count(cases, 'case')} scored: confidence intervals of metrics that "
                f"depend on it are not estimable from fewer than {MIN_CASES}, and their values may be due to chance."
            )
        elif 0 < cases < FEW_CASES:
            sentences.append(
                f"The class {name} has only {cases} cases scored: interpret confidence intervals of metrics that "
                "depend on it with care. Those of MCC, average precision, Brier score, log loss and calibration errors "
                f"are not estimable from fewer than {FEW_CASES}."
            )
    return tuple(sentences)


def classes_not_estimable(counts: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of cases of each class that has too few for a confidence interval.

    Args:
        counts: What was scored, as `count_units` returns.
    """
    cases = {str(name): int(of["cases"]) for name, of in counts["classes"].items()}
    return {name: count for name, count in cases.items() if 0 < count < MIN_CASES}


def not_estimable_sentence(counts: Mapping[str, Any]) -> str:
    """Return why confidence intervals are not estimable, or "" where each class has enough cases.

    Example:
        >>> not_estimable_sentence({"classes": {"benign": {"cases": 1}, "malignant": {"cases": 9}}})
        'Confidence intervals are not estimable: only 1 case of benign was scored, and 3 of each class are needed.'
    """
    few = classes_not_estimable(counts)
    if not few:
        return ""
    each = [f"{format_count(count, 'case')} of {name}" for name, count in few.items()]
    named = join_words(each if len(each) <= _NAMED else [*each[:3], f"fewer than {MIN_CASES} of {len(each) - 3} more"])
    were = "was" if sum(few.values()) == 1 else "were"
    return (
        f"Confidence intervals are not estimable: only {named} {were} scored, and {MIN_CASES} of each class are needed."
    )


def absent_classes_sentence(counts: Mapping[str, Any]) -> str:
    """Return which classes have no image, so that metrics of all classes are not defined; "" where each has one.

    Args:
        counts: What was scored, as `count_units` returns.

    Example:
        >>> absent_classes_sentence({"classes": {"benign": {"images": 0}, "malignant": {"images": 9}}})
        'No image of benign was scored, so balanced accuracy and ROC AUC are not defined.'
        >>> absent_classes_sentence({"classes": {"A": {"images": 3}, "F": {"images": 0}, "PT": {"images": 9}}})
        'No image of F was scored, so the values are those of 2 of 3 classes.'
    """
    images = {str(name): of["images"] for name, of in counts["classes"].items()}
    absent = [name for name, count in images.items() if not count]
    if not absent:
        return ""
    left = len(images) - len(absent)
    what = (
        "balanced accuracy and ROC AUC are not defined"
        if left < 2
        else f"the values are those of {left} of {len(images)} classes"
    )
    return f"No image of {_shorten(absent)} was scored, so {what}."


def few_cases_in_groups(groups: Mapping[str, pd.DataFrame | None]) -> tuple[str, ...]:
    """Return a sentence that counts the groups in which a class has fewer than five cases, if there are any.

    Args:
        groups: Tables as `score_groups` returns, by the name of their rows, such as "magnification".
    """
    named = []
    for what, table in groups.items():
        if table is not None and RAREST in table:
            few = int((table[RAREST] < FEW_CASES).sum())
            named += [f"by {what} {few} of {len(table)}"] if few else []
    if not named:
        return ()
    return (
        f"In some groups a class has fewer than {FEW_CASES} cases: {', '.join(named)} (see the tables). Their "
        f"confidence intervals are likely too narrow, and below {MIN_CASES} cases not estimable.",
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
        elif count < MIN_CASES:
            sentences.append(
                f"The {images} are of only {format_count(count, 'case')}: the confidence intervals of out-of-"
                f"distribution detection are not estimable from fewer than {MIN_CASES}."
            )
        elif count < FEW_CASES:
            sentences.append(
                f"The {images} are of only {count} cases: the confidence intervals of out-of-distribution detection "
                "are likely too narrow."
            )
    return tuple(sentences)


def describe_cases(predictions: Predictions, scored: Predictions, counts: Mapping[str, Any]) -> list[str]:
    """Return the limitations by the number of cases, in all and of each class; see `find_limitations`."""
    limitations: list[str] = []
    absent = [name for name, of_class in counts["classes"].items() if of_class["images"] == 0]
    if absent:
        whole = scored.level == predictions.level
        absent_from = f"The test set holds no {predictions.level}" if whole else f"No {scored.level} that was scored is"
        limitations.append(
            f"{absent_from} of {_shorten(absent)}: metrics that need it are not defined, and means over classes "
            "exclude it."
        )
    if predictions.cases is None:
        limitations.append(NO_CASES)
    else:
        limitations += few_cases(counts)
    return limitations


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) <= _NAMED else [*names[:3], f"and {len(names) - 3} more"])


def find_limitations(
    predictions: Predictions,
    scored: Predictions,
    metrics: pd.DataFrame,
    counts: Mapping[str, Any],
    leaking: bool,
    *,
    aggregation: Aggregation | Level = "image",
    joined: Sequence[Level] = (),
) -> tuple[str, ...]:
    """Return the limitations of an evaluation.

    Args:
        predictions: By image.
        scored: At the level that was scored.
        metrics: Index metric, columns `value` and `reason`.
        counts: What was scored, as `count_units` returns.
        leaking: Whether training and test are not independent.
        aggregation: How images were aggregated; its level is that of `scored`.
        joined: The levels whose metrics are of aggregated images.
    """
    aggregation = Aggregation.of(aggregation)
    limitations: list[str] = []
    if leaking:
        limitations.append(LEAKING)
    limitations += describe_cases(predictions, scored, counts)
    limitations += describe_repeats(predictions.paths, predictions.relative_paths)
    limitations += _slides_missing(predictions, scored)
    limitations += _several_classes(predictions, aggregation, joined)
    predicted = set(np.unique(scored.decisions).tolist())
    never = [name for index, name in enumerate(scored.classes) if index not in predicted]
    if never:
        limitations.append(f"The model never predicted {', '.join(never)}: its precision is set to 0.")
    if len(scored) > 1 and (scored.probabilities == scored.probabilities[0]).all():
        limitations.append(
            f"Every {scored.level} has the same probabilities: the model does not distinguish the {scored.level}s."
        )
    if scored.level != predictions.level:
        limitations.append(
            f"Scored by {scored.level}: {format_count(len(scored), scored.level)}, aggregated from "
            f"{format_count(counts['images'], 'image')}."
        )
    if predictions.aggregation_method is None:
        limitations += _no_probabilities(scored, aggregation.method, joined)
    else:
        limitations += _no_probabilities(scored, predictions.aggregation_method, [predictions.level])
    if PATIENT_RATE in metrics.index and metrics.loc[PATIENT_RATE, "reason"] == CASES_NOT_KNOWN:
        limitations.append(f"There is no confidence interval of {PATIENT_RATE}: cases are not known.")
    return (*limitations, *_without_variation(metrics))


def find_paired_limitations(reference: Predictions, scores: pd.DataFrame, counts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the limitations of scores compared with those of a reference, on the same images.

    Args:
        reference: The predictions compared with, by image.
        scores: Its own scores, as `score_against` returns.
        counts: Its images and cases, as `count_units` returns.
    """
    return (
        *describe_cases(reference, reference, counts),
        *describe_repeats(reference.paths, reference.relative_paths),
        *_without_variation(scores),
    )


def _without_variation(metrics: pd.DataFrame) -> list[str]:
    """Return a sentence per reason on the metrics that vary too little for a confidence interval."""
    sentences = []
    errors = metrics.index[metrics["reason"] == NO_ERRORS]
    same = metrics.index[metrics["reason"] == NO_VARIATION]
    if len(errors):
        # Where nothing is misclassified, what does not vary has the same cause.
        names = [str(name) for name in metrics.index if name in same or name in errors]
        sentences.append(
            f"The confidence interval of {', '.join(names)} is not estimable: no image is misclassified. This does not "
            "mean certainty: with no error in n cases the error rate may be up to about 3/n."
        )
    elif len(same):
        sentences.append(
            f"The confidence interval of {', '.join(map(str, same))} is not estimable: every resample of the cases has "
            "the same value. This does not mean certainty: other cases may have another value."
        )
    return sentences


def _slides_missing(predictions: Predictions, scored: Predictions) -> list[str]:
    """Return why the patient recognition rate is not defined, where it is not."""
    if predictions.slides is None:
        return ["Slides are not known, so the patient recognition rate is not defined."]
    unknown = int((predictions.slides == "").sum())
    if unknown:
        return [
            f"The slide of {unknown} of {len(predictions)} {predictions.level}s is not known, so the patient "
            "recognition rate is not defined."
        ]
    if scored.slides is None or (scored.slides == "").any():
        return [
            f"A {scored.level} may have several slides, so by {scored.level} the patient recognition rate is not "
            "defined."
        ]
    return []


def _several_classes(predictions: Predictions, aggregation: Aggregation, joined: Sequence[Level]) -> list[str]:
    """Return how many slides and cases of several classes were excluded or labelled, as the caller chose."""
    sentences = []
    for level in joined if aggregation.mixed_labels != "error" else ():
        several, units = mixed_units(predictions, level)
        if several and aggregation.mixed_labels == "drop":
            left = len(predictions) - len(scored_images(predictions, dataclasses.replace(aggregation, level=level)))
            sentences.append(
                f"{several} of {units} {level}s hold images of several classes and were excluded, with {left} of "
                f"{len(predictions)} images."
            )
        elif several:
            taken = predictions.classes[-1] if len(predictions.classes) == 2 else "as the last of their classes"
            sentences.append(f"{several} of {units} {level}s hold images of several classes and were labelled {taken}.")
    return sentences


def _no_probabilities(scored: Predictions, method: str, joined: Sequence[Level]) -> list[str]:
    """Return that votes and maxima are no probabilities, and the number of tied votes."""
    if method not in NO_PROBABILITIES or not joined:
        return []
    sentences = [
        f"By {' and by '.join(joined)} the values are {NO_PROBABILITIES[method]}, not probabilities: Brier score, log "
        "loss, calibration and decision curve do not have their usual meaning."
    ]
    highest = np.sort(scored.probabilities, axis=1)
    tied = int((highest[:, -1] == highest[:, -2]).sum())
    if scored.aggregation_method == "majority" and tied:
        predicted = scored.classes[-1] if len(scored.classes) == 2 else "the first of the classes with most votes"
        sentences.append(
            f"The vote of {tied} of {len(scored)} {scored.level}s is tied; they are predicted as {predicted}."
        )
    return sentences
