"""The result of the leakage audit in words."""

from __future__ import annotations

from collections.abc import Sequence

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import Verdict
from breastcls.evaluation.report.provenance import Facts, file_name
from breastcls.metrics.number_format import join_words

_LONGEST_LISTING = 8
_FITTED = {
    "calibration": "the calibration",
    "threshold": "the threshold",
    "conformal": "the prediction sets",
    "ood": "the limit of out-of-distribution images",
}


def audit_verdict(evaluation: EvaluationData) -> Verdict:
    """Return the result of the leakage audit in words."""
    report = evaluation.leakage
    if report is None:
        return Verdict(
            "caution",
            "Leaks were not checked.",
            "No training images were given, or their cases and slides could not be compared with the test images. If a "
            "case, slide or image is in both sets, every value here is too optimistic.",
        )
    if report.clean and not ("training" in report.compared_with and (report.compared_by or report.pixels_compared)):
        return Verdict(
            "caution",
            "The training set was not checked for leaks.",
            "The cases, slides and files of the training images were not compared with these. If any is in both "
            "sets, every value here is too optimistic.",
        )
    if report.clean and report.pixels_compared:
        return Verdict(
            "good",
            "No leak was found.",
            "No case or slide of these images, and no copy of them, was found among the training images.",
        )
    if report.clean:
        return Verdict(
            "good",
            "No leak was found by name.",
            f"No {' or '.join(name.removesuffix('s') for name in report.compared_by)} of these images was found among "
            "the training images. Their pixels were not compared.",
        )
    consequence = (
        "The evaluation was continued because the caller allowed it (allow_leakage=True). Every value here is too "
        "optimistic."
    )
    if "training" not in report.compared_with:
        fitted = join_words([_FITTED[step] for step in report.compared_with])
        found = "a possible leak" if not report.leaking else "a leak"
        return Verdict("bad", f"There is {found}: {fitted} used cases that are scored here.", consequence)
    if not report.leaking:
        return Verdict(
            "bad",
            "There is a possible leak: training and test images have similar names.",
            "Names of cases or slides in both sets differ in letter case, leading zeros, separators or accents only. "
            "If they are of the same patients, every value here is too optimistic. The evaluation was continued "
            "because the caller allowed it (allow_leakage=True).",
        )
    return Verdict("bad", "There is a leak: training and test images are not independent.", consequence)


def audit_facts(evaluation: EvaluationData) -> Facts:
    """Return the counts of the audit and the first few names, files without their folders."""
    report = evaluation.leakage
    if report is None:
        return []
    facts = [
        (f"Shared {name}", _listing(shared))
        for name, shared in (("cases", report.shared_cases), ("slides", report.shared_slides))
        if name in report.compared_by
    ]
    facts += [
        (f"Similar names of {name}", _listing([" and ".join(pair) for pair in pairs]))
        for name, pairs in (("cases", report.similar_cases), ("slides", report.similar_slides))
        if pairs
    ]
    if report.pixels_compared:
        facts.append(("Identical files", _listing([_pair(pair) for pair in report.identical_files])))
        facts.append(("Same pixels, other file", _listing([_pair(pair) for pair in report.identical_pixels])))
        facts.append(("Near duplicates", _listing([_pair(pair) for pair in report.near_duplicates])))
    if report.vectors_compared:
        facts.append(("Identical vectors", _listing([_pair(pair) for pair in report.identical_vectors])))
        facts.append(("Similar vectors", _listing([_pair(pair) for pair in report.similar_vectors])))
    if report.test_images_in_shared_cases:
        share = f"{report.test_images_in_shared_cases:,} of {report.test_images:,}"
        percent = 100 * report.test_images_in_shared_cases / report.test_images
        title = "Images of a case that is in the training set too"
        if tuple(report.compared_with) != ("training",):
            title = f"Images of a case that was used before ({join_words(list(report.compared_with))})"
        facts.append((title, f"{share} ({percent:.0f}%)"))
    return facts


def _listing(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = len(names) - _LONGEST_LISTING
    shown = ", ".join(names[:_LONGEST_LISTING])
    return f"{len(names):,}: {shown} and {more:,} more" if more > 0 else f"{len(names):,}: {shown}"


def _pair(paths: tuple[str, str]) -> str:
    return " = ".join(file_name(path) for path in paths)
