"""The model card of the report, after those items of TRIPOD+AI and CLAIM that an evaluation can answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.datasets.subtype_names import describe_subtype
from breastcls.decisions.stored_decision_limitations import calibration_record
from breastcls.environment import describe_environment
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.headline_text import HEADLINE
from breastcls.evaluation.report.headline_block import sample_in_words
from breastcls.evaluation.report.leak_audit_text import audit_verdict
from breastcls.evaluation.report.provenance import Facts, describe_value, flatten
from breastcls.intervals.score_values import read_levels, read_scores
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_count, format_number, join_words
from breastcls.models.probability_rule import DEFAULT_THRESHOLD
from breastcls.predictions.independence import count_shared_cases
from breastcls.predictions.prediction_fingerprint import fingerprint_predictions


def sample_facts(evaluation: EvaluationData) -> Facts:
    """Return what was scored."""
    facts: Facts = [("Scored", sample_in_words(evaluation))]
    for name, counts in evaluation.counts.get("classes", {}).items():
        images = format_count(counts["images"], "image")
        facts.append((f"Labelled {name}", f"{images} from {format_count(counts['cases'], 'case')}"))
    predictions = evaluation.predictions
    if predictions.magnifications is not None:
        times = sorted({int(value) for value in predictions.magnifications if value > 0})
        facts.append(("Magnifications", join_words([f"{value}×" for value in times]) or "not known"))
    if predictions.subtypes is not None:
        codes = sorted({str(value) for value in predictions.subtypes if value})
        facts.append(("Subtypes", "; ".join(describe_subtype(code) for code in codes) or "not known"))
    unknown = int((predictions.labels < 0).sum())
    if unknown:
        facts.append(("Without a known label", f"{format_count(unknown, evaluation.unit)}, not scored"))
    return facts


def model_card(evaluation: EvaluationData) -> list[tuple[str, Facts]]:
    """Return the model card as titled groups of facts."""
    return [
        ("Use", _use()),
        ("Model", _model(evaluation)),
        ("Study", _study(evaluation)),
        ("Performance", _performance(evaluation)),
        ("Limits", _limits(evaluation)),
        ("Items of the guidelines", _guidelines(evaluation)),
        ("Environment and fingerprints", environment_facts(evaluation)),
    ]


def _use() -> Facts:
    return [
        (
            "Intended use",
            "Research on the classification of breast histology images: comparison of methods, analysis of errors.",
        ),
        (
            "Intended users",
            "Researchers in computational pathology, with a pathologist who judges the result.",
        ),
        (
            "Not intended for",
            "Diagnosis, screening, or any decision about a patient; other organs, stains or magnifications "
            "than those named here.",
        ),
        ("Regulation", "Not a medical device; not cleared, approved or certified for any clinical use."),
    ]


def _model(evaluation: EvaluationData) -> Facts:
    model, classes = evaluation.model, evaluation.classes
    provenance = model.get("provenance")
    provenance = provenance if isinstance(provenance, Mapping) else {}
    known: list[tuple[str, Any]] = [
        ("Architecture", model.get("backbone")),
        ("Starting weights", model.get("weights")),
        ("Output", f"probabilities of {join_words([str(name) for name in classes])}, summing to one"),
        ("Decision rule", decision_rule(evaluation)),
        ("Calibration", _calibration(evaluation, provenance)),
        ("Training", "see “Training and test data” above" if provenance.get("training") else "not recorded here"),
    ]
    return [(name, describe_value(value)) for name, value in known if value is not None]


def _calibration(evaluation: EvaluationData, provenance: Mapping[str, Any]) -> str:
    """Return how the probabilities were calibrated, and whether on other cases than these."""
    record = calibration_record(evaluation.predictions, provenance) or {}
    method = record.get("method", "temperature" if evaluation.model.get("temperature") is not None else None)
    if method is None:
        return "none is recorded"
    shared = count_shared_cases(evaluation.predictions, record.get("cases") or ())
    if shared is None:
        return f"by {method}; whether it was fitted on other cases than these is not known"
    if shared:
        return f"by {method}, fitted on {format_count(shared, 'case')} of these: the probabilities look too good"
    return f"by {method}, fitted on other cases"


def decision_rule(evaluation: EvaluationData) -> str:
    """Return how the class is predicted from the probabilities, in words."""
    threshold, classes = evaluation.predictions.threshold, evaluation.classes
    if threshold is None and len(classes) > 2:
        return "the most probable class"
    return f"{classes[-1]} from a probability of {format_number(DEFAULT_THRESHOLD if threshold is None else threshold)}"


def _study(evaluation: EvaluationData) -> Facts:
    settings = evaluation.settings
    bootstrap, method = settings["bootstrap"], settings["aggregation"]["method"]
    audit = audit_verdict(evaluation)
    study: Facts = [
        *sample_facts(evaluation),
        (
            "Reference standard",
            "The labels that came with the images; they were not reviewed again for this report.",
        ),
        ("Independence of training", f"{audit.text} {audit.explanation}"),
        ("Unit scored", evaluation.unit),
        ("Decision rule", decision_rule(evaluation)),
        (
            "Confidence intervals",
            f"{evaluation.percent} intervals by resampling whole cases, {bootstrap['resamples']:,} times "
            f"({bootstrap['method']})",
        ),
    ]
    if evaluation.unit != "image" and method:
        study.append(("Images aggregated by", str(method)))
    if len(evaluation.classes) > 2 and settings.get("average"):
        study.append(("Averaged over classes", str(settings["average"])))
    study.append(("Seed of the resampling", str(bootstrap["seed"])))
    return study + flatten({key: value for key, value in settings.items() if key not in _SHOWN_ABOVE})


_SHOWN_ABOVE = {"bootstrap", "aggregation", "threshold", "average"}


def _performance(evaluation: EvaluationData) -> Facts:
    facts: Facts = []
    by_level, calibration = evaluation.value_of("by_level"), evaluation.value_of("calibration")
    levels = {} if by_level is None else read_levels(by_level)
    for level, scores in (levels or {evaluation.unit: read_scores(evaluation.value_of("metrics"))}).items():
        shown = [
            f"{describe_metric(name).short} {scores[name].value_text} ({scores[name].interval_text})"
            for name in HEADLINE
            if name in scores
        ]
        facts.append((f"By {level}", ", ".join(shown)))
    if calibration is not None:
        error = read_scores(calibration.errors)["ece_equal_mass"]
        facts.append(("Expected calibration error", f"{error.value_text} ({error.interval_text})"))
    return facts


def _limits(evaluation: EvaluationData) -> Facts:
    facts: Facts = [
        (
            "Case and patient",
            "A case is the biological source as far as file and folder names show. That one case is one "
            "patient is inferred, not documented.",
        ),
        (
            "Other sites",
            "One collection of images; the result does not show how the model performs with another laboratory, "
            "scanner or stain, or on other patients than these.",
        ),
        (
            "Fairness",
            "Age, sex and origin of the patients are not known, so their subgroups cannot be assessed.",
        ),
    ]
    if evaluation.limitations:
        facts.append(("From these data", " ".join(evaluation.limitations)))
    facts.append(
        (
            "For the authors to add",
            "Where and when the tissue was taken, how patients were selected, their age and sex, scanner and "
            "staining protocol, who labelled the images and how often they agreed, planned sample size, ethics "
            "approval, registration and protocol, funding and interests, availability of data and code. The images do "
            "not hold this information.",
        )
    )
    return facts


def _guidelines(evaluation: EvaluationData) -> Facts:
    """Return in which part of the report each item of TRIPOD+AI and CLAIM is answered, where an evaluation can."""
    robustness = "not measured" if evaluation.value_of("robustness") is None else "Robustness"
    return [
        ("Data, participants, sample size", "Training and test data; Study; numbers of cases beside every table"),
        ("Data preparation", "Training and test data (size, resizing, normalisation)"),
        ("Outcome, reference standard", "Study"),
        ("Data partitions, training versus evaluation", "Leak audit"),
        ("Model output, threshold", "Decision threshold and net benefit"),
        ("Class imbalance", "Training and test data (class weights); balanced accuracy in Metrics"),
        ("Performance with uncertainty", "Result; Metrics; Curves; Calibration"),
        ("Subgroups, fairness", "Subgroups; Limits"),
        ("Robustness", robustness),
        ("Failure analysis, explainability", "Misclassified cases; Misclassified images"),
        ("Comparison with simple models", "Baselines"),
        ("Limitations, usability", "Limitations; Use; Limits"),
        ("Reproducibility", "Environment and fingerprints; the settings in Study"),
    ]


_FINGERPRINTS = {
    "predictions": "Predictions, SHA-256",
    "weights": "Model weights, SHA-256",
    "model_file": "Model file, SHA-256",
    "test_table": "Table of test images, SHA-256",
    "train_table": "Table of training images, SHA-256",
}


def environment_facts(evaluation: EvaluationData) -> Facts:
    """Return the versions that the report was written with, and the fingerprints of predictions, model and data."""
    here = describe_environment()
    facts: Facts = [("breastcls", here["breastcls"]), ("Python", here["python"]), ("System", here["system"])]
    facts += list(here["packages"].items())
    known = {"predictions": fingerprint_predictions(evaluation.predictions), **evaluation.fingerprints}
    return facts + [(title, known[name]) for name, title in _FINGERPRINTS.items() if name in known]
