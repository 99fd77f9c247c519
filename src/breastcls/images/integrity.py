"""Checks of image files before training: unreadable, blank, unusual and duplicate images."""

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
from breastcls.identifiers import TEXT
from breastcls.images.decode import decode_pixels, hash_array
from breastcls.images.image_files import is_exhausted, read_bytes
from breastcls.images.image_header import MAX_PIXELS, DamagedImageError, UnsupportedImageError
from breastcls.images.perceptual_hash import find_near_pairs, perceptual_hash
from breastcls.images.progress_bar import progress_bar
from breastcls.images.threads import run_in_threads
from breastcls.text_tables import choose_form, format_count

PROBLEMS = {
    "missing": "the file does not exist or cannot be opened",
    "zero-byte": "the file is empty",
    "truncated": "the file is incomplete",
    "unreadable": "the file is damaged or not an image",
    "unsupported": "the image is of a kind that is not read, or has content that RGB cannot hold",
    "blank": "the image has a single colour",
    "near-constant": "the image has almost a single colour",
    "flat-part": "the lower part of the image has a single colour, as in damaged JPEG files",
    "odd-size": "the size differs from that of most images",
    "same-file": "the file is an exact copy of an earlier one",
    "same-pixels": "the pixels are identical to those of an earlier file",
    "near-duplicate": "the image is similar to an earlier one",
}
"""The problems that `check_images` finds and their meanings, in order of severity."""

_DROPPED = frozenset(
    ("missing", "zero-byte", "truncated", "unreadable", "unsupported", "blank", "same-file", "same-pixels")
)
_COLUMNS: dict[str, Any] = {
    "row": "int64",
    "path": TEXT,
    "problem": TEXT,
    "detail": TEXT,
    "other": TEXT,
    "across_cases": "boolean",
    "drop": "bool",
}
_SIZE_TOLERANCE = 0.1
_FLAT_SHARE = 8


@dataclass(frozen=True)
class _Inspection:
    """The properties of an image file, and its problem if it cannot be read."""

    problem: str = ""
    detail: str = ""
    size: tuple[int, int] = (0, 0)
    spread: float = 0.0
    file_hash: bytes = b""
    pixel_hash: bytes = b""
    perceptual: int = 0
    flat_rows: int = 0


def check_images(
    paths: Sequence[str],
    *,
    cases: Sequence[Any] | None = None,
    near_constant: float = 4.0,
    near_distance: int | None = 4,
    max_pixels: int = MAX_PIXELS,
    workers: int | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Read every image once and list the problems.

    Args:
        paths: Image files.
        cases: The case of each image, to distinguish copies within a case from copies across cases, which are leakage.
        near_constant: Standard deviation in grey levels, of the channel in which it is largest, below which an image is
            reported as near-constant.
        near_distance: Largest number of differing bits, 0 to 7 of 64, in the perceptual hashes of near duplicates; None
            to skip the search for near duplicates.
        max_pixels: Largest size in pixels; larger images are reported as unsupported and not decoded.
        workers: Number of threads; by default one per processor.
        progress: Whether to show a progress bar; by default if standard error is a terminal.

    Returns:
        A table with one row per finding, in the order of the images, and the columns `row` (position in `paths`),
        `path`, `problem` (such as "truncated"), `detail`, `other` (for copies: the earlier file), `across_cases`
        (whether that belongs to another case) and `drop` (whether to leave the image out: it cannot be read, is blank,
        or is an exact copy).

    Raises:
        ValueError: If `cases` and `paths` have different lengths.
        ImageError: If too many files are open.

    Example:
        >>> check_images([]).columns.tolist()
        ['row', 'path', 'problem', 'detail', 'other', 'across_cases', 'drop']
    """
    if cases is not None and len(cases) != len(paths):
        raise ValueError(f"cases has {format_count(len(cases), 'value')} for {format_count(len(paths), 'image')}.")
    files: list[_Inspection] = [_Inspection()] * len(paths)
    with progress_bar("Checking images", len(paths), progress) as advance:

        def inspect(row: int) -> None:
            files[row] = _inspect_file(paths[row], max_pixels)
            advance()

        run_in_threads(inspect, len(paths), workers)
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

    readable = [row for row, file in enumerate(files) if not file.problem]
    for row, file in enumerate(files):
        if file.problem:
            add(row, file.problem, file.detail)
        elif file.spread < near_constant:
            add(row, "near-constant", f"standard deviation {file.spread:.1f} grey levels")
        elif file.flat_rows:
            add(row, "flat-part", f"the last {file.flat_rows} of {file.size[0]} rows have a single colour")
    _find_odd_sizes(files, readable, add)
    copies = _find_copies(files, readable, add)
    if near_distance is not None:
        _find_near(files, [row for row in readable if files[row].spread >= near_constant], near_distance, copies, add)
    order = list(PROBLEMS)
    findings.sort(key=lambda finding: (finding["row"], order.index(finding["problem"])))
    return pd.DataFrame(findings, columns=list(_COLUMNS), dtype=object).astype(_COLUMNS)


def describe_findings(findings: pd.DataFrame, count: int) -> str:
    """Return the findings of `check_images` as text.

    Args:
        findings: The result of `check_images`.
        count: Number of images that were checked.

    Example:
        >>> import pandas as pd
        >>> print(describe_findings(check_images([]), 0))
        0 images checked: no problems found.
    """
    if not len(findings):
        return f"{format_count(count, 'image')} checked: no problems found."
    lines = [f"{format_count(count, 'image')} checked, {findings['row'].nunique()} with findings:"]
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
    reasons = (
        "it cannot be read, is blank, or is an exact copy",
        "they cannot be read, are blank, or are exact copies",
    )
    lines.append(f"{format_count(dropped, 'image')} should be left out: {choose_form(dropped, *reasons)}.")
    return "\n".join(lines)


def _inspect_file(path: str, max_pixels: int) -> _Inspection:
    try:
        data = read_bytes(path)
    except ImageError as error:
        if is_exhausted(error):
            raise
        return _Inspection("missing", _reason(error, path))
    try:
        image = decode_pixels(data, max_pixels)
    except DamagedImageError as error:
        text = str(error)
        problem = "zero-byte" if not data else "truncated" if text.startswith("truncated") else "unreadable"
        return _Inspection(problem, text)
    except UnsupportedImageError as error:
        return _Inspection("unsupported", str(error))
    except MemoryError:
        return _Inspection("unsupported", "decoding needs more memory than is free")
    size = image.shape[:2]
    spread = float(cv2.meanStdDev(image)[1].max())
    if spread == 0:
        red, green, blue = image[0, 0].tolist()
        return _Inspection("blank", f"every pixel is RGB ({red}, {green}, {blue})", size)
    return _Inspection(
        size=size,
        spread=spread,
        file_hash=hashlib.sha256(data).digest(),
        pixel_hash=bytes.fromhex(hash_array(image)),
        perceptual=perceptual_hash(image),
        flat_rows=_count_flat_rows(image),
    )


def _reason(error: ImageError, path: str) -> str:
    return str(error).removeprefix(f"{path}: ")


def _count_flat_rows(image: npt.NDArray[np.uint8]) -> int:
    """Return the number of last rows with a single colour, 0 if they are less than an eighth of all rows."""
    least = max(2, image.shape[0] // _FLAT_SHARE)
    colour = image[-1, -1]
    if not (image[-least:] == colour).all():
        return 0
    different = np.flatnonzero((image != colour).any(axis=(1, 2)))
    return int(image.shape[0] - 1 - different[-1])


def _find_odd_sizes(files: Sequence[_Inspection], readable: Sequence[int], add: Any) -> None:
    if not readable:
        return
    (height, width), _ = Counter(files[row].size for row in readable).most_common(1)[0]
    for row in readable:
        rows, columns = files[row].size
        if max(abs(rows / height - 1), abs(columns / width - 1)) > _SIZE_TOLERANCE:
            add(row, "odd-size", f"{rows}x{columns} pixels where most images have {height}x{width}")


def _find_copies(files: Sequence[_Inspection], readable: Sequence[int], add: Any) -> dict[int, int]:
    copies: dict[int, int] = {}
    by_content: dict[bytes, int] = {}
    by_pixels: dict[bytes, int] = {}
    for row in readable:
        file = files[row]
        first_file = by_content.setdefault(file.file_hash, row)
        first_pixels = by_pixels.setdefault(file.pixel_hash, row)
        if first_file != row:
            copies[row] = first_file
            add(row, "same-file", "the bytes are identical", first_file)
        elif first_pixels != row:
            copies[row] = first_pixels
            add(row, "same-pixels", "the pixels are identical in another file", first_pixels)
    return copies


def _find_near(
    files: Sequence[_Inspection], rows: Sequence[int], distance: int, copies: dict[int, int], add: Any
) -> None:
    kept = np.array([row for row in rows if row not in copies], np.int64)
    if not len(kept):
        return
    hashes = np.array([files[row].perceptual for row in kept], np.uint64)
    reported: set[int] = set()
    for first, second in kept[find_near_pairs(hashes, distance)].tolist():
        # Each image is reported once, with the first one that it resembles.
        if second not in reported:
            reported.add(second)
            bits = (files[first].perceptual ^ files[second].perceptual).bit_count()
            add(second, "near-duplicate", f"differs in {bits} of 64 bits of the perceptual hash", first)
