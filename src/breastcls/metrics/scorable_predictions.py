"""Predictions that can be scored: those of a model on test images, or given ones, checked in the same way."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.files import hash_file
from breastcls.metrics.classification_metrics import require_labels
from breastcls.predictions.independence import check_independence, check_same_images
from breastcls.predictions.predictions import Predictions


@dataclass(frozen=True, eq=False)
class ScorablePredictions:
    """Predictions and their origin.

    Attributes:
        predictions: With known classes, and not of the training or validation part.
        model: The Keras model; None for given predictions.
        card: The model's card; empty without one.
        fingerprints: SHA-256 of `weights` and, of a model file, `model_file`.
    """

    predictions: Predictions
    model: Any = None
    card: dict[str, Any] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)


def predict_or_take(
    source: Any, test: Dataset | None, batch_size: int = 32, tta: str | None = None, engine: str | None = None
) -> ScorablePredictions:
    """Return the predictions of a model on `test`, or given predictions, checked that they can be scored.

    Args:
        source: A `keras.Model`, the path of a `.keras` file, or `Predictions`.
        test: The images; optional for predictions.
        batch_size: Images per batch.
        tta: Test-time augmentation of a model; see `predict`.
        engine: What runs a model; see `predict`.

    Raises:
        EvaluationError: If there are no images, they are not those of the predictions, a true class is not known, or
            the predictions are of the training or validation part.
    """
    found = _take(source, test, batch_size, tta, engine)
    predictions = found.predictions
    if test is not None:
        check_same_images(predictions, test)
    require_labels(predictions)
    if predictions.part in ("train", "validation"):
        raise EvaluationError(
            f"These predictions are of the {predictions.part} part; a score on it does not estimate the "
            "performance on new cases."
        )
    return found


def scored_predictions(source: Any, test: Dataset | None, batch_size: int = 32) -> Predictions:
    """Return a model's predictions, or given predictions, checked as `evaluate` checks them.

    Raises:
        EvaluationError: If they cannot be scored.
        LeakageError: If the model's card lists a test case among its training cases.
    """
    found = predict_or_take(source, test, batch_size)
    leakage = check_independence(found.predictions, test, None, found.card.get("provenance") or {})
    if leakage is not None:
        leakage.raise_if_leaking()
    return found.predictions


def _take(
    source: Any, test: Dataset | None, batch_size: int, tta: str | None, engine: str | None
) -> ScorablePredictions:
    if isinstance(source, Predictions):
        if tta is not None:
            raise EvaluationError(f"`tta` is {tta!r}, but these predictions are made already: give it to `predict`.")
        if engine is not None:
            raise EvaluationError(f"`engine` is {engine!r}, but these predictions are made already.")
        return ScorablePredictions(source)
    if test is None:
        raise EvaluationError("A model needs images to be scored on: `evaluate(model, test)`.")
    if not isinstance(test, Dataset):
        raise EvaluationError(
            f"`test` must be a Dataset with labels, not {type(test).__name__}; `load_folder` and `load_table` make "
            "one. Images without labels can be predicted: `predict(model, images)`."
        )
    test.require_labels("Evaluation")
    # Imported here: predictions of another framework are scored without loading Keras.
    from breastcls.models.model_card import get_card
    from breastcls.models.weight_hash import hash_weights
    from breastcls.predictions.predict import predict

    fingerprints = {}
    if isinstance(source, (str, os.PathLike)):
        from breastcls.models.persistence import load_model

        path, source = source, load_model(source)
        fingerprints["model_file"] = hash_file(path)
    card = get_card(source)
    predictions = predict(source, test, batch_size=batch_size, tta=tta, engine=engine)
    # After `predict`, whose error names what is wrong with an object that is no model.
    fingerprints["weights"] = hash_weights(source)
    return ScorablePredictions(predictions, source, {} if card is None else card.to_dict(), fingerprints)
