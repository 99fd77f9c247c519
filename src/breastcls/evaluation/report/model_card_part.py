"""The model card of the report, after those items of TRIPOD+AI and CLAIM that an evaluation can answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.decisions.stored_decision_limitations import calibration_record
from breastcls.environment import describe_environment
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.leak_audit_text import audit_verdict
from breastcls.evaluation.report.provenance import Facts, flatten
from breastcls.metrics.number_format import format_count, join_words
from breastcls.predictions.independence import count_shared_cases
from breastcls.predictions.prediction_fingerprint import fingerprint_predictions

# Settings that the model card has in words.
_SHOWN_ABOVE = {"bootstrap", "aggregation", "threshold", "average"}
GENERAL_LIMITATIONS = (
    "A case is the biological source as far as the names of files and folders show. That one case is one patient is "
    "inferred, not documented.",
    "These images are one collection: the result does not show how the model performs on images of another laboratory, "
    "scanner or stain, or on other patients.",
    "Age, sex and origin of the patients are not known, so that their subgroups cannot be assessed.",
)


FOR_THE_AUTHORS = (
    "For the authors to add: where and when the tissue was taken, how patients were selected, their age and sex, "
    "scanner and staining protocol, who labelled the images and how often they agreed, planned sample size, "
    "ethics approval, registration and protocol, funding and interests, availability of data and code. The images do "
    "not contain this information."
)


def model_card(evaluation: EvaluationData) -> list[tuple[str, Facts]]:
    """Return the model card as titled groups of facts."""
    return [
        ("Use", _use()),
        ("Study", _study(evaluation)),
        ("Where the items of the guidelines are answered", _guidelines(evaluation)),
    ]


def _use() -> Facts:
    return [
        (
            "Intended use",
            "Research on the classification of breast histology images: comparison of methods, analysis of errors.",
        ),
        ("Intended users", "Researchers in computational pathology, with a pathologist who judges the result."),
        (
            "Not intended for",
            "Diagnosis, screening, or any decision about a patient; other organs, stains or magnifications than those "
            "named here.",
        ),
        ("Regulation", "Not a medical device; not cleared, approved or certified for any clinical use."),
    ]


def _study(evaluation: EvaluationData) -> Facts:
    settings = evaluation.settings
    bootstrap = settings["bootstrap"]
    audit = audit_verdict(evaluation)
    provenance = evaluation.model.get("provenance")
    study: Facts = [
        ("Output", f"Probabilities of {join_words([str(name) for name in evaluation.classes])} that sum to one."),
        ("Calibration", _calibration(evaluation, provenance if isinstance(provenance, Mapping) else {})),
        ("Reference standard", "The labels that came with the images; they were not reviewed again for this report."),
        ("Independence of training", f"{audit.text} See “Leakage audit”."),
        (
            "Confidence intervals",
            f"{evaluation.percent} intervals by resampling whole cases, {bootstrap['resamples']:,} times "
            f"({bootstrap['method']}, seed {bootstrap['seed']}).",
        ),
    ]
    if len(evaluation.classes) > 2 and settings.get("average"):
        study.append(("Averaged over classes", str(settings["average"])))
    return study + flatten({key: value for key, value in settings.items() if key not in _SHOWN_ABOVE})


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


def _guidelines(evaluation: EvaluationData) -> Facts:
    """Return in which part of the report each item of TRIPOD+AI and CLAIM is answered, where an evaluation can."""
    robustness = "not measured" if evaluation.value_of("robustness") is None else "Robustness"
    return [
        ("Data, participants, sample size", "Result"),
        ("Data preparation, class imbalance", "Model and training; Settings and versions"),
        ("Outcome, reference standard", "Model card"),
        ("Data partitions", "Result; Leakage audit"),
        ("Model output, threshold", "Decision threshold and net benefit"),
        ("Performance with uncertainty", "Result; Metrics; Curves; Calibration"),
        ("Subgroups, fairness", "Subgroups; Limitations"),
        ("Robustness", robustness),
        ("Failure analysis, explainability", "Misclassified cases and images"),
        ("Comparison with simple models", "Baselines"),
        ("Limitations, usability", "Limitations; Model card"),
        ("Reproducibility", "Settings and versions"),
    ]


_FINGERPRINTS = {
    "predictions": "Predictions, SHA-256",
    "weights": "Model weights, SHA-256",
    "model_file": "Model file, SHA-256",
    "test_table": "Table of test images, SHA-256",
    "train_table": "Table of training images, SHA-256",
}


def environment_facts(evaluation: EvaluationData) -> Facts:
    """Return the packages that the report was written with, and the fingerprints of predictions, model and data."""
    here = describe_environment()
    facts: Facts = [
        ("System", here["system"]),
        ("Python", here["python"]),
        ("Backend of Keras", here["backend"]),
        ("oneDNN in TensorFlow", here["onednn"]),
        *here["packages"].items(),
    ]
    known = {"predictions": fingerprint_predictions(evaluation.predictions), **evaluation.fingerprints}
    return facts + [(title, known[name]) for name, title in _FINGERPRINTS.items() if name in known]
