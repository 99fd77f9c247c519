"""Finding what training and test images share: cases, slides, files, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.file_fingerprints import fingerprint_files
from breastcls.errors import LeakageError

_SHOWN = 5


@dataclass(frozen=True)
class LeakageReport:
    """What `audit_leakage` found.

    Args:
        shared_cases: Cases with images on both sides.
        shared_slides: Slides with images on both sides.
        identical_files: Pairs (train path, test path) of files with the same bytes.
        identical_pictures: Pairs of files with the same pixels but other bytes.
        test_images: Number of test images.
        test_images_in_shared_cases: How many of them belong to a shared case.
        pictures_compared: Whether files and pixels were compared, and not only names.
        compared_with: What the test images were compared with: "training", and where something was learnt elsewhere,
            "calibration", "threshold" or "conformal" (prediction sets).
        compared_by: Which names both sides have: "cases", "slides".
    """

    shared_cases: tuple[str, ...]
    shared_slides: tuple[str, ...]
    identical_files: tuple[tuple[str, str], ...]
    identical_pictures: tuple[tuple[str, str], ...]
    test_images: int
    test_images_in_shared_cases: int
    pictures_compared: bool = True
    compared_with: tuple[str, ...] = ("training",)
    compared_by: tuple[str, ...] = ("cases", "slides")

    @property
    def clean(self) -> bool:
        """True if nothing is shared, as far as `compared_with` and `compared_by` reach."""
        return not (self.shared_cases or self.shared_slides or self.identical_files or self.identical_pictures)

    def __str__(self) -> str:
        names = " and ".join(self.compared_by) or "no names"
        compared = f"{names}, not pixels"
        if self.pictures_compared:
            compared = f"{', '.join(self.compared_by)}, files and pixels"
        others = tuple(step for step in self.compared_with if step != "training")
        sides = "Train and test" if not others else f"What was learnt from ({', '.join(self.compared_with)}) and test"
        if self.clean:
            return f"No leak: {sides[0].lower()}{sides[1:]} share nothing (compared: {compared})."
        share = self.test_images_in_shared_cases / self.test_images
        lines = [
            f"{sides} are not independent:",
            f"  {share:.0%} of the test images ({self.test_images_in_shared_cases} of {self.test_images}) belong to a "
            f"case that is in {'train' if not others else 'it'} too",
            *_listing("shared cases", self.shared_cases),
            *_listing("shared slides", self.shared_slides),
            *_listing("identical files", [f"{a} = {b}" for a, b in self.identical_files]),
            *_listing("identical pictures in other files", [f"{a} = {b}" for a, b in self.identical_pictures]),
        ]
        return "\n".join(lines)

    def raise_if_leaking(self, *, allowed: bool = False) -> None:
        """Refuse a leak unless it is allowed.

        Raises:
            LeakageError: With the whole report.
        """
        if not self.clean and not allowed:
            raise LeakageError(
                f"{self}\nScores on such a test set are inflated. Split with data.split(by='case'), or pass "
                "allow_leakage=True to go on; it is then written into every result."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON."""
        return {
            "clean": self.clean,
            "shared_cases": list(self.shared_cases),
            "shared_slides": list(self.shared_slides),
            "identical_files": [list(pair) for pair in self.identical_files],
            "identical_pictures": [list(pair) for pair in self.identical_pictures],
            "test_images": self.test_images,
            "test_images_in_shared_cases": self.test_images_in_shared_cases,
            "pictures_compared": self.pictures_compared,
            "compared_with": list(self.compared_with),
            "compared_by": list(self.compared_by),
        }


def audit_leakage(train: Dataset, test: Dataset, *, pictures: bool = True) -> LeakageReport:
    """Compare two datasets for whatever would make a score on the second too good.

    Pictures of one single colour are not compared: empty glass looks the same in every slide.

    Args:
        train: What a model was or will be fitted on; add validation images with `train + val`.
        test: What it will be scored on.
        pictures: Whether to compare files and pixels too. Every image is then read once, some 250 a second and
            processor; the hashes are remembered.

    Returns:
        A report that prints, and serialises by `to_dict`.

    Raises:
        ImageError: If a file cannot be read.

    Example:
        >>> a = Dataset.from_columns(("b", "m"), path=["1.png", "2.png"], label=["b", "m"], case=["x", "y"])
        >>> print(audit_leakage(a[:1], a[1:], pictures=False))
        No leak: train and test share nothing (compared: cases and slides, not pixels).
    """
    cases = np.intersect1d(train.cases.astype(str), test.cases.astype(str))
    slides = np.intersect1d(train.slides.astype(str), test.slides.astype(str))
    files: list[tuple[str, str]] = []
    pixels: list[tuple[str, str]] = []
    if pictures and len(train) and len(test):
        prints = fingerprint_files(train.paths + test.paths)
        left, right = prints.iloc[: len(train)], prints.iloc[len(train) :]
        for column, pairs in (("bytes", files), ("pixels", pixels)):
            first = dict(zip(left[column], train.paths, strict=True))
            for value, empty, path in zip(right[column], right["pixels"].isna(), test.paths, strict=True):
                if not empty and value in first:
                    pairs.append((first[value], path))
    by_bytes = set(files)
    return LeakageReport(
        tuple(cases.tolist()),
        tuple(slides.tolist()),
        tuple(files),
        tuple(pair for pair in pixels if pair not in by_bytes),
        len(test),
        int(np.isin(test.cases.astype(str), cases).sum()),
        pictures,
    )


def join_reports(reports: Sequence[LeakageReport]) -> LeakageReport:
    """Put the audits of several folds together: what any of them found, over all test images.

    Args:
        reports: One a fold, at least one.
    """

    def gather(name: str) -> tuple[Any, ...]:
        return tuple(sorted({item for report in reports for item in getattr(report, name)}))

    return LeakageReport(
        shared_cases=gather("shared_cases"),
        shared_slides=gather("shared_slides"),
        identical_files=gather("identical_files"),
        identical_pictures=gather("identical_pictures"),
        test_images=sum(report.test_images for report in reports),
        test_images_in_shared_cases=sum(report.test_images_in_shared_cases for report in reports),
        pictures_compared=all(report.pictures_compared for report in reports),
        compared_with=gather("compared_with"),
        compared_by=tuple(
            name for name in reports[0].compared_by if all(name in report.compared_by for report in reports)
        ),
    )


def _listing(what: str, found: Any) -> list[str]:
    if not found:
        return []
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"  {len(found)} {what}: {', '.join(found[:_SHOWN])}{more}"]
