"""Independence of the scored images from those that the model, calibration or threshold was fitted on."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.leakage import audit_leakage
from breastcls.datasets.leakage_report import LeakageReport
from breastcls.errors import EvaluationError
from breastcls.identifiers import format_name, similar_pairs
from breastcls.models.training_cases import UNITS, list_trained_names
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import choose_form, format_count

# The steps that use images: each must have used other cases than those that are scored.
FITTING_STEPS = ("training", "calibration", "threshold", "conformal", "ood")
# The same images, as predictions and, where given, as a dataset.
Scored = Sequence[Predictions | Dataset]


def check_independence(
    predictions: Predictions,
    test: Dataset | None,
    train: Dataset | None,
    provenance: Mapping[str, Any],
) -> LeakageReport | None:
    """Compare the scored images with the training set, and with the training record in the card.

    Args:
        predictions: The scored predictions, by image.
        test: The same images as a dataset, or None: then files and pixels are not compared.
        train: The training set, or None.
        provenance: The provenance in the card of the model: the cases and slides that `fit` used, and those that a
            threshold, a calibration and prediction sets were fitted on. The calibration record of the predictions is
            used as well.

    Returns:
        The report, or None where no leak was found and the training set was not compared, because it, or the cases and
        slides of the scored images, are not known. A leak in another step, such as the choice of the threshold, is
        always reported.
    """
    # Predictions of another framework may name their cases differently from the dataset; both are compared.
    own = (predictions,) if test is None else (predictions, test)
    report = _compare_names(own, _records(predictions, provenance))
    if train is not None:
        given = {"training": {what: _known_names(train, what) for what in UNITS}}
        audit = (
            _compare_names(own, given, train.distinct)
            if test is None
            else audit_leakage(train, test, distinct=predictions.distinct)
        )
        # The model may have been trained on more than the given training set.
        report = _join(audit, report, own)
    # A comparison of other steps alone is no evidence that the training set is independent.
    return None if report.clean and "training" not in report.compared_with else report


def audit_validation(train: Dataset, val: Dataset, provenance: Mapping[str, Any]) -> LeakageReport:
    """Compare the validation images with the training images, and with those of earlier trainings.

    Args:
        train: The training images.
        val: The validation images, by which the best epoch is chosen.
        provenance: Of the card: the model may have been trained on these cases before. Validation cases of earlier
            trainings may be used again.
    """
    before = provenance.get("training")
    trained = {"training": {unit: sorted(list_trained_names(before, unit)) for unit in UNITS}}
    return _join(audit_leakage(train, val), _compare_names((val,), trained), (val,))


def audit_test(test: Dataset, provenance: Mapping[str, Any]) -> LeakageReport:
    """Compare test images with all images in the record of a card.

    Args:
        test: The test images.
        provenance: Of the card of the model.
    """
    found = {step: provenance[step] for step in FITTING_STEPS if isinstance(provenance.get(step), Mapping)}
    return _compare_names((test,), found)


def count_shared_cases(predictions: Predictions, cases: Collection[Any]) -> int | None:
    """Return how many of the given cases are among those of the predictions.

    None where it is not known, because the cases of either are missing.

    Example:
        >>> some = Predictions.from_arrays(probabilities=[0.9], labels=[1], cases=["a"], classes=("no", "yes"))
        >>> count_shared_cases(some, ["a", "b"]), count_shared_cases(some, ["b"]), count_shared_cases(some, [])
        (1, 0, None)
    """
    own = _known_names(predictions, "cases")
    return len(own & set(map(format_name, cases))) if own and len(cases) else None


def _records(predictions: Predictions, provenance: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the record of each fitting step: the names of its images under "cases" and "slides"."""
    found = {step: provenance[step] for step in FITTING_STEPS if isinstance(provenance.get(step), Mapping)}
    record = predictions.calibration
    if record is not None:
        seen = (*found.get("calibration", {}).get("cases", ()), *record.get("cases", ()))
        found["calibration"] = {**record, "cases": seen}
    return found


def _compare_names(
    scored: Scored, records: Mapping[str, Mapping[str, Any]], distinct: frozenset[str] = frozenset()
) -> LeakageReport:
    own = {what: set[str]().union(*(_known_names(one, what) for one in scored)) for what in UNITS}
    different = distinct.union(*(one.distinct for one in scored))
    shared: dict[str, set[str]] = {what: set() for what in UNITS}
    similar: dict[str, set[tuple[str, str]]] = {what: set() for what in UNITS}
    compared: dict[str, list[str]] = {}
    for step, record in records.items():
        for what, names in own.items():
            seen = set(map(format_name, _names(record, what)))
            if seen and names:
                compared.setdefault(step, []).append(what)
                shared[what] |= names & seen
                similar[what].update(similar_pairs(seen, names, different))
    return LeakageReport(
        shared_cases=tuple(sorted(shared["cases"])),
        shared_slides=tuple(sorted(shared["slides"])),
        identical_files=(),
        identical_pixels=(),
        test_images=len(scored[0]),
        test_images_in_shared_cases=_count_images(scored, shared["cases"]),
        pixels_compared=False,
        compared_with=tuple(step for step in FITTING_STEPS if step in compared),
        compared_by=tuple(what for what in own if any(what in names for names in compared.values())),
        similar_cases=tuple(sorted(similar["cases"])),
        similar_slides=tuple(sorted(similar["slides"])),
        test_images_in_similar_cases=_count_images(scored, {pair[1] for pair in similar["cases"]}),
    )


def _join(audit: LeakageReport, of_names: LeakageReport, scored: Scored) -> LeakageReport:
    """Return an audit extended by the shared names of further records."""
    cases = {*audit.shared_cases, *of_names.shared_cases}
    similar = {*audit.similar_cases, *of_names.similar_cases}
    return dataclasses.replace(
        audit,
        shared_cases=tuple(sorted(cases)),
        shared_slides=tuple(sorted({*audit.shared_slides, *of_names.shared_slides})),
        test_images_in_shared_cases=_count_images(scored, cases),
        compared_with=tuple(
            step for step in FITTING_STEPS if step in audit.compared_with or step in of_names.compared_with
        ),
        compared_by=tuple(what for what in UNITS if what in audit.compared_by or what in of_names.compared_by),
        similar_cases=tuple(sorted(similar)),
        similar_slides=tuple(sorted({*audit.similar_slides, *of_names.similar_slides})),
        test_images_in_similar_cases=_count_images(scored, {pair[1] for pair in similar}),
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


def _known_names(data: Predictions | Dataset, what: str) -> set[str]:
    """Return the names of the cases or slides, without those that stand for unknown ones."""
    if isinstance(data, Dataset):
        case = data.table["case"]
        return set((case if what == "cases" else data.table["slide"].fillna(case)).dropna().tolist())
    names = getattr(data, what)
    return set() if names is None else set(names.astype(str).tolist()) - {""}


def _same_files(predictions: Predictions, test: Dataset) -> bool:
    """Return whether the files are the same; predictions that were read from a CSV file have relative paths."""
    if np.array_equal(predictions.paths, test.paths):  # type: ignore[arg-type]
        return True
    written, own = predictions.relative_paths, test.relative_paths
    assert written is not None, "predictions with paths"
    # The common folder of a part of the images may be below that of all.
    return all(f"/{name}".endswith(f"/{other}") for name, other in zip(own, written, strict=True))


def check_same_images(predictions: Predictions, test: Dataset) -> None:
    """Raise `EvaluationError` unless the predictions match the images of the dataset, in its order."""
    if predictions.level != "image" or len(predictions) != len(test):
        raise EvaluationError(
            f"There are {format_count(len(predictions), 'prediction')} by {predictions.level} and {len(test)} test "
            "images; give the "
            "predictions of exactly these images, in their order, or leave `test` out."
        )
    if predictions.classes != test.classes:
        raise EvaluationError(f"The predictions' classes are {predictions.classes}, the test set's {test.classes}.")
    if not np.array_equal(predictions.labels, test.labels):
        differing = int((predictions.labels != test.labels).sum())
        raise EvaluationError(
            f"The labels of {format_count(differing, 'prediction')} {choose_form(differing, 'differs', 'differ')} "
            "from those of the test images; check the order."
        )
    if predictions.paths is not None and not _same_files(predictions, test):
        raise EvaluationError(
            "The paths of the predictions differ from those of the test images; give predictions in the same order."
        )
