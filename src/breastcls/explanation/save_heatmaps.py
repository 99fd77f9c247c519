"""Write overlays, heat-maps and their index to a folder."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from breastcls.errors import ExplanationError, OutputError
from breastcls.files import atomic_path, make_folder, write_text

INDEX = "index.csv"
HEATMAPS = "heatmaps.npz"
RAW_FORMATS = ("tiff", "npy")


def save_heatmaps(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    overlay: Callable[[int], np.ndarray],
    arrays: Mapping[str, np.ndarray],
    *,
    heatmap: Callable[[int], np.ndarray],
    raw: str | Sequence[str] = (),
    overwrite: bool,
) -> Path:
    """Write one PNG per image, `heatmaps.npz` and `index.csv`; see `Explanation.save`.

    Args:
        folder: Made if need be.
        rows: The rows of the index, all with the same columns, one of them `path`; at least one row.
        overlay: Returns the overlay of the image of a row, uint8 (height, width, 3), RGB.
        arrays: What `heatmaps.npz` holds.
        heatmap: Returns the heat-map of a row at the size of its image, float32 (height, width).
        raw: `"tiff"`, `"npy"` or both: in which formats heat-maps are written as files of their own.
        overwrite: Replace files of the same names.

    Raises:
        OutputError: If files of the same names exist and `overwrite` is False, or the folder cannot be written to.
        ExplanationError: If `raw` has another format.
    """
    formats = _check_formats(raw)
    names = [_overlay_name(number, row["path"]) for number, row in enumerate(rows)]
    maps = [f"{Path(name).stem}_heatmap.{suffix}" for name in names for suffix in formats]
    # Before anything is written, so that after an error the folder is as it was.
    present = [name for name in (*names, *maps, HEATMAPS, INDEX) if (folder / name).exists()]
    if present and not overwrite:
        raise OutputError(
            f"{folder} holds {len(present)} of the files that would be written, such as {present[0]}. "
            "Choose another folder, or pass overwrite=True."
        )
    make_folder(folder)
    for number, name in enumerate(names):
        _write_image(folder / name, cv2.cvtColor(overlay(number), cv2.COLOR_RGB2BGR))
        for suffix in formats:
            write_raw(folder / f"{Path(name).stem}_heatmap.{suffix}", heatmap(number))
    with atomic_path(folder / HEATMAPS) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
    write_text(folder / INDEX, _index([{"overlay": name, **row} for name, row in zip(names, rows, strict=True)]))
    return folder


def write_raw(path: Path, heatmap: np.ndarray) -> None:
    """Write a heat-map as it is, float32 (height, width), as TIFF or `.npy` by the suffix of the path.

    Raises:
        OutputError: If it cannot be written.
    """
    values = np.asarray(heatmap, dtype=np.float32)
    if path.suffix == ".npy":
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, values, allow_pickle=False)
        return
    # Compression 1 is none: every reader of TIFF can read it, and floating-point values hardly shrink.
    _write_image(path, values, [cv2.IMWRITE_TIFF_COMPRESSION, 1])


def _write_image(path: Path, pixels: np.ndarray, options: Sequence[int] = ()) -> None:
    done, encoded = cv2.imencode(path.suffix, pixels, list(options))
    if not done:
        raise OutputError(f"Cannot encode {path} as {path.suffix[1:].upper()}.")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _check_formats(raw: str | Sequence[str]) -> tuple[str, ...]:
    formats = (raw,) if isinstance(raw, str) else tuple(raw)
    unknown = [name for name in formats if name not in RAW_FORMATS]
    if unknown:
        raise ExplanationError(f"raw={unknown[0]!r}; expected {' or '.join(map(repr, RAW_FORMATS))}, or both.")
    return tuple(dict.fromkeys(formats))


def _overlay_name(number: int, path: str) -> str:
    """Return the file name of one overlay: its number, which makes it unique, and the name of the image."""
    if not path:
        return f"{number:04d}.png"
    stem = re.sub(r"[^\w.-]+", "_", Path(path).stem)
    return f"{number:04d}_{stem[:150]}.png"


def _index(rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
