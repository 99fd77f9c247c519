"""The record of a model and of its training, as pairs of title and text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.metrics.number_format import format_count, format_number, is_defined

Facts = list[tuple[str, str]]

_LONGEST_LIST = 8
# Of the provenance: shown above, or in a section of its own.
_SHOWN_APART = ("training", "threshold", "calibration", "conformal", "ood")
# How the titles of those facts begin that belong to the settings at the end of the report.
_SETTINGS = (
    "Fit:", "Scores:", "Trained with", "Leakage", "Format", "Environment", "Cases seen", "Slides seen", "Schema",
    "Written by", "Training and validation", "Data SHA",
)  # fmt: skip
_TITLES = {
    "image_size": "Input size",
    "weights": "Starting weights",
    "head": "Classifier head",
    "resize": "Resized by",
    "threshold": "Decision threshold",
    "temperature": "Temperature of calibration",
    "seed": "Seed of the model",
    "version": "Written by breastcls",
}


def training_facts(evaluation: EvaluationData) -> Facts:
    """Return the record of the model and its training; nothing for predictions without a model card."""
    facts: Facts = []
    for key, value in evaluation.model.items():
        # The first page has the classes.
        if key in ("provenance", "classes"):
            continue
        if key == "training_history" and isinstance(value, Mapping):
            # The curves are drawn; of the record only the date is a fact.
            facts += flatten({"date_of_training": value.get("date")})
        elif key == "image_size" and isinstance(value, Sequence) and len(value) == 2:
            facts.append((_TITLES[key], f"{value[0]} × {value[1]} pixels (height × width)"))
        else:
            facts += flatten({key: value})
    provenance = evaluation.model.get("provenance")
    if isinstance(provenance, Mapping):
        training = provenance.get("training")
        if isinstance(training, Mapping):
            facts += _of_fit(training)
        calibration = provenance.get("calibration")
        if isinstance(calibration, Mapping) and "method" in calibration:
            counts = {"images": calibration.get("images"), "cases": len(calibration.get("cases") or ())}
            facts.append(("Calibrated", f"by {calibration['method']} on {counts_in_words(counts)}"))
        facts += flatten({key: value for key, value in provenance.items() if key not in _SHOWN_APART})
    return facts


def is_setting(title: str) -> bool:
    """Return whether a fact is a detail, which the report shows at its end."""
    return title.startswith(_SETTINGS)


def _of_fit(training: Mapping[str, Any]) -> Facts:
    """Return what `breastcls.fit` recorded, the data first; further entries follow unchanged."""
    rest = dict(training)
    # They are among the cases and slides below, which also hold those that only the best epoch was selected on.
    rest.pop("trained_on", None)
    # The first page has the counts of the training and validation images.
    rest.pop("data", None)
    facts: Facts = []
    for key in ("cases", "slides"):
        names = rest.pop(key, None)
        if names:
            facts.append((f"{key.capitalize()} seen in training", f"{len(names):,}: {describe_value(names)}"))
    leakage = rest.pop("leakage", None)
    if isinstance(leakage, Mapping) and "clean" in leakage:
        answer = "share nothing" if leakage["clean"] else "share cases, slides or images"
        facts.append(("Training and validation", answer))
    environment = rest.pop("environment", None)
    if isinstance(environment, Mapping):
        packages = environment.get("packages")
        known = {"breastcls": environment.get("breastcls"), "Python": environment.get("python")}
        known |= dict(packages) if isinstance(packages, Mapping) else {}
        versions = [f"{name} {version}" for name, version in known.items() if version]
        facts.append(("Trained with", ", ".join(versions)))
    return facts + flatten(rest)


def counts_in_words(counts: Mapping[str, Any]) -> str:
    """Return the counts of images, slides and cases in words.

    Example:
        >>> counts_in_words({"images": 12, "cases": 1})
        '12 images, 1 case'
    """
    words = [
        format_count(int(counts[plural]), plural[:-1])
        for plural in ("images", "slides", "cases")
        if isinstance(counts.get(plural), int | np.integer)
    ]
    return ", ".join(words) or "not known"


def flatten(content: Mapping[Any, Any], prefix: str = "") -> Facts:
    """Return a nested mapping as pairs of title and text, leaving out what is None or empty.

    Example:
        >>> flatten({"trained_on": {"images": 1200, "cases": 40}, "note": None})
        [('Trained on: images', '1,200'), ('Trained on: cases', '40')]
    """
    facts: Facts = []
    for key, value in content.items():
        name = str(key)
        title = f"{prefix}: {name.replace('_', ' ')}" if prefix else _TITLES.get(name, _title(name))
        if isinstance(value, Mapping):
            facts += flatten(value, title)
        elif value is not None and not (isinstance(value, str | Sequence) and len(value) == 0):
            facts.append((title, describe_value(value, plain=_is_label(name))))
    return facts


def describe_value(value: Any, *, plain: bool = False) -> str:
    """Return any value of a card in words; `plain` numbers are names, such as seeds, and get no separators.

    Of a file only its name is shown: a report is passed on, and the folders of its author are private.

    Example:
        >>> describe_value(True), describe_value(277524), describe_value(0.0001), describe_value(["a", "b"])
        ('yes', '277,524', '0.0001', 'a, b')
        >>> describe_value("/home/somebody/weights.h5")
        'weights.h5'
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(value) if plain else f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}" if is_defined(value) else format_number(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{title}: {text}" for title, text in flatten(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = ", ".join(describe_value(inner, plain=plain) for inner in value[:_LONGEST_LIST])
        more = len(value) - _LONGEST_LIST
        return f"{shown} and {more:,} more" if more > 0 else shown
    return file_name(str(value)) if re.match(r"/|[A-Za-z]:[\\/]", str(value)) else str(value)


def file_name(path: str) -> str:
    r"""Return the last part of a path of any system.

    Example:
        >>> file_name("/scans/a.png"), file_name(r"C:\scans\a.png")
        ('a.png', 'a.png')
    """
    return PurePath(path.replace("\\", "/")).name


def _is_label(name: str) -> bool:
    return name == "seed" or name.endswith(("_seed", "year", "id"))


def _title(name: str) -> str:
    words = name.replace("_", " ").replace("sha256", "SHA-256")
    return words[:1].upper() + words[1:]
