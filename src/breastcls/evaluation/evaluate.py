"""Evaluate: every figure with an interval over cases, the leak audit, and the colour-only yardstick."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from breastcls.baselines.baseline_predictions import predict_by_baseline
from breastcls.baselines.colour_comparison import score_against_colour_baseline
from breastcls.calibration.assessment import assess_calibration
from breastcls.datasets.dataset import Dataset
from breastcls.decisions.conformal import ConformalSets
from breastcls.decisions.net_benefit import PREVALENCES, decision_curve, operating_table
from breastcls.decisions.risk_histogram import risk_histogram
from breastcls.decisions.stored_decision_limitations import find_kept_limitations
from breastcls.decisions.thresholds import Threshold
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageWarning
from breastcls.evaluation.evaluation import Evaluation
from breastcls.evaluation.worst_cases import rank_cases
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.curve_bands import compute_curves
from breastcls.intervals.limitations import (
    NO_CASES,
    few_cases,
    few_cases_in_groups,
    find_limitations,
    find_ood_limitations,
)
from breastcls.intervals.score_tables import count_units, score, score_classes, score_groups, score_levels
from breastcls.intervals.zero_width import find_zero_width
from breastcls.metrics.classification_metrics import count_confusion
from breastcls.metrics.scorable_predictions import predict_or_take
from breastcls.models.calibration_identity import name_calibration, require_same_calibration
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.independence import check_independence
from breastcls.predictions.prediction_fingerprint import fingerprint_predictions, fingerprint_table
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.unit_labels import scored_images
from breastcls.uncertainty.out_of_distribution import score_ood
from breastcls.uncertainty.selective_prediction import risk_coverage


def evaluate(
    model_or_predictions: Any,
    test: Dataset | None = None,
    *,
    train: Dataset | None = None,
    allow_leakage: bool = False,
    aggregation: Aggregation | Level = "image",
    threshold: float | Threshold | None = None,
    prevalences: Sequence[float] = PREVALENCES,
    bootstrap: Bootstrap | None = None,
    batch_size: int = 32,
    tta: str | None = None,
    ood: Dataset | Predictions | None = None,
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
        aggregation: Score by "image", or aggregate the images of each "slide" or "case" first; an `Aggregation` also
            states how.
        threshold: Two classes: decide for the positive class from this probability on; default: what the model or
            the predictions carry, else 0.5. Choose it on validation images (`choose_threshold`), never on these.
        prevalences: Two classes: shares of positives at which predictive values are given, in 0..1. Those of the places
            where the model might be used; the test set's own is seldom one of them.
        bootstrap: How confidence intervals are computed; 2,000 resamples by default. Where each case gives one decision
            (`aggregation="case"`), accuracy, precision, recall, specificity and other simple proportions get Wilson's
            interval instead.
        batch_size: Images at a time.
        tta: Test-time augmentation of a model, `"dihedral"` or None; see `predict`.
        ood: Out-of-distribution images, or their predictions where predictions are evaluated: how well the model's
            uncertainty detects them is measured too; see `score_ood`.

    Returns:
        The evaluation: print it, or write it with `to_html`.

    Raises:
        EvaluationError: If there is nothing to score, a true class is not known, the classes disagree, or the threshold
            or prediction sets were learnt on probabilities of another calibration.
        LeakageError: If training and test are not independent, or the threshold, the calibration or prediction sets
            were learnt from a case of the test set, and `allow_leakage` is not set.
        ImageError: If an image cannot be read.

    Warns:
        EvaluationWarning: If a class is scored on fewer than five cases, `ood` has fewer, or cases are not
            known.
        LeakageWarning: If a leak was found and allowed.

    Example:
        >>> import numpy as np
        >>> generator = np.random.default_rng(0)
        >>> labels = np.repeat([0, 1], 60)
        >>> some = Predictions.from_arrays(
        ...     probabilities=np.clip(0.3 * labels + 0.7 * generator.random(120), 0, 1), labels=labels,
        ...     cases=np.repeat(np.arange(12), 10).astype(str), classes=("benign", "malignant"))
        >>> result = evaluate(some, bootstrap=Bootstrap(200))
        >>> result.metrics.loc["recall"].round(2).tolist()
        [0.77, 0.62, 0.92]
    """
    bootstrap = bootstrap or Bootstrap()
    aggregation = Aggregation.of(aggregation)
    if isinstance(threshold, str):
        raise EvaluationError(
            f"`threshold` is {threshold!r}, a rule. A threshold is chosen on validation or out-of-fold predictions, "
            "never on the test set: `choose_threshold(predict(model, val), ...)`, then pass its value."
        )
    source = predict_or_take(model_or_predictions, test, batch_size, tta)
    predictions, model, fingerprints = source.predictions, source.card, source.fingerprints
    predictions = dataclasses.replace(predictions, part=predictions.part or "test")
    provenance = model.get("provenance") or {}
    origin = _origin_of_threshold(threshold, predictions, provenance)
    if origin is not None:
        used = name_calibration(predictions.calibration)
        require_same_calibration(origin.get("calibration"), used, "The threshold was chosen", "choose_threshold")
    if isinstance(threshold, Threshold):
        provenance = {**provenance, "threshold": threshold.to_dict()}
        predictions = predictions.with_threshold(threshold.value)
    elif threshold is not None:
        predictions = predictions.with_threshold(threshold)
    if test is not None and predictions.paths is None:
        # The report shows the images that were called wrongly.
        predictions = dataclasses.replace(predictions, paths=np.array(test.paths, dtype=object))
    leakage = check_independence(predictions, test, train, provenance)
    leaking = leakage is not None and not leakage.clean
    if leakage is not None:
        leakage.raise_if_leaking(allowed=allow_leakage)
    if leaking:
        warnings.warn(f"Scored across a leak, as allowed. {leakage}", LeakageWarning, stacklevel=2)

    scored = predictions.aggregate(aggregation)
    counts = count_units(scored_images(predictions, aggregation))
    statistics = CaseStatistics.of(scored)
    metrics = score(scored, statistics, bootstrap)
    roc, precision_recall = compute_curves(scored, bootstrap)
    baseline: pd.DataFrame | None = None
    colour_difference: pd.DataFrame | None = None
    if train is not None and test is not None:
        by_colour = predict_by_baseline("colour", train, test)
        if predictions.cases is not None or aggregation.level != "image":
            # Both are to be joined to, and drawn as, the same cases.
            by_colour = dataclasses.replace(by_colour, cases=predictions.cases, slides=predictions.slides)
        by_colour = by_colour.aggregate(aggregation)
        baseline, colour_difference = score_against_colour_baseline(scored, by_colour, bootstrap)
    by_level, left_out = score_levels(predictions, bootstrap, aggregation, {scored.level: metrics})
    joined = [name for name in by_level.index.unique(0) if name != predictions.level]
    limitations = find_limitations(
        predictions, scored, metrics, counts, leaking, aggregation=aggregation, joined=joined
    )
    limitations += left_out
    limitations += find_kept_limitations(
        predictions, scored, list(by_level.index.unique(0)), aggregation.method, origin, provenance
    )
    if train is not None and test is None:
        if leakage is None:
            compared = "Neither cases nor slides of these images are known: nothing was compared with the training set"
        else:
            compared = "Without the test images only names were compared"
        limitations += (f"{compared}, and colour alone was not scored.",)
    _warn(predictions, counts)
    ood_scores: pd.DataFrame | None = None
    if ood is not None and isinstance(model_or_predictions, Predictions):
        ood_scores = score_ood(None, predictions, ood, bootstrap=bootstrap)
    elif ood is not None and test is not None:
        views: dict[str, Any] = {"tta": tta, "batch_size": batch_size, "allow_leakage": allow_leakage}
        ood_scores = score_ood(model_or_predictions, test, ood, train, **views, bootstrap=bootstrap)
    if ood is not None:
        limitations += find_ood_limitations(predictions.cases, ood.cases)
    by_stain: pd.DataFrame | None = None
    by_sharpness: pd.DataFrame | None = None
    if test is not None and not isinstance(model_or_predictions, Predictions):
        # The images are there; those of given predictions need not be.
        from breastcls.robustness.appearance_groups import score_by_appearance

        by_stain, by_sharpness = score_by_appearance(predictions, test, bootstrap)
    two_sided = len(scored.classes) == 2 and len(np.unique(scored.labels)) == 2
    per_class = score_classes(scored, statistics, bootstrap)
    by_subtype = score_groups(scored, scored.subtypes, "", "subtype", bootstrap)
    by_magnification = score_groups(scored, scored.magnifications, -1, "magnification", bootstrap)
    calibration = assess_calibration(scored, bootstrap=bootstrap)
    operating = operating_table(scored, prevalences=prevalences, bootstrap=bootstrap) if two_sided else None
    parts = {"subtype": by_subtype, "magnification": by_magnification, "stain": by_stain, "sharpness": by_sharpness}
    limitations += few_cases_in_groups(parts)
    limitations += find_zero_width(metrics, {"class": per_class, "threshold and prevalence": operating, **parts})
    fingerprints |= {"predictions": fingerprint_predictions(predictions)}
    fingerprints |= {
        f"{part}_table": fingerprint_table(data) for part, data in (("test", test), ("train", train)) if data
    }
    return Evaluation(
        metrics=metrics,
        per_class=per_class,
        confusion=_confusion(scored),
        roc=roc,
        precision_recall=precision_recall,
        predictions=scored,
        counts=counts,
        settings=_settings(scored, aggregation, bootstrap) | ({} if tta is None else {"tta": tta}),
        by_subtype=by_subtype,
        by_magnification=by_magnification,
        colour_baseline=baseline,
        colour_difference=colour_difference,
        leakage=leakage,
        leak_allowed=leaking,
        limitations=limitations,
        model=model,
        by_level=by_level,
        calibration=calibration,
        decision_curve=decision_curve(scored, bootstrap=bootstrap) if two_sided else None,
        operating=operating,
        risk_histogram=risk_histogram(scored, bootstrap=bootstrap),
        worst_cases=rank_cases(predictions),
        threshold=origin,
        fingerprints=fingerprints,
        images=None if scored.level == predictions.level else predictions,
        by_stain=by_stain,
        by_sharpness=by_sharpness,
        conformal=_describe_sets(scored, provenance, bootstrap, allow_leakage),
        ood=ood_scores,
        risk_coverage=risk_coverage(scored, bootstrap=bootstrap),
    )


def _describe_sets(
    predictions: Predictions, provenance: Mapping[str, Any], bootstrap: Bootstrap, allow_leakage: bool
) -> dict[str, Any] | None:
    """Return how the prediction sets that the model keeps fare, or None where it keeps none for this level."""
    kept = provenance.get("conformal")
    if not isinstance(kept, Mapping) or kept.get("level") != predictions.level:
        return None
    return ConformalSets.from_dict(kept).describe(predictions, bootstrap, allow_leakage=allow_leakage)


def _origin_of_threshold(
    threshold: float | Threshold | None, predictions: Predictions, provenance: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return where the decision threshold comes from, or None where none was chosen."""
    if isinstance(threshold, Threshold):
        return {"origin": "given to evaluate", **threshold.to_dict()}
    if threshold is not None:
        return {"origin": "given to evaluate as a number", "value": float(threshold)}
    if predictions.threshold is None:
        return None
    kept = provenance.get("threshold")
    if isinstance(kept, Mapping) and kept.get("value") == predictions.threshold:
        return {"origin": "kept with the model", **kept}
    return {"origin": "came with the predictions", "value": predictions.threshold}


def _confusion(predictions: Predictions) -> pd.DataFrame:
    names = pd.Index(predictions.classes)
    counts = count_confusion(predictions.labels, predictions.decisions, len(names))
    return pd.DataFrame(counts, index=names.rename("true"), columns=names.rename("decided"))


def _settings(predictions: Predictions, aggregation: Aggregation, bootstrap: Bootstrap) -> dict[str, Any]:
    positive = f"positive class {predictions.classes[-1]}"
    return {
        "bootstrap": dataclasses.asdict(bootstrap),
        # Predictions may have been aggregated before, by a method that need not be known.
        "aggregation": {**dataclasses.asdict(aggregation), "method": predictions.aggregation_method},
        "threshold": predictions.threshold,
        "average": positive if len(predictions.classes) == 2 else "macro",
    }


def _warn(predictions: Predictions, counts: dict[str, Any]) -> None:
    if predictions.cases is None:
        warnings.warn(NO_CASES, EvaluationWarning, stacklevel=3)
        return
    for message in few_cases(counts):
        warnings.warn(message, EvaluationWarning, stacklevel=3)
