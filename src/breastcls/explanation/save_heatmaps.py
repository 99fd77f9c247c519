"""Write overlays, heat-maps and their index to a folder."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import cv2
import numpy as np

from breastcls.errors import ExplanationError, OutputError
from breastcls.explanation.overlay import OverlayStyle
from breastcls.files import atomic_path, file_stem, make_folder
from breastcls.images.encode import write_image

INDEX = "index.csv"
HEATMAPS = "heatmaps.npz"
RAW_FORMATS = ("tiff", "npy")


class SavedImages(Protocol):
    """Some of the images that are saved, in their order: an `Explanation`, or a part of one."""

    @property
    def heatmaps(self) -> np.ndarray:
        """float32 (n, h, w)."""

    @property
    def targets(self) -> np.ndarray:
        """int64 (n,)."""

    @property
    def probabilities(self) -> np.ndarray:
        """float32 (n, classes)."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names."""

    def __len__(self) -> int: ...

    def index_row(self, number: int, *, by_share: bool) -> dict[str, Any]:
        """Return the row of the index of one image; one of its columns is `path`."""

    def heatmap(self, number: int) -> np.ndarray:
        """Return one heat-map at the size of its image, float32 (height, width)."""

    def draw(self, number: int, image: np.ndarray, style: OverlayStyle) -> np.ndarray:
        """Return one image with its heat-map over it, uint8 (height, width, 3), RGB."""

    def image(self, number: int) -> np.ndarray:
        """Return one image at its own size, uint8 (height, width, 3), RGB."""


def save_heatmaps(
    folder: Path,
    parts: Iterable[SavedImages],
    files: Sequence[str],
    style: OverlayStyle,
    *,
    raw: str | Sequence[str] = (),
    overwrite: bool,
) -> Path:
    """Write one PNG per image, `heatmaps.npz` and `index.csv`; see `Explanation.save`.

    Parts are written one after the other and not kept, so that the memory that is needed is that of one part.

    Args:
        folder: Created if it does not exist.
        parts: The images, at least one, part by part.
        files: The file of each image as the index has it; "" for images without one.
        style: How overlays are drawn.
        raw: `"tiff"`, `"npy"` or both: in which formats heat-maps are written as files of their own.
        overwrite: Whether to replace files of the same names.

    Raises:
        OutputError: If files of the same names exist and `overwrite` is False, or the folder cannot be written to.
        ExplanationError: If `raw` has another format.
    """
    formats = _check_formats(raw)
    names = [_overlay_name(number, file) for number, file in enumerate(files)]
    maps = [f"{Path(name).stem}_heatmap.{suffix}" for name in names for suffix in formats]
    # Before anything is written, so that after an error the folder is as it was.
    present = [name for name in (*names, *maps, HEATMAPS, INDEX) if (folder / name).exists()]
    if present and not overwrite:
        raise OutputError(
            f"{folder} holds {len(present)} of the files that would be written, such as {present[0]}. "
            "Choose another folder, or pass overwrite=True."
        )
    make_folder(folder)
    # The index is moved to its place last, after all other files are written.
    with (
        atomic_path(folder / INDEX) as index,
        index.open("w", encoding="utf-8", newline="") as table,
        atomic_path(folder / HEATMAPS) as temporary,
        HeatmapArchive(temporary, len(files)) as archive,
    ):
        writer = None
        start = 0
        for part in parts:
            archive.add(part)
            for number in range(len(part)):
                name = names[start + number]
                row = {"overlay": name, **part.index_row(number, by_share=style.by_share)}
                row["path"] = files[start + number]
                drawn = part.draw(number, part.image(number), style)
                write_image(folder / name, drawn)
                for suffix in formats:
                    write_raw(folder / f"{Path(name).stem}_heatmap.{suffix}", part.heatmap(number))
                if writer is None:
                    writer = csv.DictWriter(table, list(row), lineterminator="\n")
                    writer.writeheader()
                writer.writerow(row)
            start += len(part)
    return folder


class HeatmapArchive:
    """The file `heatmaps.npz` while it is written, heat-map after heat-map.

    Args:
        path: The file.
        count: The number of heat-maps.
    """

    def __init__(self, path: Path, count: int) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._count = count
        self._maps: IO[bytes] | None = None
        self._targets: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []
        self._classes: tuple[str, ...] = ()

    def __enter__(self) -> HeatmapArchive:
        return self

    def add(self, part: SavedImages) -> None:
        """Write the heat-maps of the next images."""
        values = np.ascontiguousarray(part.heatmaps, dtype="<f4")
        if self._maps is None:
            self._maps = self._archive.open("heatmaps.npy", "w", force_zip64=True)
            shape = (self._count, *values.shape[1:])
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._maps, header)
        self._maps.write(values.data)
        self._targets.append(part.targets)
        self._probabilities.append(part.probabilities)
        self._classes = part.classes

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._maps is not None:
            self._maps.close()
        if kind is None:
            arrays = {
                "targets": np.concatenate(self._targets),
                "probabilities": np.concatenate(self._probabilities),
                "classes": np.array(self._classes, dtype=np.str_),
            }
            for name, values in arrays.items():
                with self._archive.open(f"{name}.npy", "w") as stream:
                    np.lib.format.write_array(stream, values, allow_pickle=False)
        self._archive.close()


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
    write_image(path, values, [cv2.IMWRITE_TIFF_COMPRESSION, 1])


def _check_formats(raw: str | Sequence[str]) -> tuple[str, ...]:
    formats = (raw,) if isinstance(raw, str) or not isinstance(raw, Iterable) else tuple(raw)
    unknown = [name for name in formats if name not in RAW_FORMATS]
    if unknown:
        raise ExplanationError(f"raw={unknown[0]!r}; expected {' or '.join(map(repr, RAW_FORMATS))}, or both.")
    return tuple(dict.fromkeys(formats))


def _overlay_name(number: int, path: str) -> str:
    """Return the file name of one overlay: its number, which makes it unique, and the name of the image."""
    if not path:
        return f"{number:04d}.png"
    return f"{number:04d}_{file_stem(Path(path).stem)}.png"
