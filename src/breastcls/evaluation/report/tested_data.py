"""What was tested, on which data, when and by which versions, for the first page of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.datasets.subtype_names import describe_subtype
from breastcls.datasets.vectors.vector_rows import name_encoder
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.evaluation_origin import date_in_words, versions_in_words
from breastcls.evaluation.report.blocks import Cell, Column, Facts, Table
from breastcls.evaluation.report.provenance import counts_in_words
from breastcls.evaluation.report.table_cells import count_cell, text_cell
from breastcls.metrics.number_format import format_count, format_number, join_words
from breastcls.models.embedding_model import EMBEDDINGS
from breastcls.models.probability_rule import DEFAULT_THRESHOLD
from breastcls.models.weights_licence import weights_licence

_PARTS = {"train": "Training", "val": "Validation"}


def data_facts(evaluation: EvaluationData) -> Facts:
    """Return what was tested on what, when and by which versions; what is not known is left out."""
    training = _training_data(evaluation)
    facts = [
        ("Model", model_in_words(evaluation.model)),
        ("Licence of the weights", weights_licence(evaluation.model)),
        ("Test data", str(evaluation.origin.get("test_data", ""))),
        ("Training data", _named(evaluation.origin.get("train_data"), training)),
        ("Predicted class", decision_rule(evaluation)),
        ("Scored by", _unit(evaluation)),
        ("Date", date_in_words(evaluation.origin)),
        ("Versions", versions_in_words(evaluation.origin)),
    ]
    return [(title, text) for title, text in facts if text]


def lead_in_words(evaluation: EvaluationData) -> str:
    """Return what was tested on what, in one sentence."""
    model = evaluation.model.get("backbone")
    weights = evaluation.model.get("weights")
    origin = f"the weights {weights}" if weights else "random weights"
    subject = "The model" if not model else f"{model}, trained from {origin},"
    if model == EMBEDDINGS:
        subject = f"A {vectors_in_words(evaluation.model)}"
    classes = evaluation.classes
    task = (
        f"{classes[0]} against {classes[-1]} (the positive class)" if len(classes) == 2 else f"{len(classes)} classes"
    )
    return f"{subject} was tested on {sample_in_words(evaluation)}: {task}."


def sample_in_words(evaluation: EvaluationData) -> str:
    """Return the counts in words, such as "839 images of 48 slides from 40 cases"."""
    counts = evaluation.counts
    words = format_count(counts["images"], "image")
    if counts.get("slides"):
        words += f" of {format_count(counts['slides'], 'slide')}"
    return f"{words} from {format_count(counts['cases'], 'case')}" if counts.get("cases") else words


def model_in_words(model: Mapping[str, Any]) -> str:
    """Return the architecture of a model and its initial weights.

    Example:
        >>> model_in_words({"backbone": "cnn4", "weights": None, "image_size": (80, 128)})
        'cnn4, random initial weights, input of 80 × 128 pixels'
    """
    if not model:
        return "not recorded: only its predictions were given"
    if model.get("backbone") == EMBEDDINGS:
        return vectors_in_words(model)
    parts = [str(model.get("backbone") or "not built by breastcls")]
    if model.get("backbone"):
        weights = model.get("weights")
        parts.append(f"initial weights {weights}" if weights else "random initial weights")
    size = model.get("image_size")
    if size:
        parts.append(f"input of {size[0]} × {size[1]} pixels")
    return ", ".join(parts)


def vectors_in_words(model: Mapping[str, Any]) -> str:
    """Return what a model of vectors is, with the encoder of its training vectors where it is known.

    Example:
        >>> encoder = {"name": "mobilenet", "image_size": [224, 224]}
        >>> vectors_in_words({"head": "linear", "provenance": {"training": {"encoder": encoder}}})
        'classifier (linear) of the vectors of mobilenet (224x224)'
    """
    training = (model.get("provenance") or {}).get("training")
    encoder = training.get("encoder") if isinstance(training, Mapping) else None
    known = f"the vectors of {name_encoder(encoder)}" if encoder else "vectors of an encoder that is not recorded"
    return f"classifier ({model.get('head')}) of {known}"


def decision_rule(evaluation: EvaluationData) -> str:
    """Return how the class is predicted from the probabilities, in words."""
    threshold, classes = evaluation.predictions.threshold, evaluation.classes
    if threshold is None and len(classes) > 2:
        return "the most probable class"
    value = format_number(DEFAULT_THRESHOLD if threshold is None else threshold)
    return f"{classes[-1]} (positive class) from a probability of {value}"


def kinds_in_words(evaluation: EvaluationData) -> Facts:
    """Return the magnifications and subtypes of the test images, where known."""
    predictions = evaluation.predictions if evaluation.images is None else evaluation.images
    facts = []
    if predictions.magnifications is not None:
        times = sorted({int(value) for value in predictions.magnifications if value > 0})
        facts.append(("Magnification", join_words([f"{value}×" for value in times])))
    if predictions.subtypes is not None:
        codes = sorted({str(value) for value in predictions.subtypes if value})
        facts.append(("Subtypes", "; ".join(describe_subtype(code) for code in codes)))
    unknown = int((predictions.labels < 0).sum())
    if unknown:
        facts.append(("Without a known label", f"{format_count(unknown, predictions.level)}, not scored"))
    return [(title, text) for title, text in facts if text]


def count_table(evaluation: EvaluationData) -> Table:
    """Return the cases and images of each class in the test set, and in training and validation where recorded."""
    recorded = {part: _by_class(evaluation, part) for part in _PARTS}
    columns = [Column("Class", "text"), Column("Test cases", "number"), Column("Test images", "number")]
    columns += [Column(f"{title} cases", "number") for part, title in _PARTS.items() if recorded[part]]
    rows = []
    for name, counts in evaluation.counts["classes"].items():
        cells = [text_cell(name), count_cell(counts["cases"]), count_cell(counts["images"])]
        for by_class in recorded.values():
            if by_class:
                of_class = by_class.get(name) or {}
                cells.append(count_cell(of_class["cases"]) if "cases" in of_class else Cell("not known", ""))
        rows.append(tuple(cells))
    return Table("Cases and images of each class", tuple(columns), tuple(rows), sortable=False)


def _unit(evaluation: EvaluationData) -> str:
    method = evaluation.settings["aggregation"]["method"]
    if evaluation.unit == "image":
        return "image"
    return f"{evaluation.unit}, its images aggregated by {method or 'a method that is not recorded'}"


def _training_data(evaluation: EvaluationData) -> str:
    data = _recorded(evaluation)
    words = [
        f"{counts_in_words(data[part])} for {title.lower()}"
        for part, title in _PARTS.items()
        if isinstance(data.get(part), Mapping)
    ]
    return join_words(words)


def _by_class(evaluation: EvaluationData, part: str) -> Mapping[str, Any]:
    counts = _recorded(evaluation).get(part)
    by_class = counts.get("by_class") if isinstance(counts, Mapping) else None
    return by_class if isinstance(by_class, Mapping) else {}


def _recorded(evaluation: EvaluationData) -> Mapping[str, Any]:
    """Return what `fit` recorded of the training data in the model's card."""
    found: Any = evaluation.model
    for key in ("provenance", "training", "data"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _named(name: Any, counts: str) -> str:
    return ": ".join(str(part) for part in (name, counts) if part)
