"""Evaluate: every figure with an interval over cases, the leak audit, and the colour-only yardstick."""

from __future__ import annotations

import dataclasses
import os
import warnings
from typing import Any, Literal

import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageWarning
from breastcls.evaluation.case_statistics import CaseStatistics
from breastcls.evaluation.caveats import NO_CASES, few_cases, find_caveats
from breastcls.evaluation.colour_baseline import predict_by_colour
from breastcls.evaluation.curves import compute_curves
from breastcls.evaluation.evaluation import Evaluation
from breastcls.evaluation.independence import check_independence, check_same_images
from breastcls.evaluation.intervals import Bootstrap, Interval
from breastcls.evaluation.metrics import count_confusion, require_labels
from breastcls.evaluation.predictions import Aggregation, Level, Predictions
from breastcls.evaluation.subgroups import count_units, score, score_classes, score_groups
from breastcls.evaluation.thresholds import Threshold


def evaluate(
    model_or_predictions: Any,
    test: Dataset | None = None,
    *,
    train: Dataset | None = None,
    allow_leakage: bool = False,
    level: Level = "image",
    how: Aggregation = "mean",
    mixed: Literal["error", "last", "drop"] = "error",
    threshold: float | Threshold | None = None,
    resamples: int = 2000,
    confidence: float = 0.95,
    interval: Interval = "percentile",
    seed: int = 0,
    batch_size: int = 32,
) -> Evaluation:
    """Score a model, or the predictions of any model, with an interval over cases on every figure.

    Args:
        model_or_predictions: A `keras.Model`, the path of a `.keras` file, or `Predictions`.
        test: The images to score the model on. For predictions it may be left out; given, it must hold their images in
            their order, and lets files and pixels be compared with `train`.
        train: What the model was trained on (validation images included). It is audited for leaks against the test
            set, and the colour-only baseline is fitted on it.
        allow_leakage: Go on although training and test share cases, slides or pictures. It is written into the
            result.
        level: Score by "image", or aggregate the images of a "slide" or "case" first.
        how: How they are aggregated; see `Predictions.at_level`.
        mixed: What to do with a slide or case of several classes; see `Predictions.at_level`.
        threshold: Two classes: decide for the positive class from this probability on; default: what the model or
            the predictions carry. Choose it on validation images (`choose_threshold`), never on these.
        resamples: Bootstrap resamples.
        confidence: Of the intervals.
        interval: "percentile" or "bca". Where each case gives one decision (`level="case"`), accuracy, recall and
            specificity are plain shares and get Wilson's interval instead.
        seed: Of the resamples.
        batch_size: Images at a time.

    Returns:
        The evaluation: print it, or write it with `to_html`.

    Raises:
        EvaluationError: If there is nothing to score, a true class is not known, or the classes disagree.
        LeakageError: If training and test are not independent and `allow_leakage` is not set.
        ImageError: If an image cannot be read.

    Warns:
        EvaluationWarning: If a class has fewer than five cases, or cases are not known.
        LeakageWarning: If a leak was found and allowed.

    Example:
        >>> import numpy as np
        >>> generator = np.random.default_rng(0)
        >>> labels = np.repeat([0, 1], 60)
        >>> some = Predictions.from_arrays(
        ...     probabilities=np.clip(0.3 * labels + 0.7 * generator.random(120), 0, 1), labels=labels,
        ...     cases=np.repeat(np.arange(12), 10).astype(str), classes=("benign", "malignant"))
        >>> result = evaluate(some, resamples=200)
        >>> result.metrics.loc["recall"].round(2).tolist()
        [0.77, 0.65, 0.92]
    """
    bootstrap = Bootstrap(resamples, confidence, interval, seed)
    if isinstance(threshold, str):
        raise EvaluationError(
            f"`threshold` is {threshold!r}, a rule. A threshold is chosen on validation or out-of-fold predictions, "
            "never on the test set: `choose_threshold(predict(model, val), ...)`, then pass its value."
        )
    predictions, model = _predictions_of(model_or_predictions, test, batch_size)
    if test is not None:
        check_same_images(predictions, test)
    require_labels(predictions)
    if predictions.part in ("train", "validation"):
        raise EvaluationError(
            f"These predictions are of the {predictions.part} part; a score on it says nothing about new cases."
        )
    predictions = dataclasses.replace(predictions, part=predictions.part or "test")
    provenance = model.get("provenance") or {}
    if isinstance(threshold, Threshold):
        provenance = {**provenance, "threshold": threshold.to_dict()}
        predictions = predictions.with_threshold(threshold.value)
    elif threshold is not None:
        predictions = predictions.with_threshold(threshold)
    leakage = check_independence(predictions, test, train, provenance)
    leaking = leakage is not None and not leakage.clean
    if leakage is not None:
        leakage.raise_if_leaking(allowed=allow_leakage)
    if leaking:
        warnings.warn(f"Scored across a leak, as allowed. {leakage}", LeakageWarning, stacklevel=2)

    counts = count_units(predictions)
    scored = predictions.at_level(level, how, mixed=mixed)
    statistics = CaseStatistics.of(scored)
    metrics = score(scored, statistics, bootstrap)
    roc, precision_recall = compute_curves(scored, bootstrap)
    baseline = None
    if train is not None and test is not None:
        by_colour = predict_by_colour(train, test).at_level(level, how, mixed=mixed)
        baseline = score(by_colour, CaseStatistics.of(by_colour), bootstrap)
    caveats = find_caveats(predictions, scored, metrics, counts, leaking)
    if train is not None and test is None:
        caveats += ("Without the test images only names were compared, and colour alone was not scored.",)
    _warn(predictions, counts)
    return Evaluation(
        metrics=metrics,
        per_class=score_classes(scored, statistics, bootstrap),
        confusion=_confusion(scored),
        roc=roc,
        precision_recall=precision_recall,
        predictions=scored,
        counts=counts,
        settings=_settings(scored, bootstrap, how),
        by_subtype=score_groups(scored, scored.subtypes, "", "subtype", bootstrap),
        by_magnification=score_groups(scored, scored.magnifications, -1, "magnification", bootstrap),
        colour_baseline=baseline,
        leakage=leakage,
        leak_allowed=leaking,
        caveats=caveats,
        model=model,
    )


def scored_predictions(source: Any, test: Dataset | None, batch_size: int = 32) -> Predictions:
    """Return a model's predictions, or predictions as they are, checked as `evaluate` checks them.

    Raises:
        EvaluationError: If they cannot be scored.
        LeakageError: If the model says that it was trained on a test case.
    """
    predictions, model = _predictions_of(source, test, batch_size)
    if test is not None:
        check_same_images(predictions, test)
    require_labels(predictions)
    leakage = check_independence(predictions, test, None, model.get("provenance") or {})
    if leakage is not None:
        leakage.raise_if_leaking()
    return predictions


def _predictions_of(source: Any, test: Dataset | None, batch_size: int) -> tuple[Predictions, dict[str, Any]]:
    """Return predictions and what the model says of itself."""
    if isinstance(source, Predictions):
        return source, {}
    if test is None:
        raise EvaluationError("A model needs images to be scored on: `evaluate(model, test)`.")
    if not isinstance(test, Dataset):
        raise EvaluationError(f"`test` must be a Dataset, not {type(test).__name__}; `load_table` makes one.")
    # Here and not above: predictions of another framework are scored without loading Keras.
    from breastcls.evaluation.predict import predict
    from breastcls.models.card import get_card

    if isinstance(source, (str, os.PathLike)):
        from breastcls.models.persistence import load_model

        source = load_model(source)
    card = get_card(source)
    return predict(source, test, batch_size=batch_size), {} if card is None else card.to_dict()


def _confusion(predictions: Predictions) -> pd.DataFrame:
    names = pd.Index(predictions.classes)
    counts = count_confusion(predictions.labels, predictions.decisions, len(names))
    return pd.DataFrame(counts, index=names.rename("true"), columns=names.rename("decided"))


def _settings(predictions: Predictions, bootstrap: Bootstrap, how: str) -> dict[str, Any]:
    positive = f"positive class {predictions.classes[-1]}"
    return {
        **dataclasses.asdict(bootstrap),
        "level": predictions.level,
        "how": None if predictions.level == "image" else how,
        "threshold": predictions.threshold,
        "average": positive if len(predictions.classes) == 2 else "macro",
    }


def _warn(predictions: Predictions, counts: dict[str, Any]) -> None:
    if predictions.cases is None:
        warnings.warn(NO_CASES, EvaluationWarning, stacklevel=3)
        return
    for message in few_cases(counts):
        warnings.warn(message, EvaluationWarning, stacklevel=3)
