"""Vectors that a model of vectors is given: arrays, and their encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.datasets.vectors.vector_checks import check_vectors
from breastcls.datasets.vectors.vector_rows import Vectors, differing_entries, name_encoder
from breastcls.errors import DatasetError, EvaluationError
from breastcls.models.model_card import ModelCard


def check_given_vectors(values: Any, size: int | None) -> Vectors:
    """Return vectors float32 (n, d) that were given as an array.

    Raises:
        EvaluationError: If it is something else, has another number of components, or a number is not finite.
    """
    if isinstance(values, str | bytes) or not hasattr(values, "__array__"):
        raise EvaluationError(
            f"A model of vectors takes a Dataset with vectors, or an array (n, {size}); found {type(values).__name__}. "
            "breastcls.features.load_embeddings reads files, extract_features computes vectors of images."
        )
    try:
        vectors, _ = check_vectors(values, "The array")
    except DatasetError as error:
        raise EvaluationError(str(error)) from error
    if vectors.shape[1] != size:
        raise EvaluationError(f"The vectors have {vectors.shape[1]} components; the model takes {size}.")
    return vectors


def check_encoder(card: ModelCard | None, encoder: Mapping[str, Any]) -> None:
    """Raise `EvaluationError` if vectors were computed by another encoder than those of the training in a card."""
    training = {} if card is None else card.provenance.get("training")
    compare_encoders((training.get("encoder") if isinstance(training, Mapping) else None) or {}, encoder)


def compare_encoders(known: Mapping[str, Any], encoder: Mapping[str, Any]) -> None:
    """Raise `EvaluationError` if vectors were computed by another encoder than those that a model was trained on.

    Nothing is compared where the encoder of either is not known.

    Args:
        known: The record of the encoder of the training; empty where it is not known.
        encoder: The record of the encoder of the vectors.
    """
    differing = differing_entries(known, encoder)
    if differing:
        raise EvaluationError(
            f"The model was trained on vectors of {name_encoder(known)}, and these are of {name_encoder(encoder)} "
            f"(different: {', '.join(differing)}). Compute them with the encoder of the training."
        )
