"""Counts, sums and rankings by case, from which a bootstrap over cases computes every metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.intervals.weighted_counts import WeightedCounts, are_many_of_one_row
from breastcls.metrics.classification_metrics import (
    METRICS,
    PER_CLASS,
    ClassCounts,
    log_losses,
    per_class_metrics,
    require_labels,
    slide_codes,
    squared_errors,
)
from breastcls.metrics.division import divide
from breastcls.metrics.weighted_ranking import Ranking
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
# With more classes the cells of the confusion matrix are too many.
MOST_CLASSES_IN_CELLS = 20


def case_codes(predictions: Predictions) -> Integers:
    """Return the index of each row's case, int64 (n,); without cases every row is its own."""
    if predictions.cases is None:
        return np.arange(len(predictions), dtype=np.int64)
    return pd.factorize(predictions.cases)[0].astype(np.int64)


def case_strata(labels: Integers, codes: Integers, classes: int) -> Integers:
    """Return the stratum of each case, int64 (cases,): cases are drawn within their stratum.

    Cases of one class share a stratum. Those of several are with others whose rarest class (the one that the fewest
    cases hold) is the same: nearly every resample then holds every class, and a
    rare class is represented by all cases that hold it. A stratum for each exact set of classes would not work: where
    every image has its own label, each case may have its own set, and a case alone in its stratum is in every resample
    and does not contribute to the variance.

    A case that would be alone joins the largest stratum, unless it is the only one of a class: then it stays alone,
    since every resample needs it. A resample may thus, rarely, lack a class; metrics that need it are then not defined.

    Args:
        labels: int64 (n,), the class of each row.
        codes: int64 (n,), index of the case of each row.
        classes: Number of classes.
    """
    holds = classes_held(labels, codes, classes)
    holders = np.where(holds, holds.sum(axis=0), len(holds) + 1)
    several = holds.sum(axis=1) > 1
    # The order of the strata is that of the random draws.
    strata = _number(np.where(several, 2 * classes, classes) - holders.argmin(axis=1))
    sizes, only = np.bincount(strata), _only_of_a_class(holds)
    lone = (sizes[strata] == 1) & ~only
    if lone.any():
        sizes[strata[only]] = 0
        strata = _number(np.where(lone, sizes.argmax(), strata))
    return strata


def classes_held(labels: Integers, codes: Integers, classes: int) -> npt.NDArray[np.bool_]:
    """Return whether each case has rows of each class, bool (cases, classes)."""
    holds = np.zeros((int(codes.max()) + 1, classes), dtype=bool)
    holds[codes, labels] = True
    return holds


def _only_of_a_class(holds: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return np.asarray((holds & (holds.sum(axis=0) == 1)).any(axis=1))


def _number(keys: npt.NDArray[Any]) -> Integers:
    return np.unique(keys, return_inverse=True)[1].reshape(-1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class CaseStatistics:
    """Counts and sums by case; every metric of a weighted set of cases follows from them.

    Attributes:
        codes: int64 (n,), index of the case of each row.
        strata: int64 (cases,), see `case_strata`.
        counts: Each float64 (cases, classes). The whole confusion matrix of each case would need the square of that.
        confusion: The cells of the confusion matrix, from which many cases of one row each are counted; else None.
        squared_errors: float64 (cases,), sum over the case's rows.
        log_losses: float64 (cases,), sum over the case's rows.
        slide_scores: float64 (cases,), sum over its slides of the proportion of correct rows; None without slides.
        slides: float64 (cases,), number of slides; None without slides.
        rankings: One for the positive class of two, else one per class.
    """

    codes: Integers
    strata: Integers
    counts: ClassCounts
    confusion: WeightedCounts | None
    squared_errors: Floats
    log_losses: Floats
    slide_scores: Floats | None
    slides: Floats | None
    rankings: tuple[Ranking, ...]

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.counts.true)

    @property
    def holds(self) -> npt.NDArray[np.bool_]:
        """Whether a case has rows of a class, bool (cases, classes)."""
        return np.asarray(self.counts.true > 0)

    @property
    def other_cases(self) -> Integers:
        """The number of cases with rows of another class than each class, int64 (classes,)."""
        images = self.counts.true
        return np.asarray((images.sum(axis=1, keepdims=True) - images > 0).sum(axis=0))

    @classmethod
    def of(cls, predictions: Predictions, *, rank: bool = True) -> CaseStatistics:
        """Count predictions; without `rank`, AUC and average precision are NaN."""
        require_labels(predictions)
        codes = case_codes(predictions)
        cases, classes = int(codes.max()) + 1, len(predictions.classes)
        labels, predicted = predictions.labels, predictions.decisions
        hit = labels == predicted
        cells = [codes[hit] * classes + labels[hit], codes * classes + labels, codes * classes + predicted]
        counted = (np.bincount(cell, minlength=cases * classes).astype(np.float64) for cell in cells)
        slide_scores: Floats | None = None
        slides: Floats | None = None
        slide_of_row = slide_codes(predictions)
        if slide_of_row is not None:
            # Without cases each row is its own case, so a slide would span several cases.
            scores = np.bincount(slide_of_row, weights=(predicted == labels)) / np.bincount(slide_of_row)
            case_of_slide = codes[np.unique(slide_of_row, return_index=True)[1]]
            if predictions.cases is not None:
                slide_scores = _sum(case_of_slide, scores, cases)
                slides = _sum(case_of_slide, np.ones(len(scores)), cases)
        confusion = None
        if classes <= MOST_CLASSES_IN_CELLS and are_many_of_one_row(codes, cases):
            confusion = WeightedCounts(labels * classes + predicted, codes, classes**2, cases)
        ranked: Sequence[int] = () if not rank else (1,) if classes == 2 else range(classes)
        return cls(
            codes=codes,
            strata=case_strata(labels, codes, classes),
            counts=ClassCounts(*(part.reshape(cases, classes) for part in counted)),
            confusion=confusion,
            squared_errors=_sum(codes, squared_errors(predictions), cases),
            log_losses=_sum(codes, log_losses(predictions), cases),
            slide_scores=slide_scores,
            slides=slides,
            rankings=tuple(
                Ranking(predictions.probabilities[:, index], labels == index, codes, cases) for index in ranked
            ),
        )

    def weigh(self, weights: Floats) -> ClassCounts:
        """Return the counts of each weighting of the cases, each (resamples, classes)."""
        if self.confusion is None:
            return ClassCounts(*(weights @ part for part in self.counts))
        classes = self.counts.true.shape[1]
        return ClassCounts.of(self.confusion.weigh(weights).reshape(len(weights), classes, classes))

    def compute(self, weights: Floats) -> Floats:
        """Return `METRICS` of each weighting of the cases.

        Args:
            weights: float64 (resamples, cases), whole numbers: the weight of each case.

        Returns:
            float64 (resamples, metrics), in the order of `METRICS`; NaN where a metric is not defined, and where it
            compares classes and a class that the cases hold has no weight: a mean over the remaining classes would be
            another metric.
        """
        return self._compute(weights, self.weigh(weights))

    def compute_classes(self, weights: Floats) -> Floats:
        """Return `PER_CLASS` of each class, (resamples, classes x metrics), the metric as the fastest index."""
        return _compute_classes(self.weigh(weights))

    def compute_with_classes(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return what `compute` and `compute_classes` return."""
        counts = self.weigh(weights)
        return self._compute(weights, counts), _compute_classes(counts)

    def _compute(self, weights: Floats, counts: ClassCounts) -> Floats:
        held = self.holds.any(axis=0)
        complete = (counts.true[:, held] > 0).all(axis=1) & (held.sum() > 1)
        values = _decision_metrics(counts, complete)
        images = counts.true.sum(axis=1)
        values["brier"] = weights @ self.squared_errors / images
        values["log_loss"] = weights @ self.log_losses / images
        nothing = np.full(len(weights), np.nan)
        values["patient_recognition_rate"] = (
            nothing
            if self.slides is None or self.slide_scores is None
            else weights @ self.slide_scores / (weights @ self.slides)
        )
        values["roc_auc"], values["average_precision"] = nothing, nothing
        if self.rankings:
            columns = np.ascontiguousarray(weights.T) if len(self.rankings) > 1 else None
            both = np.stack([np.stack(ranking.score(weights, columns, images)) for ranking in self.rankings])
            means = _mean_of_defined(both.transpose(1, 2, 0))
            values["roc_auc"], values["average_precision"] = np.where(complete, means, np.nan)
        return np.stack([values[name] for name in METRICS], axis=1)


def _compute_classes(counts: ClassCounts) -> Floats:
    values = per_class_metrics(counts)
    return np.stack([values[name] for name in PER_CLASS], axis=2).reshape(len(counts.true), -1)


def _sum(codes: Integers, values: Floats, cases: int) -> Floats:
    return np.asarray(np.bincount(codes, weights=values, minlength=cases), dtype=np.float64)


def _decision_metrics(counts: ClassCounts, complete: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    """Return the metrics of the predicted classes from counts (resamples, classes).

    Those that compare classes are NaN except where `complete`, bool (resamples,).
    """
    hits, images = counts.hits.sum(axis=1), counts.true.sum(axis=1)
    true, predicted = counts.true, counts.predicted
    classes = per_class_metrics(counts)
    values = {"accuracy": hits / images, "image_recognition_rate": hits / images}
    values["balanced_accuracy"] = np.where(complete, _mean_of_defined(classes["recall"]), np.nan)
    spread = (images**2 - (true**2).sum(axis=1)) * (images**2 - (predicted**2).sum(axis=1))
    shared = hits * images - (true * predicted).sum(axis=1)
    correlation = divide(shared, np.sqrt(spread), 0.0)
    values["mcc"] = np.where(complete, correlation, np.nan)
    if true.shape[1] == 2:
        values["recall"], values["specificity"] = classes["recall"][:, 1], classes["specificity"][:, 1]
        for name in ("precision", "f1"):
            values[name] = np.where(complete, classes[name][:, 1], np.nan)
    else:
        for name in PER_CLASS:
            shown = np.where(true > 0, classes[name], np.nan)
            values[name] = np.where(complete, _mean_of_defined(shown), np.nan)
    return values


def _mean_of_defined(values: Floats) -> Floats:
    """Return the mean over the last axis without NaN; NaN where all are NaN."""
    defined = np.isfinite(values)
    return divide(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))
