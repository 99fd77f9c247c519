"""The model card of the report, after those items of TRIPOD+AI and CLAIM that an evaluation can answer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from breastcls.environment import describe_environment
from breastcls.reporting.provenance import Facts, flatten
from breastcls.reporting.scores import percent_of, unit_of
from breastcls.reporting.sections import audit_verdict, sample_in_words
from breastcls.reporting.wording import describe_subtype, format_count, format_number, join_words

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


def sample_facts(evaluation: Evaluation) -> Facts:
    """Return what the numbers were measured on."""
    facts: Facts = [("Scored", sample_in_words(evaluation))]
    for name, counts in evaluation.counts.get("classes", {}).items():
        images = format_count(counts["images"], unit_of(evaluation))
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
    settings = evaluation.settings
    classes = evaluation.predictions.classes
    threshold = evaluation.predictions.threshold
    rule = (
        f"{classes[-1]} from a probability of {format_number(threshold)}"
        if threshold is not None
        else "the most probable class"
    )
    resamples = settings.get("resamples")
    uncertainty = f"{percent_of(evaluation)} intervals by resampling whole cases"
    if resamples:
        uncertainty += f", {resamples:,} times"
    if settings.get("interval"):
        uncertainty += f" ({settings['interval']})"
    audit = audit_verdict(evaluation)
    use: Facts = [
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
    ]
    study: Facts = [
        *sample_facts(evaluation),
        (
            "Reference standard",
            "The labels that came with the images; they were not reviewed again for this report.",
        ),
        ("Independence of training", f"{audit.text} {audit.explanation}"),
        ("Unit scored", unit_of(evaluation)),
        ("Decision rule", rule),
        ("Uncertainty", uncertainty),
    ]
    if unit_of(evaluation) != "image" and settings.get("how"):
        study.append(("Images joined by", str(settings["how"])))
    if len(classes) > 2 and settings.get("average"):
        study.append(("Averaged over classes", str(settings["average"])))
    if settings.get("seed") is not None:
        study.append(("Seed of the resampling", str(settings["seed"])))
    study += flatten({key: value for key, value in settings.items() if key not in _SAID_ABOVE})
    limits: Facts = [
        (
            "Case and patient",
            "A case is the biological source as far as file and folder names tell. That one case is one "
            "patient is inferred, not documented.",
        ),
        (
            "For the authors to add",
            "Where and when the tissue was taken, how patients were chosen, their age and sex, scanner and "
            "staining protocol, who labelled the images, ethics approval, funding. The images do not say.",
        ),
    ]
    return [
        ("Use", use),
        ("Study", study),
        ("Limits", limits),
        ("Environment and fingerprints", environment_facts(evaluation)),
    ]


_SAID_ABOVE = {"resamples", "confidence", "interval", "level", "threshold", "how", "average", "seed"}


def environment_facts(evaluation: Evaluation) -> Facts:
    """Return where the report was written, in versions, and the fingerprint of what was scored."""
    here = describe_environment()
    facts: Facts = [("breastcls", here["breastcls"]), ("Python", here["python"]), ("System", here["system"])]
    facts += list(here["packages"].items())
    facts.append(("Predictions, SHA-256", fingerprint(evaluation)))
    return facts


def fingerprint(evaluation: Evaluation) -> str:
    """Return a SHA-256 of the scored probabilities, labels and cases, in their order."""
    predictions = evaluation.predictions
    digest = hashlib.sha256("\n".join(predictions.classes).encode())
    digest.update(np.ascontiguousarray(predictions.probabilities, dtype="<f4").tobytes())
    digest.update(np.ascontiguousarray(predictions.labels, dtype="<i8").tobytes())
    if predictions.cases is not None:
        digest.update("\n".join(map(str, predictions.cases)).encode())
    return digest.hexdigest()
