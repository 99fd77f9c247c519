"""Whether what is scored is independent of what was learnt from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.leakage import LeakageReport, audit_leakage
from breastcls.errors import EvaluationError
from breastcls.evaluation.predictions import Predictions

# Whatever was chosen by looking at images was learnt from them.
LEARNING_STEPS = ("training", "calibration", "threshold", "conformal")


def check_independence(
    predictions: Predictions,
    test: Dataset | None,
    train: Dataset | None,
    provenance: Mapping[str, Any],
) -> LeakageReport | None:
    """Compare the scored images with the training set, and with what the model says it was trained on.

    Args:
        predictions: What is scored, by image.
        test: The same images as a dataset, where there is one: then files and pixels are compared too.
        train: The training set, or None.
        provenance: The provenance of the model's card; `fit` writes there which cases and slides it saw; a threshold,
            a calibration and prediction sets, which ones they were chosen on.

    Returns:
        The report, or None where nothing is known of the training.
    """
    cases, slides = _seen(provenance, "cases"), _seen(provenance, "slides")
    from_card = _compare_names(predictions, cases, slides)
    if train is None:
        return from_card if cases or slides else None
    report = _compare_names(predictions, train.cases, train.slides) if test is None else audit_leakage(train, test)
    if report.clean and not from_card.clean:
        # The model saw more than the training set that was handed in.
        return from_card
    return report


def _seen(provenance: Mapping[str, Any], what: str) -> set[str]:
    seen: set[str] = set()
    for step in LEARNING_STEPS:
        record = provenance.get(step)
        if isinstance(record, Mapping):
            seen.update(str(name) for name in record.get(what) or ())
    return seen


def _compare_names(predictions: Predictions, cases: Iterable[Any], slides: Iterable[Any]) -> LeakageReport:
    own_cases = np.array([]) if predictions.cases is None else predictions.cases.astype(str)
    own_slides = np.array([]) if predictions.slides is None else predictions.slides.astype(str)
    shared_cases = sorted(set(own_cases.tolist()) & {str(name) for name in cases})
    shared_slides = sorted((set(own_slides.tolist()) & {str(name) for name in slides}) - {""})
    return LeakageReport(
        shared_cases=tuple(shared_cases),
        shared_slides=tuple(shared_slides),
        identical_files=(),
        identical_pictures=(),
        test_images=len(predictions),
        test_images_in_shared_cases=int(np.isin(own_cases, shared_cases).sum()),
        pictures_compared=False,
    )


def check_same_images(predictions: Predictions, test: Dataset) -> None:
    """Raise `EvaluationError` unless the predictions can be those of the dataset's images, in its order."""
    if predictions.level != "image" or len(predictions) != len(test):
        raise EvaluationError(
            f"There are {len(predictions)} predictions by {predictions.level} and {len(test)} test images; give the "
            "predictions of exactly these images, in their order, or leave `test` out."
        )
    if predictions.classes != test.classes:
        raise EvaluationError(f"The predictions' classes are {predictions.classes}, the test set's {test.classes}.")
    if not np.array_equal(predictions.labels, test.labels):
        differing = int((predictions.labels != test.labels).sum())
        raise EvaluationError(
            f"The labels of {differing} predictions are not those of the test images; are they in the same order?"
        )
    if predictions.paths is not None and not np.array_equal(predictions.paths, np.array(test.paths, dtype=object)):
        raise EvaluationError("The predictions' paths are not those of the test images, in their order.")
