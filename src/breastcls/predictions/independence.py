"""Whether what is scored is independent of what was learnt from."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.leakage import LeakageReport, audit_leakage
from breastcls.errors import EvaluationError
from breastcls.models.training_cases import UNITS, list_trained_names
from breastcls.predictions.predictions import Predictions

# Whatever was chosen by looking at images was learnt from them.
LEARNING_STEPS = ("training", "calibration", "threshold", "conformal")
# The same images, as predictions and, where they are there, as a dataset.
Scored = Sequence[Predictions | Dataset]


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
            a calibration and prediction sets, which ones they were chosen on. What predictions carry of their
            calibration counts as well.

    Returns:
        The report, or None where no leak was found and the training was not looked at: nothing is known of it, or
        neither the cases nor the slides of the scored images are. A leak elsewhere, such as in the choice of the
        threshold, is reported all the same.
    """
    # Predictions of another framework may name their cases otherwise than the dataset does; both are looked at.
    own = (predictions,) if test is None else (predictions, test)
    report = _compare_names(own, _records(predictions, provenance))
    if train is not None:
        given = {"training": {"cases": train.cases, "slides": train.slides}}
        audit = _compare_names(own, given) if test is None else audit_leakage(train, test)
        # The model may have seen more than the training set that was handed in.
        report = _join(audit, report, own)
    # That the threshold was chosen elsewhere says nothing of the training, and nothing compared is nothing found.
    return None if report.clean and "training" not in report.compared_with else report


def audit_validation(train: Dataset, val: Dataset, provenance: Mapping[str, Any]) -> LeakageReport:
    """Compare the images to choose the best epoch by with those to learn from, and with what was learnt from before.

    Args:
        train: What is going to be learnt from.
        val: What the best epoch is going to be chosen by.
        provenance: Of the model's card: one that was trained before may know these cases already. What it chose its
            best epoch by then may serve again.
    """
    before = provenance.get("training")
    learnt = {"training": {unit: sorted(list_trained_names(before, unit)) for unit in UNITS}}
    return _join(audit_leakage(train, val), _compare_names((val,), learnt), (val,))


def audit_test(test: Dataset, provenance: Mapping[str, Any]) -> LeakageReport:
    """Compare test images with all that a model has looked at before, as its card tells.

    Args:
        test: Images that the model is going to be judged on.
        provenance: Of the model's card.
    """
    found = {step: provenance[step] for step in LEARNING_STEPS if isinstance(provenance.get(step), Mapping)}
    return _compare_names((test,), found)


def count_shared_cases(predictions: Predictions, cases: Collection[Any]) -> int | None:
    """Return how many of the cases that something was learnt from are among those of the predictions.

    None where it cannot be told, since one side or the other has no names.

    Example:
        >>> some = Predictions.from_arrays(probabilities=[0.9], labels=[1], cases=["a"], classes=("no", "yes"))
        >>> count_shared_cases(some, ["a", "b"]), count_shared_cases(some, ["b"]), count_shared_cases(some, [])
        (1, 0, None)
    """
    own = _known(predictions.cases)
    return len(own & set(map(str, cases))) if own and len(cases) else None


def _records(predictions: Predictions, provenance: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what is recorded of each step that learnt from images: the names it saw, under "cases" and "slides"."""
    found = {step: provenance[step] for step in LEARNING_STEPS if isinstance(provenance.get(step), Mapping)}
    carried = predictions.calibration
    if carried is not None:
        seen = (*found.get("calibration", {}).get("cases", ()), *carried.get("cases", ()))
        found["calibration"] = {**carried, "cases": seen}
    return found


def _compare_names(scored: Scored, records: Mapping[str, Mapping[str, Any]]) -> LeakageReport:
    own = {
        "cases": set().union(*(_known(one.cases) for one in scored)),
        "slides": set().union(*(_known(one.slides) for one in scored)),
    }
    shared: dict[str, set[str]] = {"cases": set(), "slides": set()}
    compared: dict[str, list[str]] = {}
    for step, record in records.items():
        for what, names in own.items():
            seen = set(map(str, _names(record, what)))
            if seen and names:
                compared.setdefault(step, []).append(what)
                shared[what] |= names & seen
    return LeakageReport(
        shared_cases=tuple(sorted(shared["cases"])),
        shared_slides=tuple(sorted(shared["slides"])),
        identical_files=(),
        identical_pixels=(),
        test_images=len(scored[0]),
        test_images_in_shared_cases=_count_images(scored, shared["cases"]),
        pixels_compared=False,
        compared_with=tuple(step for step in LEARNING_STEPS if step in compared),
        compared_by=tuple(what for what in own if any(what in names for names in compared.values())),
    )


def _join(audit: LeakageReport, of_names: LeakageReport, scored: Scored) -> LeakageReport:
    """Return an audit with what the names of further records add to it."""
    cases = {*audit.shared_cases, *of_names.shared_cases}
    return dataclasses.replace(
        audit,
        shared_cases=tuple(sorted(cases)),
        shared_slides=tuple(sorted({*audit.shared_slides, *of_names.shared_slides})),
        test_images_in_shared_cases=_count_images(scored, cases),
        compared_with=tuple(
            step for step in LEARNING_STEPS if step in audit.compared_with or step in of_names.compared_with
        ),
        compared_by=tuple(
            what for what in ("cases", "slides") if what in audit.compared_by or what in of_names.compared_by
        ),
    )


def _count_images(scored: Scored, cases: set[str]) -> int:
    inside = np.zeros(len(scored[0]), dtype=bool)
    for one in scored:
        if one.cases is not None:
            inside |= np.isin(one.cases.astype(str), sorted(cases))
    return int(inside.sum())


def _names(record: Mapping[str, Any], what: str) -> Collection[Any]:
    names = record.get(what)
    return () if names is None else names


def _known(names: npt.NDArray[Any] | None) -> set[str]:
    return set() if names is None else set(names.astype(str).tolist()) - {""}


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
