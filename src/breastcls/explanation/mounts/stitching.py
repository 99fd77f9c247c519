"""`stitch`: reassemble slides from patches, with their probabilities and heat-maps."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetError, ExplanationError
from breastcls.explanation.explain_arguments import find_class
from breastcls.explanation.explained_images import ExplainedImages
from breastcls.explanation.mounts.patch_layout import fixed_sizes, lay_out, read_sizes
from breastcls.explanation.mounts.stitched_slide import WholeMount
from breastcls.files import file_stem, make_folder
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result
from breastcls.text_tables import format_count


@dataclass(frozen=True, eq=False, repr=False)
class WholeMounts(Result):
    """The slides that `stitch` put together, in the order of their names; `mounts["8867"]` is one of them.

    Attributes:
        mounts: The slides.
    """

    mounts: tuple[WholeMount, ...]

    def __len__(self) -> int:
        return len(self.mounts)

    def __iter__(self) -> Iterator[WholeMount]:
        return iter(self.mounts)

    def __getitem__(self, slide: int | str) -> WholeMount:
        if isinstance(slide, str):
            found = [mount for mount in self.mounts if mount.slide == slide]
            if not found:
                raise KeyError(f"There is no slide {slide!r}; there are {', '.join(one.slide for one in self.mounts)}.")
            return found[0]
        return self.mounts[slide]

    def save(self, folder: str | os.PathLike[str], *, tiff: bool = True, longest: int = 1200) -> Path:
        """Write for each slide a figure with all pictures as PNG and, if wanted, pyramidal TIFF files.

        The TIFF files are the probabilities over the tissue in colours (`*_overlay.tif`), and the probabilities as
        values, float32 (`*_probabilities.tif`), both at full resolution.

        Args:
            folder: Created if it does not exist.
            tiff: Whether to write TIFF files, which needs `pip install 'breastcls[tiff]'`.
            longest: Pixels of the longer side of each picture in the figure.

        Raises:
            OutputError: If a file cannot be written, or tifffile is not installed.
            ImageError: If a patch cannot be read.
        """
        target = make_folder(folder)
        for name, mount in zip(_file_names(self.mounts), self.mounts, strict=True):
            mount.plot(target / f"{name}.png", longest=longest)
            for layer, raw in (("overlay", False), ("probabilities", True)):
                if tiff and layer in mount.layers:
                    mount.to_tiff(target / f"{name}_{layer}.tif", layer, raw=raw)
        return target

    def to_dict(self) -> dict[str, Any]:
        """Return size, class and counts of each slide as JSON values."""
        return {"schema": "breastcls.whole-mounts/1", "mounts": [mount.to_dict() for mount in self.mounts]}

    def __str__(self) -> str:
        head = format_count(len(self.mounts), "whole mount")
        return "\n".join([head, *(f"  {mount}" for mount in self.mounts)])


def stitch(
    data: Dataset,
    predictions: Predictions | None = None,
    *,
    heatmaps: ExplainedImages | None = None,
    target_class: int | str | None = None,
    patch_size: int | Sequence[int] | None = None,
    micrometres_per_pixel: float | None = None,
) -> WholeMounts:
    """Reassemble slides from their patches: pictures of tissue, true labels, probabilities and heat-maps.

    `x` and `y` of a patch are the column and the row of its upper left pixel in the slide. Where patches overlap, the
    mean is shown; where there is no patch, the picture stays empty. Patches at the edge may be smaller. Pictures are
    made on request, from the files of the patches, so that memory does not depend on the size of the slide.

    The heat-map of each patch is scaled to its own maximum. In the picture of a slide it is multiplied by its opacity
    (see `evidence_opacity`) and by the predicted probability of the class, so that a patch without the class stays
    dark.

    Args:
        data: Patches with the columns `x` and `y`, and `slide` or `case`, such as those of `load_idc`.
        predictions: The predictions of these patches; without them, tissue and labels are shown. Patches are matched by
            their files, or by their order where the predictions have none.
        heatmaps: Heat-maps of some of the patches for the class, from `explain`.
        target_class: Index or name of the class; the last one if None.
        patch_size: (height, width) of every patch in pixels, or one number; None reads the header of every file.
        micrometres_per_pixel: The physical size, for the scale bar and the TIFF files. Neither the files nor the
            authors of the IDC patches state it.

    Returns:
        A `WholeMounts`: one `WholeMount` per slide, in the order of their names.

    Raises:
        DatasetError: If positions or slides are missing, `patch_size` is not positive, or the predictions are of other
            patches.
        ExplanationError: If the class is unknown, or the heat-maps have no files.
        ImageError: If a file cannot be read.

    Example:
        >>> data = Dataset.from_columns(
        ...     ("negative", "positive"), path=["a.png", "b.png"], label=["negative", "positive"], case=["1", "1"],
        ...     x=[1, 51], y=[1, 1])
        >>> found = Predictions.from_arrays(probabilities=[0.2, 0.9], labels=[0, 1], classes=data.classes)
        >>> mounts = stitch(data, found, patch_size=50)
        >>> print(mounts)
        1 whole mount
          1: 2 patches in 50x100 pixels, 100% covered; 1 labelled positive, mean probability 0.55
        >>> mounts["1"].values("probabilities", longest=4).astype(float).round(2).tolist()
        [[0.2, 0.2, 0.9, 0.9], [0.2, 0.2, 0.9, 0.9]]
    """
    frame = data.frame
    if len(data) == 0:
        raise DatasetError("There are no patches to stitch; expected at least one.")
    if frame["x"].isna().any() or frame["y"].isna().any():
        raise DatasetError(
            "Stitching needs the position of every patch in its slide: the columns x and y, in pixels. load_idc reads "
            "them from the file names; for other patches pass a table with them to load_table."
        )
    if frame["slide"].isna().any() and not data.has_cases:
        raise DatasetError("Stitching needs the slide or the case of every patch: a column `slide` or `case`.")
    if micrometres_per_pixel is not None and not 0 < micrometres_per_pixel < math.inf:
        raise DatasetError(f"micrometres_per_pixel is {micrometres_per_pixel}; expected a positive number.")
    classes = data.classes or (predictions.classes if predictions is not None else ())
    target = max(len(classes) - 1, 0) if target_class is None else find_class(target_class, tuple(classes))
    probabilities = _match_probabilities(data, predictions, target)
    labels = np.full(len(data), np.nan, np.float32)
    if data.has_labels:
        labels = (data.labels == target).astype(np.float32)
    files = tuple(path if os.path.isfile(path) else "" for path in data.paths)
    paths = data.paths
    heatmap_of = None if heatmaps is None else _heatmap_reader(heatmaps, target, probabilities, paths)
    slides = np.asarray(data.slides, dtype=object).astype(str)
    x, y = (frame[axis].to_numpy(dtype=np.int64) for axis in ("x", "y"))
    mounts = []
    for slide in sorted(set(slides), key=lambda name: (len(name), name)):
        rows = np.flatnonzero(slides == slide)
        own = [paths[row] for row in rows]
        sizes = read_sizes(own) if patch_size is None else fixed_sizes(patch_size, len(rows))
        mounts.append(
            WholeMount(
                str(slide),
                lay_out(x[rows], y[rows], sizes),
                tuple(files[row] for row in rows),
                labels[rows],
                probabilities[rows],
                classes[target] if classes else "the class",
                micrometres_per_pixel,
                None if heatmap_of is None else _Rows(heatmap_of, rows),
            )
        )
    return WholeMounts(tuple(mounts))


def _file_names(mounts: Sequence[WholeMount]) -> list[str]:
    """Return the stem of the files of each slide; they differ although names may differ in replaced characters only."""
    names: dict[str, str] = {}  # By their form without letter case, which some file systems ignore.
    for mount in mounts:
        stem = name = file_stem(mount.slide, 100) or "slide"
        numbers = count(2)
        while name.casefold() in names:
            name = f"{stem}_{next(numbers)}"
        names[name.casefold()] = name
    return list(names.values())


@dataclass(frozen=True, eq=False)
class _Rows:
    """The heat-maps of the patches of one slide, by their number in it."""

    read: Callable[[int], np.ndarray | None]
    rows: np.ndarray

    def __call__(self, number: int) -> np.ndarray | None:
        return self.read(int(self.rows[number]))


def _match_probabilities(data: Dataset, predictions: Predictions | None, target: int) -> np.ndarray:
    """Return the probability of each patch, float32 (n,); NaN where there is no prediction."""
    if predictions is None:
        return np.full(len(data), np.nan, np.float32)
    values = predictions.probabilities[:, target].astype(np.float32)
    if predictions.paths is None:
        if len(predictions) != len(data):
            raise DatasetError(
                f"There are {len(predictions)} predictions without files and {len(data)} patches; pass those of the "
                "same patches, in the same order."
            )
        return values
    rows = {os.path.abspath(predictions.file_of(row)): row for row in range(len(predictions))}
    places = [rows.get(os.path.abspath(path), -1) for path in data.paths]
    found = np.array(places)
    if not (found >= 0).any():
        first = f"; the first is of {predictions.file_of(0)}" if len(predictions) else ""
        raise DatasetError(f"None of the {len(predictions)} predictions is of one of the patches{first}.")
    return np.where(found >= 0, values[found], np.float32(np.nan)).astype(np.float32)


def _heatmap_reader(
    heatmaps: ExplainedImages, target: int, probabilities: np.ndarray, paths: Sequence[str]
) -> Callable[[int], np.ndarray | None]:
    """Return a function from a row to its heat-map as the slide shows it, or None."""
    if heatmaps.paths is None:
        raise ExplanationError("Heat-maps are matched to patches by their files; these are of arrays.")
    if heatmaps.target_score:
        raise ExplanationError(f"The heat-maps are of {heatmaps.target_score}; pass those of one class.")
    numbers = {os.path.abspath(heatmaps.source.file_of(number)): number for number in range(len(heatmaps))}
    by_row = [numbers.get(os.path.abspath(path)) for path in paths]

    def read(row: int) -> np.ndarray | None:
        number = by_row[row]
        if number is None or int(heatmaps.targets[number]) != target:
            return None
        height, width = (int(side) for side in heatmaps.sizes[number])
        own = probabilities[row]
        probability = float(heatmaps.probabilities[number, target]) if np.isnan(own) else float(own)
        heatmap = cv2.resize(heatmaps.heatmaps[number], (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(heatmap * np.float32(heatmaps.opacity(number) * probability), dtype=np.float32)

    return read
