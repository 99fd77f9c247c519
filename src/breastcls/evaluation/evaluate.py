"""Evaluate a model, or the predictions of any model, with confidence intervals over cases."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.leakage_report import LeakageReport
from breastcls.decisions.operating_points import PREVALENCES
from breastcls.decisions.stored_decision_limitations import find_stored_limitations
from breastcls.decisions.thresholds import Threshold
from breastcls.errors import EvaluationWarning, LeakageWarning
from breastcls.evaluation.evaluation import Evaluation
from breastcls.evaluation.evaluation_context import NEEDS_OF_IMAGES, EvaluationContext
from breastcls.evaluation.evaluation_origin import describe_origin
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.evaluation.sections.by_column_section import find_columns
from breastcls.evaluation.source_references import SourceReferences
from breastcls.evaluation.threshold_origin import apply_threshold, refuse_rule
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import NO_CASES, NO_IMAGES, few_cases, few_cases_in_groups, find_limitations
from breastcls.intervals.score_tables import count_units
from breastcls.metrics.scorable_predictions import predict_or_take
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.independence import check_independence
from breastcls.predictions.prediction_fingerprint import fingerprint_predictions, fingerprint_table
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.unit_labels import scored_images


def evaluate(
    model_or_predictions: Any,
    test: Dataset | None = None,
    *,
    train: Dataset | None = None,
    allow_leakage: bool = False,
    aggregation: Aggregation | Level = "image",
    threshold: float | Threshold | None = None,
    prevalences: Sequence[float] = PREVALENCES,
    subgroups: str | Sequence[str] = (),
    bootstrap: Bootstrap | None = None,
    batch_size: int = 32,
    tta: str | None = None,
    ood: Dataset | Predictions | None = None,
    engine: str | None = None,
) -> Evaluation:
    """Score a model, or the predictions of any model, with a confidence interval over cases for every metric.

    Every registered section that applies is computed; see `breastcls.evaluation.list_sections`.

    Args:
        model_or_predictions: A `keras.Model`, the path of a `.keras` file, or `Predictions`.
        test: The images to score the model on. Optional for predictions; if given, it must hold their images in their
            order, so that files and pixels can be compared with `train`.
        train: The images that the model was trained on (validation images included). They are audited for leaks
            against the test set, and the colour-only baseline is fitted on them.
        allow_leakage: Continue although training and test share cases, slides or images. The result records it.
        aggregation: Score by "image", or aggregate the images of each "slide" or "case" first; an `Aggregation` also
            states how.
        threshold: Two classes: predict the positive class from this probability; default: the threshold of the model
            or the predictions, else 0.5. Choose it on validation images (`choose_threshold`), never on these.
        prevalences: Two classes: prevalences at which predictive values are given, in 0..1: those of the sites where
            the model might be used, which seldom equal that of the test set.
        subgroups: Columns of the test images or predictions whose groups are scored too, such as `["centre", "age"]`,
            each group with confidence intervals over its cases: `result.by_column`. Numbers with more than ten values
            are grouped by quarters. Subtype and magnification are always scored.
        bootstrap: How confidence intervals are computed; 2,000 resamples by default. Where each case gives one
            prediction (`aggregation="case"`), accuracy, precision, recall, specificity and other simple proportions
            get Wilson's interval instead.
        batch_size: Images per batch.
        tta: Test-time augmentation of a model, `"dihedral"` or None; see `predict`.
        ood: Out-of-distribution images, or their predictions where predictions are evaluated: how well the model's
            uncertainty detects them is measured too; see `score_ood`.
        engine: What runs a Keras model on the test images: `"keras"`, also if None, `"openvino"`, `"onnxruntime"` or
            `"auto"`; see `predict`.

    Returns:
        The evaluation: print it, or write it with `to_html`.

    Raises:
        EvaluationError: If there is nothing to score, a true class is not known, the classes disagree, or the threshold
            or the prediction sets were fitted to probabilities of another calibration.
        LeakageError: If training and test are not independent, or the threshold, the calibration or the prediction
            sets were fitted on a case of the test set, and `allow_leakage` is not set.
        ImageError: If an image cannot be read.

    Warns:
        EvaluationWarning: If a class is scored on fewer than five cases, `ood` has fewer, or cases are not known.
        LeakageWarning: If a leak was found and allowed.

    Example:
        >>> import numpy as np
        >>> generator = np.random.default_rng(0)
        >>> labels = np.repeat([0, 1], 60)
        >>> some = Predictions.from_arrays(
        ...     probabilities=np.clip(0.3 * labels + 0.7 * generator.random(120), 0, 1), labels=labels,
        ...     cases=np.repeat(np.arange(12), 10).astype(str), classes=("benign", "malignant"))
        >>> result = evaluate(some, bootstrap=Bootstrap(200))
        >>> result.metrics.loc["recall", ["value", "low", "high"]].astype(float).round(2).tolist()
        [0.77, 0.62, 0.92]
    """
    refuse_rule(threshold)
    source = predict_or_take(model_or_predictions, test, batch_size, tta, engine)
    predictions, origin, provenance = apply_threshold(source.predictions, threshold, source.card)
    predictions = dataclasses.replace(predictions, part=predictions.part or "test")
    if test is not None:
        # The report shows the misclassified images; predictions may have no paths, or relative ones.
        predictions = dataclasses.replace(predictions, paths=np.array(test.paths, dtype=object), root=test.root)
    leakage = _audit(predictions, test, train, provenance, allow_leakage)
    aggregation = Aggregation.of(aggregation)
    context = EvaluationContext(
        predictions=predictions,
        scored=predictions.aggregate(aggregation),
        counts=count_units(scored_images(predictions, aggregation)),
        bootstrap=bootstrap or Bootstrap(),
        aggregation=aggregation,
        source=model_or_predictions,
        provenance=provenance,
        threshold=origin,
        test=test,
        train=train,
        ood=ood,
        prevalences=prevalences,
        subgroups=find_columns(predictions, subgroups),
        prediction_options={"tta": tta, "batch_size": batch_size, "allow_leakage": allow_leakage},
    )
    _warn(predictions, context.counts)
    limitations, cases = _compute_sections(context)
    tables = {"test_table": test, "train_table": train}
    return Evaluation(
        predictions=context.scored,
        counts=context.counts,
        settings=_settings(context, tta, predictions.engine),
        sections=context.values,
        images=None if context.scored.level == predictions.level else predictions,
        leakage=leakage,
        general_limitations=_general_limitations(context, leakage),
        section_limitations=limitations,
        section_cases=cases,
        model=source.card,
        fingerprints={
            **source.fingerprints,
            "predictions": fingerprint_predictions(predictions),
            **{name: fingerprint_table(data) for name, data in tables.items() if data},
        },
        origin=describe_origin(test, train, predictions.engine),
        source=SourceReferences(source.model, test),
    )


def _audit(
    predictions: Predictions,
    test: Dataset | None,
    train: Dataset | None,
    provenance: Mapping[str, Any],
    allow_leakage: bool,
) -> LeakageReport | None:
    leakage = check_independence(predictions, test, train, provenance)
    if leakage is not None:
        leakage.raise_if_leaking(allowed=allow_leakage)
        if not leakage.clean:
            warnings.warn(
                f"Evaluated despite a leak, since allow_leakage=True. {leakage}", LeakageWarning, stacklevel=3
            )
    return leakage


def _compute_sections(
    context: EvaluationContext,
) -> tuple[dict[str, tuple[str, ...]], dict[str, Mapping[str, int]]]:
    """Compute every section that applies into `context.values`; return the limitations and the cases of each."""
    limitations: dict[str, tuple[str, ...]] = {}
    cases: dict[str, Mapping[str, int]] = {}
    for section in SECTIONS.values():
        if section.compute is None or not all(map(context.has, section.needs)):
            continue
        value = section.compute(context)
        if value is None:
            continue
        context.values[section.name] = value
        found = tuple(section.limitations(value, context))
        counted = dict(section.cases(value, context))
        limitations |= {section.name: found} if found else {}
        cases |= {section.name: counted} if counted else {}
    return limitations, cases


def _general_limitations(context: EvaluationContext, leakage: LeakageReport | None) -> tuple[str, ...]:
    """Return the limitations of the predictions and the data, and those that concern several sections alike."""
    predictions, metrics, by_level = context.predictions, context.values["metrics"], context.values["by_level"]
    levels = list(by_level.index.unique(0))
    found = find_limitations(
        predictions,
        context.scored,
        metrics,
        context.counts,
        leakage is not None and not leakage.clean,
        aggregation=context.aggregation,
        joined=[level for level in levels if level != predictions.level],
    )
    method = context.aggregation.method
    found += find_stored_limitations(predictions, context.scored, levels, method, context.threshold, context.provenance)
    if context.train is not None and context.test is None:
        compared = "Without the test images only names were compared with the training set"
        if leakage is None:
            compared = "Neither cases nor slides of these images are known: nothing was compared with the training set"
        found += (f"{compared}, and the colour-only baseline was not scored.",)
    if context.lacks_images:
        found += (describe_left_out(),)
    groups = {section.rows: context.values.get(section.name) for section in SECTIONS.values() if section.rows}
    return (*found, *few_cases_in_groups(groups))


def describe_left_out() -> str:
    """Return which sections are left out for vectors without image files, as a limitation."""
    named = [section.title for section in SECTIONS.values() if set(section.needs) & set(NEEDS_OF_IMAGES)]
    return f"{NO_IMAGES}: {', '.join(dict.fromkeys(named))}."


def _settings(context: EvaluationContext, tta: str | None, engine: Mapping[str, Any] | None) -> dict[str, Any]:
    scored = context.scored
    settings = {
        "bootstrap": dataclasses.asdict(context.bootstrap),
        # Given predictions may be aggregated already, by a method that need not be known.
        "aggregation": {**dataclasses.asdict(context.aggregation), "method": scored.aggregation_method},
        "threshold": scored.threshold,
        "average": f"positive class {scored.classes[-1]}" if len(scored.classes) == 2 else "macro",
    }
    optional = {"tta": tta, "engine": None if engine is None else dict(engine)}
    return settings | {name: value for name, value in optional.items() if value is not None}


def _warn(predictions: Predictions, counts: Mapping[str, Any]) -> None:
    messages = [NO_CASES] if predictions.cases is None else few_cases(counts)
    for message in messages:
        warnings.warn(message, EvaluationWarning, stacklevel=3)
