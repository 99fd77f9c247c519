"""The model card of the report, after those items of TRIPOD+AI and CLAIM that an evaluation can answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from breastcls.decisions.stored_decision_limitations import calibration_record
from breastcls.environment import describe_environment
from breastcls.evaluation.report.provenance import Facts, describe_value, flatten
from breastcls.evaluation.report.report_text import audit_verdict, sample_in_words
from breastcls.evaluation.report.settings_text import percent_of, unit_of
from breastcls.intervals.score_values import read_levels, read_scores
from breastcls.metrics.metric_descriptions import (
    describe_metric,
    describe_subtype,
    format_count,
    format_number,
    join_words,
)
from breastcls.models.probability_rule import DEFAULT_THRESHOLD
from breastcls.predictions.independence import count_shared_cases
from breastcls.predictions.prediction_fingerprint import fingerprint_predictions

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


def sample_facts(evaluation: Evaluation) -> Facts:
    """Return what the numbers were measured on."""
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
        facts.append(("Without a known label", f"{format_count(unknown, unit_of(evaluation))}, not scored"))
    return facts


def model_card(evaluation: Evaluation) -> list[tuple[str, Facts]]:
    """Return the model card as titled groups of facts."""
    return [
        ("Use", _use()),
        ("Model", _model(evaluation)),
        ("Study", _study(evaluation)),
        ("Performance", _performance(evaluation)),
        ("Limits", _limits(evaluation)),
        ("Where the guidelines' items are answered", _guidelines(evaluation)),
        ("Environment and fingerprints", environment_facts(evaluation)),
    ]


def _use() -> Facts:
    return [
        (
            "Intended use",
            "Research on the classification of breast histology images: comparing methods, studying where they fail.",
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
        ("Regulation", "Not a medical device; not cleared, approved or certified by anybody for any clinical use."),
    ]


def _model(evaluation: Evaluation) -> Facts:
    model, classes = evaluation.model, evaluation.predictions.classes
    provenance = model.get("provenance")
    provenance = provenance if isinstance(provenance, Mapping) else {}
    known: list[tuple[str, Any]] = [
        ("Architecture", model.get("backbone")),
        ("Starting weights", model.get("weights")),
        ("Output", f"probabilities of {join_words([str(name) for name in classes])}, summing to one"),
        ("Decision", decision_rule(evaluation)),
        ("Calibration", _calibration(evaluation, provenance)),
        ("Training", "see “What was trained on what” above" if provenance.get("training") else "not recorded here"),
    ]
    return [(name, describe_value(value)) for name, value in known if value is not None]


def _calibration(evaluation: Evaluation, provenance: Mapping[str, Any]) -> str:
    """Return how the probabilities were calibrated, and whether on other cases than these."""
    record = calibration_record(evaluation.predictions, provenance) or {}
    method = record.get("method", "temperature" if evaluation.model.get("temperature") is not None else None)
    if method is None:
        return "none is recorded"
    shared = count_shared_cases(evaluation.predictions, record.get("cases") or ())
    if shared is None:
        return f"by {method}; whether it was fitted on other cases than these cannot be told"
    if shared:
        return f"by {method}, fitted on {format_count(shared, 'case')} of these: the probabilities look too good"
    return f"by {method}, fitted on other cases"


def decision_rule(evaluation: Evaluation) -> str:
    """Return how a class is decided for, in words."""
    threshold = evaluation.predictions.threshold
    classes = evaluation.predictions.classes
    if threshold is None and len(classes) > 2:
        return "the most probable class"
    return f"{classes[-1]} from a probability of {format_number(DEFAULT_THRESHOLD if threshold is None else threshold)}"


def _study(evaluation: Evaluation) -> Facts:
    settings, classes = evaluation.settings, evaluation.predictions.classes
    bootstrap, method = settings["bootstrap"], settings["aggregation"]["method"]
    uncertainty = (
        f"{percent_of(evaluation)} intervals by resampling whole cases, {bootstrap['resamples']:,} times "
        f"({bootstrap['method']})"
    )
    audit = audit_verdict(evaluation)
    study: Facts = [
        *sample_facts(evaluation),
        (
            "Reference standard",
            "The labels that came with the images; they were not reviewed again for this report.",
        ),
        ("Independence of training", f"{audit.text} {audit.explanation}"),
        ("Unit scored", unit_of(evaluation)),
        ("Decision rule", decision_rule(evaluation)),
        ("Uncertainty", uncertainty),
    ]
    if unit_of(evaluation) != "image" and method:
        study.append(("Images aggregated by", str(method)))
    if len(classes) > 2 and settings.get("average"):
        study.append(("Averaged over classes", str(settings["average"])))
    study.append(("Seed of the resampling", str(bootstrap["seed"])))
    return study + flatten({key: value for key, value in settings.items() if key not in _SAID_ABOVE})


def _performance(evaluation: Evaluation) -> Facts:
    facts: Facts = []
    levels = {} if evaluation.by_level is None else read_levels(evaluation.by_level)
    for level, scores in (levels or {unit_of(evaluation): read_scores(evaluation.metrics)}).items():
        told = [
            f"{describe_metric(name).short} {scores[name].value_text} ({scores[name].interval_text})"
            for name in ("balanced_accuracy", "roc_auc")
            if name in scores
        ]
        facts.append((f"By {level}", ", ".join(told)))
    if evaluation.calibration is not None:
        error = read_scores(evaluation.calibration.errors)["ece_equal_mass"]
        facts.append(("Expected calibration error", f"{error.value_text} ({error.interval_text})"))
    return facts


def _limits(evaluation: Evaluation) -> Facts:
    facts: Facts = [
        (
            "Case and patient",
            "A case is the biological source as far as file and folder names tell. That one case is one "
            "patient is inferred, not documented.",
        ),
        (
            "Other places",
            "One collection of images; nothing here tells how the model fares with another laboratory, scanner or "
            "stain, or with other patients than these.",
        ),
        (
            "Fairness",
            "Age, sex and origin of the patients are not known, so nothing can be said of groups of them.",
        ),
    ]
    if evaluation.limitations:
        facts.append(("From these data", " ".join(evaluation.limitations)))
    facts.append(
        (
            "For the authors to add",
            "Where and when the tissue was taken, how patients were chosen, their age and sex, scanner and "
            "staining protocol, who labelled the images and how often they agreed, sample size planned, ethics "
            "approval, registration and protocol, funding and interests, data and code availability. The images do "
            "not say.",
        )
    )
    return facts


def _guidelines(evaluation: Evaluation) -> Facts:
    """Return where the items of TRIPOD+AI and CLAIM are answered that an evaluation can answer."""
    return [
        ("Data, participants, sample size", "What was trained on what; Study; numbers of cases beside every figure"),
        ("Data preparation", "What was trained on what (size, resizing, normalisation)"),
        ("Outcome, reference standard", "Study"),
        ("Data partitions, training versus evaluation", "Leak audit"),
        ("Model output, threshold", "What the decisions mean"),
        ("Class imbalance", "What was trained on what (class weights); balanced accuracy in All metrics"),
        ("Performance with uncertainty", "Result; All metrics; Curves; Do the probabilities mean what they say?"),
        ("Subgroups, fairness", "Groups; Limits"),
        ("Robustness", "Robustness" if evaluation.robustness is not None else "not tried"),
        ("Failure analysis, explainability", "Mistakes"),
        ("Comparison with simple models", "Beside colour alone"),
        ("Limitations, usability", "Keep in mind; Use; Limits"),
        ("Reproducibility", "Environment and fingerprints; the settings in Study"),
    ]


_SAID_ABOVE = {"bootstrap", "aggregation", "threshold", "average"}


_FINGERPRINTS = {
    "predictions": "Predictions, SHA-256",
    "weights": "Model weights, SHA-256",
    "model_file": "Model file, SHA-256",
    "test_table": "Table of test images, SHA-256",
    "train_table": "Table of training images, SHA-256",
}


def environment_facts(evaluation: Evaluation) -> Facts:
    """Return where the report was written, in versions, and the fingerprints of what was scored and by what."""
    here = describe_environment()
    facts: Facts = [("breastcls", here["breastcls"]), ("Python", here["python"]), ("System", here["system"])]
    facts += list(here["packages"].items())
    known = {"predictions": fingerprint_predictions(evaluation.predictions), **evaluation.fingerprints}
    return facts + [(title, known[name]) for name, title in _FINGERPRINTS.items() if name in known]
