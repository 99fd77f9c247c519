"""Metrics with confidence intervals: of the whole test set, by class, by group and by level."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics, case_codes
from breastcls.intervals.limitations import RAREST
from breastcls.intervals.metric_bounds import bound_classes, bound_metrics
from breastcls.intervals.metric_support import count_class_support, count_support
from breastcls.intervals.minimum_cases import CASES_NOT_KNOWN, Bounds
from breastcls.metrics.classification_metrics import METRICS, PER_CLASS, compute_metrics, slide_codes
from breastcls.predictions.aggregation import LEVELS, Aggregation, Level
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.unit_labels import mixed_units

SHOWN = ("accuracy", "balanced_accuracy", "roc_auc")


def count_units(predictions: Predictions) -> dict[str, Any]:
    """Return the number of images, slides (None if unknown) and cases of the rows, in all and of each class.

    Without cases every row counts as its own case.
    """
    slides = slide_codes(predictions)
    codes = case_codes(predictions)
    classes = {}
    for index, name in enumerate(predictions.classes):
        inside = predictions.labels == index
        classes[name] = {"images": int(inside.sum()), "cases": int(np.unique(codes[inside]).size)}
    return {
        "images": len(predictions),
        "slides": None if slides is None else int(slides.max()) + 1,
        "cases": int(codes.max()) + 1,
        "classes": classes,
    }


def score_with_classes(
    predictions: Predictions, statistics: CaseStatistics, bootstrap: Bootstrap
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of `score`, and one with `PER_CLASS` of each class with intervals, and its images and cases.

    Both are computed from the same resamples.
    """
    of_metrics, of_classes = bootstrap.intervals_of(
        statistics.compute_with_classes,
        statistics.strata,
        [count_support(METRICS, statistics.holds), count_class_support(PER_CLASS, statistics.holds).reshape(-1)],
    )
    return (
        _metric_table(predictions, statistics, of_metrics, bootstrap.confidence),
        _class_table(predictions, statistics, of_classes, bootstrap.confidence),
    )


def _class_table(
    predictions: Predictions, statistics: CaseStatistics, bounds: Bounds, confidence: float
) -> pd.DataFrame:
    point = statistics.compute_classes(np.ones((1, len(statistics.strata))))[0]
    bounds = bound_classes(bounds, predictions, statistics, confidence)
    counts = count_units(predictions)["classes"]
    rows = []
    for index, name in enumerate(predictions.classes):
        row: dict[str, Any] = {}
        for offset, metric in enumerate(PER_CLASS):
            place = index * len(PER_CLASS) + offset
            row |= wide_score(metric, [point[place], *(part[place] for part in bounds)])
        rows.append(row | counts[name])
    return pd.DataFrame(rows, index=pd.Index(predictions.classes, name="class"))


def score_groups(
    predictions: Predictions, groups: npt.NDArray[Any] | None, missing: Any, name: str, bootstrap: Bootstrap
) -> pd.DataFrame | None:
    """Return counts and `SHOWN` metrics with intervals of each group, groups in sorted order.

    The counts are `images`, `slides`, `cases`, and `cases_of_rarest_class`: of the
    classes in the group, the number of cases of the one with the fewest, on which the width of the intervals depends.

    Args:
        predictions: All rows.
        groups: (n,) the group of each row, or None.
        missing: The value of rows that belong to no group; they are excluded.
        name: Name of the index.
        bootstrap: How confidence intervals are computed, in each group over its own cases. Where each case has one row,
            accuracy has a Wilson interval.

    Returns:
        The table, or None where no row belongs to a group.
    """
    if groups is None:
        return None
    present = [group for group in np.unique(groups) if group != missing]
    if not present:
        return None
    rows = []
    for group in present:
        part = predictions[groups == group]
        counts = count_units(part)
        row: dict[str, Any] = {unit: counts[unit] for unit in ("images", "slides", "cases")}
        row[RAREST] = min(of["cases"] for of in counts["classes"].values() if of["images"])
        # One class alone cannot be ranked.
        table = score(part, CaseStatistics.of(part, rank=bool(np.unique(part.labels).size > 1)), bootstrap)
        for metric in SHOWN:
            row |= wide_score(metric, table.loc[metric])
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index([_native(group) for group in present], name=name))


def score_levels(
    predictions: Predictions,
    bootstrap: Bootstrap,
    aggregation: Aggregation | Level = "image",
    known: Mapping[str, pd.DataFrame] | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return every metric by image, slide and case, with its limitations.

    A level whose units are not known is skipped. Units that hold images of several classes have no class of their own:
    where the caller has not said what to make of them, they are excluded from that level, and a sentence says how many.

    Args:
        predictions: By image, or by slide or case: then of that level only.
        bootstrap: How confidence intervals are computed, over cases at every level.
        aggregation: How images are aggregated, whatever its level.
        known: Metrics of levels that are scored already.

    Returns:
        The table, index `(level, metric)`, columns `value`, `low`, `high`, and sentences.
    """
    aggregation = Aggregation.of(aggregation)
    tables, sentences = {}, []
    for level in LEVELS if predictions.level == "image" else (predictions.level,):
        names = {"slide": predictions.slides, "case": predictions.cases}.get(level)
        if level != predictions.level and (names is None or (names == "").any()):
            continue
        if known is not None and level in known:
            tables[level] = known[level]
            continue
        several, units = mixed_units(predictions, level) if level != predictions.level else (0, len(predictions))
        none_left = several == units and aggregation.mixed_labels != "last"
        if none_left or (several and aggregation.mixed_labels == "error"):
            left = f"there are no metrics by {level}" if none_left else f"they are left out of the metrics by {level}"
            sentences.append(f"{several} of {units} {level}s hold images of several classes: {left}.")
            if none_left:
                continue
        kept = "drop" if aggregation.mixed_labels == "error" else aggregation.mixed_labels
        scored = predictions.aggregate(dataclasses.replace(aggregation, level=level, mixed_labels=kept))
        tables[level] = score(scored, CaseStatistics.of(scored), bootstrap)
    return pd.concat(tables, names=["level", "metric"]), tuple(sentences)


def score(predictions: Predictions, statistics: CaseStatistics, bootstrap: Bootstrap) -> pd.DataFrame:
    """Return every metric with its confidence interval: index metric, columns `value`, `low`, `high`, `reason`.

    Intervals are those of the bootstrap, or of `bound_metrics` where it has none; `reason` is why there is none at all
    (see `breastcls.intervals.minimum_cases`), else "".
    """
    support = count_support(METRICS, statistics.holds)
    bounds = bootstrap.intervals(statistics.compute, statistics.strata, support)
    return _metric_table(predictions, statistics, bounds, bootstrap.confidence)


def _metric_table(
    predictions: Predictions, statistics: CaseStatistics, bounds: Bounds, confidence: float
) -> pd.DataFrame:
    values = compute_metrics(predictions)
    bounds = bound_metrics(bounds, values.to_numpy(), predictions, statistics, confidence)
    table = pd.DataFrame({"value": values, **bounds._asdict()})
    if predictions.cases is None and np.isfinite(values["patient_recognition_rate"]):
        # A slide would span several cases, were each image its own.
        table.loc["patient_recognition_rate", "reason"] = CASES_NOT_KNOWN
    return table


def wide_score(metric: str, score: Any) -> dict[str, Any]:
    """Return a value with its bounds and the reason why there are none as columns of a wide table.

    Example:
        >>> wide_score("f1", [0.5, 0.4, 0.6, ""])
        {'f1': 0.5, 'f1_low': 0.4, 'f1_high': 0.6, 'f1_reason': ''}
    """
    return dict(zip((metric, f"{metric}_low", f"{metric}_high", f"{metric}_reason"), score, strict=True))


def _native(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
