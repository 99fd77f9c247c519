"""The class of each slide or case, seen from its images."""

from __future__ import annotations

import dataclasses

from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.grouped_rows import group_rows, label_groups, label_ranges
from breastcls.predictions.predictions import Predictions


def scored_images(predictions: Predictions, aggregation: Aggregation) -> Predictions:
    """Return the images behind what is scored, each with the class of its slide or case.

    Those of slides or cases that `mixed_labels` drops are left out.
    """
    level = aggregation.level
    if level == predictions.level:
        return predictions
    groups = group_rows(level, predictions.cases, predictions.slides)
    labels, kept = label_groups(
        predictions.labels,
        groups,
        classes=predictions.classes,
        level=level,
        mixed_labels=aggregation.mixed_labels,
    )
    relabelled = dataclasses.replace(predictions, labels=labels[groups])
    return relabelled if kept.all() else relabelled[kept[groups]]


def mixed_units(predictions: Predictions, level: str) -> tuple[int, int]:
    """Return how many slides or cases hold images of several classes, and how many there are."""
    low, high = label_ranges(predictions.labels, group_rows(level, predictions.cases, predictions.slides))
    return int((low != high).sum()), len(low)
