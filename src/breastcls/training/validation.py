"""Scoring a model on the validation set after each epoch, by image and by case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.models.inference import run_batches
from breastcls.models.probability_rule import decide
from breastcls.models.single_output import expand_single_output

SCORES = ("val_case_balanced_accuracy", "val_balanced_accuracy", "val_accuracy", "val_loss")
"""What `score_validation` measures."""


def score_validation(model: keras.Model, batches: Iterable[Any], data: Dataset) -> dict[str, float]:
    """Predict the validation images once and score them; class weights play no part.

    Args:
        model: The model.
        batches: The images of `data` in order, as (images, labels) batches.
        data: The validation set.

    Returns:
        `val_loss` (mean cross-entropy by image), `val_accuracy`, `val_balanced_accuracy` (by image) and
        `val_case_balanced_accuracy` (cases classified by the mean probability of their images of one class).
    """
    parts = list(run_batches(model, (batch[0] for batch in batches)))
    probabilities = expand_single_output(np.concatenate(parts)).astype(np.float64)
    labels = data.labels
    chosen = np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1.0)
    decisions = decide(probabilities)
    # Each class of a case is classified separately where a case has several (IDC, three cases of BreakHis).
    keys = np.array([f"{case}\n{label}" for case, label in zip(data.cases, labels, strict=True)])
    _, first, member = np.unique(keys, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(sums, member, probabilities)
    return {
        "val_loss": float(-np.log(chosen).mean()),
        "val_accuracy": float((decisions == labels).mean()),
        "val_balanced_accuracy": _balanced_accuracy(labels, decisions),
        "val_case_balanced_accuracy": _balanced_accuracy(labels[first], decide(sums / np.bincount(member)[:, None])),
    }


def _balanced_accuracy(labels: np.ndarray, decisions: np.ndarray) -> float:
    return float(np.mean([(decisions[labels == label] == label).mean() for label in np.unique(labels)]))
