"""The report of the audit for leakage, and its union over folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from breastcls.datasets.similar_names import SPELLING
from breastcls.errors import LeakageError
from breastcls.relative_paths import relative_paths
from breastcls.result import Result
from breastcls.text_tables import format_count

_SHOWN = 5


@dataclass(frozen=True, repr=False)
class LeakageReport(Result):
    """The findings of `audit_leakage`.

    Attributes:
        shared_cases: Cases with images in both datasets.
        shared_slides: Slides with images in both datasets.
        identical_files: Pairs (training path, test path) of files with the same bytes.
        identical_pixels: Pairs of files with the same pixels but different bytes.
        test_images: Number of test images.
        test_images_in_shared_cases: Number of test images that belong to a shared case.
        pixels_compared: Whether files and pixels were compared, and not only names.
        compared_with: The images that the test images were compared with: "training" and, if parameters were fitted on
            other images, "calibration", "threshold", "conformal" (prediction sets) or "ood" (limit of
            out-of-distribution images).
        compared_by: The names that were compared: "cases", "slides".
        root: The folder that paths in `to_dict` are relative to; their common folder if None.
        near_duplicates: Pairs of similar images: the test image is a resized, recompressed, recoloured, turned or
            mirrored copy of the training image. Each test image is listed once.
        similar_cases: Pairs (training case, test case) of names that differ in spelling only: a possible leak, unless
            they were declared distinct.
        similar_slides: The same for slides.
        test_images_in_similar_cases: Number of test images of the cases in `similar_cases`.
        identical_vectors: Pairs of rows with the same vector; each test image is listed once.
        similar_vectors: Pairs of rows whose vectors differ by less than a thousandth of their length, as by rounding or
            another engine; each test image is listed once.
        vectors_compared: Whether the vectors of both datasets were compared.
    """

    shared_cases: tuple[str, ...]
    shared_slides: tuple[str, ...]
    identical_files: tuple[tuple[str, str], ...]
    identical_pixels: tuple[tuple[str, str], ...]
    test_images: int
    test_images_in_shared_cases: int
    pixels_compared: bool = True
    compared_with: tuple[str, ...] = ("training",)
    compared_by: tuple[str, ...] = ("cases", "slides")
    root: str | None = None
    near_duplicates: tuple[tuple[str, str], ...] = ()
    similar_cases: tuple[tuple[str, str], ...] = ()
    similar_slides: tuple[tuple[str, str], ...] = ()
    test_images_in_similar_cases: int = 0
    identical_vectors: tuple[tuple[str, str], ...] = ()
    similar_vectors: tuple[tuple[str, str], ...] = ()
    vectors_compared: bool = False

    @property
    def leaking(self) -> bool:
        """Whether something is certainly shared: a case, a slide, a file, a vector, or pixels, at least nearly."""
        return bool(self.shared_cases or self.shared_slides or self._has_pairs)

    @property
    def _has_pairs(self) -> bool:
        """Whether there are pairs of equal or nearly equal files, pixels or vectors."""
        vectors = self.identical_vectors or self.similar_vectors
        return bool(self.identical_files or self.identical_pixels or self.near_duplicates or vectors)

    @property
    def possibly_leaking(self) -> bool:
        """Whether cases or slides of both have similar names, which may be two spellings of one."""
        return bool(self.similar_cases or self.similar_slides)

    @property
    def clean(self) -> bool:
        """Whether nothing is shared, or possibly shared, within the scope of `compared_with` and `compared_by`."""
        return not (self.leaking or self.possibly_leaking)

    def __str__(self) -> str:
        names = " and ".join(self.compared_by) or "no names"
        compared = f"{names}, not pixels"
        if self.pixels_compared:
            compared = f"{', '.join(self.compared_by)}, files and pixels"
        if self.vectors_compared:
            compared = f"{', '.join(self.compared_by)}{', files, pixels' if self.pixels_compared else ''} and vectors"
        others = tuple(step for step in self.compared_with if step != "training")
        sets = "Training and test images"
        if others:
            sets = f"Images used for fitting ({', '.join(self.compared_with)}) and test images"
        if self.clean:
            return f"No leakage: {sets[0].lower()}{sets[1:]} share nothing (compared: {compared})."
        lines = []
        found = self.to_dict()
        if self.leaking:
            share = self.test_images_in_shared_cases / self.test_images
            lines += [
                f"{sets} are not independent:",
                f"  {share:.0%} of the test images ({self.test_images_in_shared_cases} of {self.test_images}) belong "
                f"to a case that was also used for {'training' if not others else 'fitting'}",
                *_listing("shared case", "shared cases", self.shared_cases),
                *_listing("shared slide", "shared slides", self.shared_slides),
                *_file_lines("identical file", "identical files", found["identical_files"], "="),
                *_file_lines(
                    "file with identical pixels", "files with identical pixels", found["identical_pixels"], "="
                ),
                *_file_lines("near duplicate", "near duplicates", found["near_duplicates"], "~"),
                *_file_lines("identical vector", "identical vectors", found["identical_vectors"], "="),
                *_file_lines("similar vector", "similar vectors", found["similar_vectors"], "~"),
            ]
        if self.possibly_leaking:
            lines += [
                f"Possible leak: names of {sets[0].lower()}{sets[1:]} {SPELLING}:",
                *_listing("pair of cases", "pairs of cases", [f"{a!r} and {b!r}" for a, b in self.similar_cases]),
                *_listing("pair of slides", "pairs of slides", [f"{a!r} and {b!r}" for a, b in self.similar_slides]),
            ]
            if self.test_images_in_similar_cases:
                lines.append(f"  {self.test_images_in_similar_cases} of {self.test_images} test images belong to them")
        return "\n".join(lines)

    def raise_if_leaking(self, *, allowed: bool = False, has_argument: bool = True) -> None:
        """Raise an error if there is leakage, unless it is allowed.

        Args:
            allowed: Whether it is.
            has_argument: Whether the caller takes `allow_leakage`, which the message then names.

        Raises:
            LeakageError: If there is; the message contains the report.
        """
        if self.clean or allowed:
            return
        remedies = []
        if self.possibly_leaking:
            pair = (self.similar_cases or self.similar_slides)[0]
            remedies.append(
                f"If such a pair is one patient, write both names alike. If it is two, pass distinct=[{pair!r}] (or "
                "distinct=True for all) where the images or predictions are read."
            )
        if self.leaking:
            remedies.append("Metrics on such a test set are inflated. Split with data.split(by='case').")
        if has_argument:
            remedies.append("Or pass allow_leakage=True to continue; it is then recorded in every result.")
        elif self._has_pairs:
            remedies.append("Leave out one image of each pair, or give both images one case.")
        raise LeakageError(f"{self}\n{' '.join(remedies)}")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, with relative paths."""
        names = ("identical_files", "identical_pixels", "near_duplicates", "identical_vectors", "similar_vectors")
        pairs = [pair for name in names for pair in getattr(self, name)]
        relative = iter(relative_paths([path for pair in pairs for path in pair], self.root))
        files = {name: [[next(relative), next(relative)] for _ in getattr(self, name)] for name in names}
        return {
            "clean": self.clean,
            "shared_cases": list(self.shared_cases),
            "shared_slides": list(self.shared_slides),
            **files,
            "test_images": self.test_images,
            "test_images_in_shared_cases": self.test_images_in_shared_cases,
            "pixels_compared": self.pixels_compared,
            "vectors_compared": self.vectors_compared,
            "compared_with": list(self.compared_with),
            "compared_by": list(self.compared_by),
            "similar_cases": [list(pair) for pair in self.similar_cases],
            "similar_slides": [list(pair) for pair in self.similar_slides],
            "test_images_in_similar_cases": self.test_images_in_similar_cases,
        }


def join_reports(reports: Sequence[LeakageReport]) -> LeakageReport:
    """Combine the reports of several folds: the findings of all, over all test images.

    Args:
        reports: One per fold, at least one.
    """

    def gather(name: str) -> tuple[Any, ...]:
        return tuple(sorted({item for report in reports for item in getattr(report, name)}))

    return LeakageReport(
        shared_cases=gather("shared_cases"),
        shared_slides=gather("shared_slides"),
        identical_files=gather("identical_files"),
        identical_pixels=gather("identical_pixels"),
        near_duplicates=gather("near_duplicates"),
        identical_vectors=gather("identical_vectors"),
        similar_vectors=gather("similar_vectors"),
        vectors_compared=all(report.vectors_compared for report in reports),
        test_images=sum(report.test_images for report in reports),
        test_images_in_shared_cases=sum(report.test_images_in_shared_cases for report in reports),
        pixels_compared=all(report.pixels_compared for report in reports),
        compared_with=gather("compared_with"),
        compared_by=tuple(
            name for name in reports[0].compared_by if all(name in report.compared_by for report in reports)
        ),
        root=reports[0].root if len({report.root for report in reports}) == 1 else None,
        similar_cases=gather("similar_cases"),
        similar_slides=gather("similar_slides"),
        test_images_in_similar_cases=sum(report.test_images_in_similar_cases for report in reports),
    )


def _listing(one: str, several: str, found: Any) -> list[str]:
    if not found:
        return []
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"  {len(found)} {one if len(found) == 1 else several}: {', '.join(found[:_SHOWN])}{more}"]


def _file_lines(one: str, several: str, pairs: list[list[str]], sign: str) -> list[str]:
    """Return a line with the number of pairs of files, and a line for each of the first ones."""
    if not pairs:
        return []
    more = [f"    and {len(pairs) - _SHOWN} more"] if len(pairs) > _SHOWN else []
    shown = [f"    {train}" if train == test else f"    {train} {sign} {test}" for train, test in pairs[:_SHOWN]]
    return [f"  {format_count(len(pairs), one, several)}:", *shown, *more]
