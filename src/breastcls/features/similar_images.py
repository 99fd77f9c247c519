"""The result of a search: for each image the most similar ones of an index, with distances and labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.argument_checks import check_count
from breastcls.control_characters import show_controls
from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetError, ImageError
from breastcls.images.decode import read_image
from breastcls.result import Result
from breastcls.text_tables import format_count, text_table

SCHEMA = "breastcls.similar-images/1"
_SHOWN = 10
_NONE = "the index has no image of another case"


@dataclass(frozen=True, eq=False, repr=False)
class SimilarImages(Result):
    """The most similar images of other cases for each of n images.

    Attributes:
        queries: The n images that were compared.
        found: Images of the index that were found for at least one of them.
        neighbours: int64 (n, k), rows of `found`, the most similar first; -1 where there are fewer.
        distances: float32 (n, k), infinite where there are fewer.
        metric: `"cosine"` (one minus the cosine of the angle between two feature vectors, 0..2) or `"euclidean"`.
    """

    queries: Dataset
    found: Dataset
    neighbours: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]
    metric: str

    def __len__(self) -> int:
        return len(self.neighbours)

    def table(self) -> pd.DataFrame:
        """Return one row per pair: `path, rank, similar_path, label, case, distance`, files relative to their data."""
        queries, found = self.queries.relative_paths, self.found.relative_paths
        labels = self._labels()
        rows = [
            {
                "path": queries[query],
                "rank": rank + 1,
                "similar_path": found[row],
                "label": labels[row],
                "case": str(self.found.cases[row]),
                "distance": float(self.distances[query, rank]),
            }
            for query in range(len(self))
            for rank, row in enumerate(self.neighbours[query])
            if row >= 0
        ]
        return pd.DataFrame(rows, columns=["path", "rank", "similar_path", "label", "case", "distance"])

    def label_shares(self) -> pd.DataFrame:
        """Return the share of each class among the similar images of each image, n rows, one column per class."""
        labels = np.asarray(self._labels(), dtype=object)
        shares = []
        for rows in self.neighbours:
            of_image = labels[rows[rows >= 0]]
            shares.append(
                [float(np.mean(of_image == name)) if len(of_image) else np.nan for name in self.found.classes]
            )
        return pd.DataFrame(shares, columns=list(self.found.classes), index=self.queries.relative_paths)

    def describe(self) -> str:
        """Return in a sentence what was compared."""
        unit = "1 − cosine" if self.metric == "cosine" else "Euclidean"
        return (
            f"Compared by the features in front of the head of the model; the distance is {unit}, 0 for equal features."
        )

    def position(self, path: str) -> int | None:
        """Return the number of the image with this file, or None."""
        wanted = os.path.abspath(path)
        return next((number for number, own in enumerate(self.queries.paths) if os.path.abspath(own) == wanted), None)

    def shown(self, image: int | str, longest: int = 224, *, named: bool = True) -> list[dict[str, Any]] | None:
        """Return the similar images of one image as the HTML pages show them: picture, label, case, name, distance.

        Args:
            image: Its number, or its file.
            longest: Pixels of the longer side of each picture.
            named: Whether to give cases and file names, or "" for a page in which names are replaced by pseudonyms.

        Returns:
            The most similar first, empty if there is no image of another case; None for an image that was not compared.
        """
        from breastcls.drawing.embedded_pictures import encode_photograph

        number = self.position(image) if isinstance(image, str) else image
        if number is None or number >= len(self):
            return None
        labels = self._labels()
        entries = []
        for row, distance in zip(self.neighbours[number], self.distances[number], strict=True):
            if row < 0:
                continue
            picture = self._picture(int(row))
            entries.append(
                {
                    "src": "" if picture is None else encode_photograph(picture, longest, 82),
                    "label": labels[row],
                    "case": show_controls(str(self.found.cases[row])) if named else "",
                    "name": show_controls(Path(self.found.paths[row]).name) if named else "",
                    "distance": round(float(distance), 4),
                }
            )
        return entries

    def plot(self, path: str | os.PathLike[str] | None = None, *, predictions: Any = None, limit: int = 6) -> Any:
        """Draw each image beside its similar images on one `matplotlib.figure.Figure`; given a path, save it.

        Args:
            path: Where to save; the suffix `.svg`, `.png` or `.pdf` chooses the format.
            predictions: The `Predictions` of the same images, which are shown with them; None for none.
            limit: Draw at most so many images, the first ones.

        Raises:
            DatasetError: If `limit` is less than 1, or the predictions are of other images.
            ImageError: If the file of an image cannot be read.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.features.similar_figure import SimilarRow, draw_similar

        check_count("limit", limit, error=DatasetError)
        if predictions is not None and len(predictions) != len(self):
            raise DatasetError(
                f"There are predictions of {format_count(len(predictions), 'image')}; {len(self)} were compared. Pass "
                "the predictions of the same images, in their order."
            )
        labels, own = self._labels(), self.queries.frame["label"]
        rows = []
        for number in range(min(limit, len(self))):
            image = self._read(self.queries.paths[number])
            caption = []
            if predictions is not None:
                decided = int(predictions.decisions[number])
                caption.append(f"{predictions.classes[decided]} {predictions.probabilities[number, decided]:.2f}")
            if self.queries.has_labels:
                caption.append(f"true: {own.iloc[number]}")
            near = [
                (
                    self._picture(int(row)),
                    f"{labels[row] or 'no label'}\ndistance {distance:.3f}",
                    f"case {self.found.cases[row]}",
                )
                for row, distance in zip(self.neighbours[number], self.distances[number], strict=True)
                if row >= 0
            ]
            rows.append(SimilarRow(image, "\n".join(caption), Path(self.queries.paths[number]).stem, near))
        columns = max(1, *(len(row.near) for row in rows))
        figure = draw_similar(rows, columns=columns, total=len(self), text=self.describe())
        return export_figure(figure, path, dpi=150)

    def to_dict(self) -> dict[str, Any]:
        """Return files, cases, labels and distances as JSON values."""
        return {
            "schema": SCHEMA,
            "metric": self.metric,
            "classes": list(self.found.classes),
            "pairs": self.table().to_dict("records"),
        }

    def __str__(self) -> str:
        count = self.neighbours.shape[1]
        lines = [
            f"The {count} most similar images of other cases for {format_count(len(self), 'image')}",
            self.describe(),
        ]
        table = self.table()
        rows = [["image", "rank", "similar image", "label", "case", "distance"]]
        for pair in table.head(_SHOWN).astype(object).to_numpy():
            path, rank, similar, label, case, distance = pair
            rows.append([Path(path).name, str(rank), Path(similar).name, label or "-", case, f"{distance:.4f}"])
        lines.append(text_table(rows) if len(table) else f"None: {_NONE}.")
        if len(table) > _SHOWN:
            lines.append(f"... and {format_count(len(table) - _SHOWN, 'further pair')}: table() has all")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"SimilarImages({format_count(len(self), 'image')}, {self.neighbours.shape[1]} each, {self.metric})"

    def _labels(self) -> Sequence[str | None]:
        return (
            [str(label) for label in self.found.frame["label"]] if self.found.has_labels else [None] * len(self.found)
        )

    def _picture(self, row: int) -> npt.NDArray[np.uint8] | None:
        """Return an image of the index, or None if its file is not on this machine."""
        try:
            return self._read(self.found.paths[row])
        except ImageError:
            return None

    @staticmethod
    def _read(path: str) -> npt.NDArray[np.uint8]:
        return np.asarray(read_image(path))
