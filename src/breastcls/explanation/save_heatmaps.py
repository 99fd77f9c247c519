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

from breastcls.errors import OutputError
from breastcls.files import atomic_path, make_folder, write_text

INDEX = "index.csv"
HEATMAPS = "heatmaps.npz"


def save_heatmaps(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    overlay: Callable[[int], np.ndarray],
    arrays: Mapping[str, np.ndarray],
    *,
    overwrite: bool,
) -> Path:
    """Write one PNG per image, `heatmaps.npz` and `index.csv`; see `Explanation.save`.

    Args:
        folder: Made if need be.
        rows: The rows of the index, all with the same columns, one of them `path`; at least one row.
        overlay: Returns the overlay of the image of a row, uint8 (height, width, 3), RGB.
        arrays: What `heatmaps.npz` holds.
        overwrite: Replace files of the same names.

    Raises:
        OutputError: If files of the same names exist and `overwrite` is False, or the folder cannot be written to.
    """
    names = [_overlay_name(number, row["path"]) for number, row in enumerate(rows)]
    # Before anything is written, so that after an error the folder is as it was.
    present = [name for name in (*names, HEATMAPS, INDEX) if (folder / name).exists()]
    if present and not overwrite:
        raise OutputError(
            f"{folder} holds {len(present)} of the files that would be written, such as {present[0]}. "
            "Choose another folder, or pass overwrite=True."
        )
    make_folder(folder)
    for number, name in enumerate(names):
        done, encoded = cv2.imencode(".png", cv2.cvtColor(overlay(number), cv2.COLOR_RGB2BGR))
        if not done:
            raise OutputError(f"Cannot encode {folder / name} as PNG.")
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(encoded.tobytes())
    with atomic_path(folder / HEATMAPS) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
    write_text(folder / INDEX, _index([{"overlay": name, **row} for name, row in zip(names, rows, strict=True)]))
    return folder


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
