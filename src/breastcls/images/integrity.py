"""Looking through all images before a long run: what cannot be read, what is empty, what is there twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import ImageError
from breastcls.images.decode import decode_image, hash_array, read_bytes
from breastcls.images.formats import DamagedImageError, inspect_bytes
from breastcls.images.image_source import run_in_threads
from breastcls.images.perceptual_hash import find_near_pairs, perceptual_hash
from breastcls.images.progress_bar import progress_bar

PROBLEMS = {
    "missing": "the file is not there or may not be read",
    "zero-byte": "the file is empty",
    "truncated": "the file ends before the picture does",
    "unreadable": "the file is damaged or not an image",
    "blank": "the whole picture is of one colour",
    "near-constant": "the picture is almost of one colour",
    "flat-part": "the lower part of the picture is of one colour, as a damaged JPEG leaves it",
    "odd-size": "the size is unlike that of the other images",
    "same-file": "the file is an exact copy of an earlier one",
    "same-pixels": "the picture is that of an earlier file, pixel for pixel",
    "near-duplicate": "the picture looks like that of an earlier file",
}
"""What `check_images` finds, in order of weight."""

_DROPPED = frozenset(("missing", "zero-byte", "truncated", "unreadable", "blank", "same-file", "same-pixels"))
_COLUMNS = {
    "row": "int64",
    "path": "string",
    "problem": "string",
    "detail": "string",
    "other": "string",
    "across_cases": "boolean",
    "drop": "bool",
}
_SIZE_TOLERANCE = 0.1
_FLAT_SHARE = 8


@dataclass(frozen=True)
class _Look:
    """What one look at a file found."""

    problem: str = ""
    detail: str = ""
    size: tuple[int, int] = (0, 0)
    spread: float = 0.0
    file_hash: bytes = b""
    pixel_hash: bytes = b""
    look_hash: int = 0
    flat_rows: int = 0


def check_images(
    paths: Sequence[str],
    *,
    cases: Sequence[Any] | None = None,
    near_constant: float = 4.0,
    near_distance: int | None = 4,
    workers: int | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Read every image once and list what is wrong.

    Args:
        paths: Image files.
        cases: The case of each image, to tell copies within a case from copies across cases, which leak.
        near_constant: Standard deviation, in grey levels of the most varied channel, below which an image counts as
            almost of one colour.
        near_distance: Bits of 64 in which the perceptual hashes of two images that look alike may differ, 0 to 7;
            None not to look for them.
        workers: Threads; as many as processors by default.
        progress: Whether to show a progress bar; by default if standard error is a terminal.

    Returns:
        One row a finding, by order of the images, with the columns `row` (position in `paths`), `path`, `problem` (a
        key of `PROBLEMS`), `detail`, `other` (the earlier copy, for copies), `across_cases` (whether that is of
        another case) and `drop` (whether the image should be left out: it cannot be read, is blank, or is an exact
        copy).

    Raises:
        ValueError: If `cases` does not fit `paths`.
    """
    if cases is not None and len(cases) != len(paths):
        raise ValueError(f"cases has {len(cases)} values for {len(paths)} images.")
    looks: list[_Look] = [_Look()] * len(paths)
    with progress_bar("Checking images", len(paths), progress) as advance:

        def look(row: int) -> None:
            looks[row] = _look_at(paths[row])
            advance()

        run_in_threads(look, len(paths), workers)
    findings: list[dict[str, Any]] = []

    def add(row: int, problem: str, detail: str, first: int | None = None) -> None:
        across = None if first is None or cases is None else bool(cases[row] != cases[first])
        other = None if first is None else paths[first]
        findings.append(
            {
                "row": row,
                "path": paths[row],
                "problem": problem,
                "detail": detail,
                "other": other,
                "across_cases": across,
                "drop": problem in _DROPPED,
            }
        )

    whole = [row for row, seen in enumerate(looks) if not seen.problem]
    for row, seen in enumerate(looks):
        if seen.problem:
            add(row, seen.problem, seen.detail)
        elif seen.spread < near_constant:
            add(row, "near-constant", f"standard deviation {seen.spread:.1f} grey levels")
        elif seen.flat_rows:
            add(row, "flat-part", f"the last {seen.flat_rows} of {seen.size[0]} rows are of one colour")
    _find_odd_sizes(looks, whole, add)
    copies = _find_copies(looks, whole, add)
    if near_distance is not None:
        _find_near(looks, [row for row in whole if looks[row].spread >= near_constant], near_distance, copies, add)
    order = list(PROBLEMS)
    findings.sort(key=lambda finding: (finding["row"], order.index(finding["problem"])))
    return pd.DataFrame(findings, columns=list(_COLUMNS)).astype(_COLUMNS)


def describe_findings(findings: pd.DataFrame, count: int) -> str:
    """Return what `check_images` found as text to print.

    Args:
        findings: Its result.
        count: How many images were checked.

    Example:
        >>> import pandas as pd
        >>> print(describe_findings(check_images([]), 0))
        0 images checked: nothing found.
    """
    if not len(findings):
        return f"{count} images checked: nothing found."
    lines = [f"{count} images checked, {findings['row'].nunique()} with findings:"]
    for problem, meaning in PROBLEMS.items():
        rows = findings[findings["problem"] == problem]
        if not len(rows):
            continue
        across = int(rows["across_cases"].fillna(False).sum())
        note = f", {across} of them across cases" if across else ""
        lines.append(f"  {problem}: {len(rows)} ({meaning}{note})")
        for path, detail, other in rows[["path", "detail", "other"]].head(3).astype(object).to_numpy().tolist():
            lines.append(f"    {path}: {detail}" + (f" (see {other})" if isinstance(other, str) else ""))
        if len(rows) > 3:
            lines.append(f"    ... and {len(rows) - 3} more")
    dropped = findings.loc[findings["drop"], "row"].nunique()
    lines.append(f"{dropped} images should be left out: they cannot be read, are blank, or are exact copies.")
    return "\n".join(lines)


def _look_at(path: str) -> _Look:
    try:
        data = read_bytes(path)
    except ImageError as error:
        return _Look("missing", _reason(error, path))
    try:
        inspect_bytes(data)
    except DamagedImageError as error:
        text = str(error)
        problem = "zero-byte" if not data else "truncated" if text.startswith("truncated") else "unreadable"
        return _Look(problem, text)
    try:
        image = decode_image(data, path)
    except ImageError as error:
        return _Look("unreadable", _reason(error, path))
    size = image.shape[:2]
    spread = float(cv2.meanStdDev(image)[1].max())
    if spread == 0:
        red, green, blue = image[0, 0].tolist()
        return _Look("blank", f"every pixel is RGB ({red}, {green}, {blue})", size)
    return _Look(
        size=size,
        spread=spread,
        file_hash=hashlib.sha256(data).digest(),
        pixel_hash=bytes.fromhex(hash_array(image)),
        look_hash=perceptual_hash(image),
        flat_rows=_count_flat_rows(image),
    )


def _reason(error: ImageError, path: str) -> str:
    return str(error).removeprefix(f"{path}: ")


def _count_flat_rows(image: npt.NDArray[np.uint8]) -> int:
    """Return how many of the last rows are of one single colour, 0 if they are less than an eighth of all."""
    least = max(2, image.shape[0] // _FLAT_SHARE)
    colour = image[-1, -1]
    if not (image[-least:] == colour).all():
        return 0
    different = np.flatnonzero((image != colour).any(axis=(1, 2)))
    return int(image.shape[0] - 1 - different[-1])


def _find_odd_sizes(looks: Sequence[_Look], whole: Sequence[int], add: Any) -> None:
    if not whole:
        return
    (height, width), _ = Counter(looks[row].size for row in whole).most_common(1)[0]
    for row in whole:
        rows, columns = looks[row].size
        if max(abs(rows / height - 1), abs(columns / width - 1)) > _SIZE_TOLERANCE:
            add(row, "odd-size", f"{rows}x{columns} pixels where most images have {height}x{width}")


def _find_copies(looks: Sequence[_Look], whole: Sequence[int], add: Any) -> dict[int, int]:
    copies: dict[int, int] = {}
    files: dict[bytes, int] = {}
    pixels: dict[bytes, int] = {}
    for row in whole:
        seen = looks[row]
        first_file = files.setdefault(seen.file_hash, row)
        first_pixels = pixels.setdefault(seen.pixel_hash, row)
        if first_file != row:
            copies[row] = first_file
            add(row, "same-file", "the same bytes", first_file)
        elif first_pixels != row:
            copies[row] = first_pixels
            add(row, "same-pixels", "the same pixels in another file", first_pixels)
    return copies


def _find_near(looks: Sequence[_Look], rows: Sequence[int], distance: int, copies: dict[int, int], add: Any) -> None:
    kept = np.array([row for row in rows if row not in copies], np.int64)
    if not len(kept):
        return
    hashes = np.array([looks[row].look_hash for row in kept], np.uint64)
    told: set[int] = set()
    for first, second in kept[find_near_pairs(hashes, distance)].tolist():
        # Of a dozen alike each is told once, with the first that it resembles.
        if second not in told:
            told.add(second)
            bits = (looks[first].look_hash ^ looks[second].look_hash).bit_count()
            add(second, "near-duplicate", f"differs in {bits} of 64 bits of the perceptual hash", first)
