"""The rows of predictions: probabilities with what is known of each image, read and written."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.argument_checks import check_choice
from breastcls.errors import EvaluationError
from breastcls.files import export_text
from breastcls.identifiers import TEXT, read_distinct
from breastcls.models.probability_rule import decide
from breastcls.predictions import array_arguments as arrays
from breastcls.predictions.aggregation import LEVELS, METHODS, Level
from breastcls.predictions.hidden_files import HiddenFiles
from breastcls.predictions.prediction_set_text import FLAGS, SETS, name_sets
from breastcls.predictions.predictions_csv import PROBABILITY, write_columns
from breastcls.predictions.printed_predictions import describe_predictions, show_predictions
from breastcls.relative_paths import relative_paths
from breastcls.result import Result

PARTS = ("train", "validation", "out-of-fold", "test")
_ROW_FIELDS = ("probabilities", "labels", "cases", "slides", "paths", "magnifications", "subtypes")
# What `predict` adds where the card of the model stores it.
_CARD_FIELDS = ("prediction_sets", "ood")


@dataclass(frozen=True, eq=False, repr=False)
class PredictionRows(Result):
    """The part of `Predictions` that reads and writes rows; see there for the attributes."""

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    cases: npt.NDArray[np.object_] | None = None
    slides: npt.NDArray[np.object_] | None = None
    paths: npt.NDArray[np.object_] | None = None
    magnifications: npt.NDArray[np.int64] | None = None
    subtypes: npt.NDArray[np.object_] | None = None
    threshold: float | None = None
    level: Level = "image"
    part: str | None = None
    aggregation_method: str | None = None
    calibration: Mapping[str, Any] | None = None
    root: str | None = None
    hidden_files: HiddenFiles = field(default_factory=HiddenFiles, repr=False)
    distinct: Any = frozenset()
    columns: pd.DataFrame | None = field(default=None, repr=False)
    skipped: pd.DataFrame | None = field(default=None, repr=False)
    prediction_sets: npt.NDArray[np.bool_] | None = field(default=None, repr=False)
    ood: npt.NDArray[np.bool_] | None = field(default=None, repr=False)
    engine: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_choice("level", self.level, LEVELS, error=EvaluationError)
        object.__setattr__(self, "distinct", read_distinct(self.distinct))
        for name, known in (("part", PARTS), ("aggregation_method", METHODS)):
            check_choice(name, getattr(self, name), (None, *known), error=EvaluationError)
        for name in (*_ROW_FIELDS, *_CARD_FIELDS):
            value = getattr(self, name)
            if value is not None:
                view = value.view()  # the caller's own array stays writable
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Any) -> Self:
        """Return the chosen rows as new predictions: an index, a slice, a boolean mask or an array of indices."""
        if isinstance(rows, (int, np.integer)):
            rows = [range(len(self))[int(rows)]]
        elif not isinstance(rows, slice):
            rows = np.asarray(rows)
            if rows.size == 0:
                rows = rows.astype(np.int64)
        chosen: dict[str, Any] = {name: getattr(self, name) for name in (*_ROW_FIELDS, *_CARD_FIELDS)}
        for name, value in chosen.items():
            chosen[name] = None if value is None else value[rows]
        if self.columns is not None:
            chosen["columns"] = self.columns.iloc[rows].reset_index(drop=True)
        return dataclasses.replace(self, **chosen)

    @property
    def relative_paths(self) -> npt.NDArray[np.object_] | None:
        """The files as CSV and JSON files have them: relative to `root` or to their common folder, (n,), or None."""
        if self.paths is None:
            return None
        return np.array(relative_paths(map(str, self.paths), self.root), dtype=object)

    def file_of(self, row: int) -> str:
        """Return the file of a row, to open it; "" where it is not known."""
        return "" if self.paths is None else self.hidden_files.file_of(str(self.paths[row]))

    @property
    def positive(self) -> npt.NDArray[np.float32]:
        """Probability of the last class, the positive one, (n,)."""
        return self.probabilities[:, -1]

    @property
    def decisions(self) -> npt.NDArray[np.int64]:
        """The class decided for each row, int64 (n,).

        Two classes: the positive one at `positive >= threshold`, without a threshold from 0.5 on. More: the most
        probable, of equals the first.
        """
        return decide(self.probabilities, self.threshold)

    def with_threshold(self, threshold: float | None) -> Self:
        """Return the same predictions decided at another threshold."""
        return dataclasses.replace(self, threshold=arrays.check_threshold(threshold, self.classes))

    def to_frame(self) -> pd.DataFrame:
        """Return a table, one row an image: what is known of it, `label`, `decision` and `probability_<class>`.

        Where the model stores them, `prediction_set` and `out_of_distribution` follow.

        The column `path` has the files as they can be opened; `to_csv` writes them relative to `root`.
        """
        known = {
            "path": None if self.paths is None else pd.array(self.paths, dtype=TEXT),
            "case": self.cases,
            "slide": self.slides,
            "magnification": self.magnifications,
            "subtype": self.subtypes,
        }
        names = np.array([*self.classes, ""], dtype=object)  # index -1 is the unknown label
        columns: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
        columns["label"] = names[self.labels]
        columns["decision"] = names[self.decisions]
        for index, name in enumerate(self.classes):
            columns[f"{PROBABILITY}{name}"] = self.probabilities[:, index]
        if self.prediction_sets is not None:
            columns[SETS] = name_sets(self.prediction_sets, self.classes)
        if self.ood is not None:
            columns[FLAGS] = self.ood
        table = pd.DataFrame(columns)
        return table if self.columns is None else pd.concat([table, self.columns], axis=1)

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write `to_frame()` as CSV, which `from_csv` reads back, and return the path.

        Columns `level`, `aggregation_method`, `threshold`, `part` and `calibration` are added where they are not the
        default. Paths are relative to `root`, or to the common folder of the files. What is lost: on which cases a
        calibration was fitted, `skipped` and `engine`. A cell that a spreadsheet would run as a formula is preceded by
        an apostrophe, which `from_csv` removes.
        """
        return write_columns(self.to_frame(), self, path)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings; paths are relative as in `to_csv`."""
        content: dict[str, Any] = {
            "classes": list(self.classes),
            "threshold": self.threshold,
            "level": self.level,
            "part": self.part,
            "aggregation_method": self.aggregation_method,
            "calibration": None if self.calibration is None else dict(self.calibration),
            "engine": None if self.engine is None else dict(self.engine),
        }
        for name in _ROW_FIELDS:
            value = self.relative_paths if name == "paths" else getattr(self, name)
            content[name] = None if value is None else value.tolist()
        for name in _CARD_FIELDS:
            if getattr(self, name) is not None:
                content[name] = getattr(self, name).tolist()
        if self.columns is not None:
            values = self.columns.astype(object).where(self.columns.notna(), None)
            content["columns"] = {str(name): values[name].tolist() for name in values}
        if self.skipped is not None:
            known = [] if self.paths is None else list(map(str, self.paths))
            paths = relative_paths([*known, *self.skipped["path"].tolist()], self.root)[len(known) :]
            content["skipped"] = {"path": paths, "reason": self.skipped["reason"].tolist()}
        return content

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the predictions as JSON and, given a path, write them there."""
        return export_text(json.dumps(self.to_dict()), path)

    def __str__(self) -> str:
        return describe_predictions(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return show_predictions(self)
