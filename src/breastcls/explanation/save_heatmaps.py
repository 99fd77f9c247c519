"""Write an explanation to a folder."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from breastcls.errors import OutputError
from breastcls.files import atomic_path, make_folder, write_text

if TYPE_CHECKING:
    from breastcls.explanation.explanation import Explanation

INDEX = "index.csv"
HEATMAPS = "heatmaps.npz"
COLUMNS = (
    "overlay",
    "path",
    "label",
    "method",
    "predicted",
    "target",
    "target_probability",
    "positive_share",
    "flag",
    "height",
    "width",
)


def save_explanation(explanation: Explanation, folder: Path, *, overwrite: bool, alpha: float, colour_map: str) -> Path:
    """Write overlays, heat-maps and the index; see `Explanation.save`."""
    names = [overlay_name(explanation, number) for number in range(len(explanation))]
    # Before anything is written, so that a refusal leaves the folder as it was.
    present = [name for name in (*names, HEATMAPS, INDEX) if (folder / name).exists()]
    if present and not overwrite:
        raise OutputError(
            f"{folder} holds {len(present)} of the files that would be written, such as {present[0]}. "
            "Choose another folder, or pass overwrite=True."
        )
    make_folder(folder)
    for number, name in enumerate(names):
        picture = explanation.overlay(number, alpha=alpha, colour_map=colour_map)
        done, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        if not done:
            raise OutputError(f"Cannot encode {folder / name} as PNG.")
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(encoded.tobytes())
    with atomic_path(folder / HEATMAPS) as temporary:
        np.savez_compressed(
            temporary,
            heatmaps=explanation.heatmaps,
            targets=explanation.targets,
            probabilities=explanation.probabilities,
            classes=np.array(explanation.classes, dtype=np.str_),
        )
    write_text(folder / INDEX, _index(explanation, names))
    return folder


def overlay_name(explanation: Explanation, number: int) -> str:
    """Return the file name of one overlay: its number, which keeps names apart, and the image's own name."""
    if explanation.paths is None:
        return f"{number:04d}.png"
    stem = re.sub(r"[^\w.-]+", "_", Path(explanation.paths[number]).stem)
    return f"{number:04d}_{stem[:150]}.png"


def _index(explanation: Explanation, names: list[str]) -> str:
    """Return `index.csv`: one row an image, in the order of `heatmaps.npz`."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, name in enumerate(names):
        target = int(explanation.targets[number])
        writer.writerow(
            [
                name,
                explanation.paths[number] if explanation.paths else "",
                explanation.labels[number] if explanation.labels else "",
                explanation.method,
                explanation.classes[int(explanation.predicted[number])],
                explanation.classes[target],
                f"{explanation.probabilities[number, target]:.6f}",
                f"{explanation.positive_share[number]:.6f}",
                explanation.flags[number],
                int(explanation.sizes[number, 0]),
                int(explanation.sizes[number, 1]),
            ]
        )
    return stream.getvalue()
