"""Vectors that a model of vectors is given: arrays, and their encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.datasets.vectors.vector_checks import check_vectors
from breastcls.datasets.vectors.vector_rows import Vectors, name_encoder
from breastcls.errors import DatasetError, EvaluationError
from breastcls.models.model_card import ModelCard

# The entries of the record of an encoder that its vectors depend on.
_IDENTITY = ("name", "weights_sha256", "image_size", "resize", "stain", "pooling")


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
    """Raise `EvaluationError` if vectors were computed by another encoder than those that a model was trained on.

    Nothing is compared where the encoder of either is not known.
    """
    training = {} if card is None else card.provenance.get("training")
    known = training.get("encoder") if isinstance(training, Mapping) else None
    if not known or not encoder:
        return
    differing = [name for name in _IDENTITY if name in known and name in encoder and known[name] != encoder[name]]
    if differing:
        raise EvaluationError(
            f"The model was trained on vectors of {name_encoder(known)}, and these are of {name_encoder(encoder)} "
            f"(different: {', '.join(differing)}). Compute them with the encoder of the training."
        )
