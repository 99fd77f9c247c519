"""Predictions: the output of any model with the true class and the origin of each image."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.files import write_text
from breastcls.models.probability_rule import decide
from breastcls.predictions import array_arguments as arrays
from breastcls.predictions.aggregation import LEVELS, METHODS, Aggregation, Level
from breastcls.predictions.grouped_rows import combine_rows, common_values, group_rows, label_groups
from breastcls.predictions.hidden_files import HiddenFiles
from breastcls.predictions.predictions_csv import PROBABILITY, read_columns, write_columns
from breastcls.predictions.pseudonyms import Pseudonyms, hide_names
from breastcls.predictions.repeated_paths import check_paths_agree
from breastcls.relative_paths import relative_paths
from breastcls.result import Result

PARTS = ("train", "validation", "out-of-fold", "test")
_ROW_FIELDS = ("probabilities", "labels", "cases", "slides", "paths", "magnifications", "subtypes")


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(Result):
    """Class probabilities of n images, of whatever model, with what is known of each image.

    Make them with `breastcls.predict`, `Predictions.from_arrays` or `Predictions.from_csv`, which check their input.
    The arrays are read-only.

    Attributes:
        probabilities: float32 (n, classes), rows summing to one, positive class last.
        labels: int64 (n,), index into `classes`; -1 where the true class is not known.
        classes: Class names.
        cases: The biological source of each image (n,), or None. Intervals are taken over it.
        slides: Slide names (n,), "" where not known, or None.
        paths: Files (n,), or None.
        magnifications: int64 (n,), -1 where not known, or None.
        subtypes: Subtype names (n,), "" where not known, or None.
        threshold: Two classes: the positive class is decided at `positive >= threshold`. None: from 0.5 on with two
            classes, the most probable class with more.
        level: What one row stands for: "image", "slide" or "case".
        part: What the rows were used for: "train", "validation", "out-of-fold", "test", or None where not stated.
            Thresholds, calibration and prediction sets are never fitted on "train" or "test", and only "test" and
            "out-of-fold" are scored.
        aggregation_method: How the images were aggregated where a row is a slide or case, as `Aggregation.method`
            names it; None for images and where it is not known.
        calibration: The record of `Calibrator.apply`, or of `predict` with a calibrated model: `method`, `level`,
            `aggregation_method`, `images`, the `cases` that it was fitted on, which `evaluate` counts as seen, and the
            `fingerprint` of its parameters; None where the probabilities are uncalibrated or it is not known.
        root: The folder that `relative_paths` are relative to; the common folder of the files if None.
        hidden_files: The files of images whose `paths` are pseudonyms, by pseudonym; see `with_pseudonyms`.

    Raises:
        EvaluationError: If `level`, `part` or `aggregation_method` is none of these.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.9, 0.2, 0.6], labels=["malignant", "benign", "benign"],
        ...     cases=["a", "b", "c"], classes=("benign", "malignant"))
        >>> some.decisions
        array([1, 0, 1])
        >>> print(some)
        Predictions: 3 images of 3 cases (benign 2, malignant 1)
    """

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

    def __post_init__(self) -> None:
        arrays.check_word(self.level, "level", LEVELS)
        for name, known in (("part", PARTS), ("aggregation_method", METHODS)):
            if getattr(self, name) is not None:
                arrays.check_word(getattr(self, name), name, known)
        for name in _ROW_FIELDS:
            value = getattr(self, name)
            if value is not None:
                view = value.view()  # the caller's own array stays writable
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    @classmethod
    def from_arrays(
        cls,
        *,
        probabilities: Any,
        labels: Any,
        cases: Any = None,
        classes: Sequence[str],
        slides: Any = None,
        paths: Any = None,
        magnifications: Any = None,
        subtypes: Any = None,
        threshold: float | None = None,
        part: str | None = None,
    ) -> Predictions:
        """Make predictions from the output of any model of any framework.

        Args:
            probabilities: (n, classes) with rows summing to one within 0.001; for two classes also (n,) or (n, 1) with
                the probability of the positive class. Lists, arrays, Series, torch and TensorFlow tensors.
            labels: (n,) class indices, or class names, or None where the truth is not known. Numbers are always
                indices, text is always names.
            cases: (n,) names of the biological source. Without them every image counts as its own case, and
                `evaluate` says so. Blanks around names are taken off, and whole numbers have no decimals (7.0 is "7"),
                here as in datasets: a leak is found by equal names.
            classes: Class names in the order of the columns, positive class last.
            slides: (n,) slide names.
            paths: (n,) files, each of one image. A path with a folder stands for one file, which cannot be of several
                cases or classes; names alone may repeat, since folders often number their files alike, and
                `evaluate` then says that it cannot tell whether these are the same images.
            magnifications: (n,) integers.
            subtypes: (n,) subtype names.
            threshold: Decision threshold of two classes, chosen elsewhere than on these images.
            part: "train", "validation", "out-of-fold" or "test".

        Raises:
            EvaluationError: If shapes disagree, a value is NaN or outside 0..1, a row does not sum to one, a label is
                not a class, one file has several cases or classes, or `part` is something else.

        Example:
            >>> Predictions.from_arrays(probabilities=[[2.0, -1.0]], labels=[0], classes=("benign", "malignant"))
            Traceback (most recent call last):
            ...
            breastcls.errors.EvaluationError: `probabilities` must lie in 0..1; row 0 is [2.0, -1.0]. If these are \
logits, apply softmax (or the sigmoid for one column) first.
        """
        names = arrays.check_classes(classes)
        checked = arrays.check_probabilities(probabilities, names)
        rows = len(checked)
        if rows == 0:
            raise EvaluationError("There are no predictions: `probabilities` has no rows.")
        of_rows = arrays.check_labels(labels, names, rows)
        of_cases = arrays.check_names(cases, "cases", rows, required=True)
        files = arrays.check_paths(paths, rows)
        check_paths_agree(files, of_cases, of_rows, names)
        return cls(
            probabilities=checked,
            labels=of_rows,
            classes=names,
            cases=of_cases,
            slides=arrays.check_names(slides, "slides", rows),
            paths=files,
            magnifications=arrays.check_magnifications(magnifications, rows),
            subtypes=arrays.check_names(subtypes, "subtypes", rows),
            threshold=arrays.check_threshold(threshold, names),
            part=part,
        )

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        *,
        classes: Sequence[str] | None = None,
        probabilities: str | Sequence[str] | None = None,
        label: str = "label",
        case: str = "case",
        slide: str = "slide",
        image: str = "path",
        magnification: str = "magnification",
        subtype: str = "subtype",
        threshold: float | None = None,
        part: str | None = None,
        root: str | os.PathLike[str] | None = None,
    ) -> Predictions:
        """Read predictions from a CSV file, one row an image.

        Args:
            path: The file.
            classes: Class names, positive class last. Default: from the columns `probability_<class>`, in
                their order: of two classes the later column is the positive class, whatever its name.
            probabilities: Columns of the probabilities in the order of `classes`, or the one column of the positive
                class. Default: `probability_<class>` for each class.
            label: Column of the true class. Read as names where all are names of classes, also if these are numbers,
                else as indices. Empty: not known.
            case: Column of the case. It, like the columns that follow, may be absent.
            slide: Column of the slide.
            image: Column of the file.
            magnification: Column of the magnification.
            subtype: Column of the subtype.
            threshold: As in `from_arrays`. Default: from the column `threshold`, as `to_csv` writes it.
            part: As in `from_arrays`. Default: from the column `part`. The level of the rows, and how they were
                aggregated, is read from the columns `level` and `aggregation_method`; without them a row is an image.
            root: Folder that relative paths start from, where the files are to be opened; `to_csv` writes relative
                paths.

        Raises:
            EvaluationError: If the file cannot be read, a column is missing, naming those present, or one of `level`,
                `aggregation_method`, `threshold`, `part` and `calibration` does not hold the same value in every row.
        """
        named = {
            "labels": label,
            "cases": case,
            "slides": slide,
            "paths": image,
            "magnifications": magnification,
            "subtypes": subtype,
        }
        arguments, record = read_columns(path, classes, probabilities, named, {"threshold": threshold, "part": part})
        if root is not None and arguments["paths"] is not None:
            arguments["paths"] = [
                os.path.join(root, name) if isinstance(name, str) else "" for name in arguments["paths"]
            ]
            record["root"] = os.fspath(root)
        return dataclasses.replace(cls.from_arrays(**arguments), **record)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Any) -> Predictions:
        """Return the chosen rows as new predictions: an index, a slice, a boolean mask or an array of indices."""
        if isinstance(rows, (int, np.integer)):
            rows = [range(len(self))[int(rows)]]
        elif not isinstance(rows, slice):
            rows = np.asarray(rows)
            if rows.size == 0:
                rows = rows.astype(np.int64)
        chosen: dict[str, Any] = {name: getattr(self, name) for name in _ROW_FIELDS}
        for name, value in chosen.items():
            chosen[name] = None if value is None else value[rows]
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

    def with_threshold(self, threshold: float | None) -> Predictions:
        """Return the same predictions decided at another threshold."""
        return dataclasses.replace(self, threshold=arrays.check_threshold(threshold, self.classes))

    def with_pseudonyms(self, pseudonyms: Pseudonyms | None = None) -> Predictions:
        """Return the same predictions under pseudonyms, such as "case-001", "slide-001" and "image-0001.png".

        What is written from them has none of the names of cases, slides and files. The images can still be opened in
        this session, so that a report shows them; a copy on disk or a pickle does not name their files.

        Args:
            pseudonyms: The pseudonyms, to use the same for several results, or to keep which name each stands for.
                Without them, new ones are drawn and not kept.

        Raises:
            EvaluationError: If a name has no pseudonym.
        """
        return dataclasses.replace(self, **hide_names(self, pseudonyms or Pseudonyms.of(self)))

    def aggregate(self, aggregation: Aggregation | Level) -> Predictions:
        """Aggregate images to slides or cases.

        Args:
            aggregation: "image" (returns these), "slide", "case", or an `Aggregation`, which also states the method.

        Returns:
            One row per slide or case, in order of first appearance.

        Raises:
            EvaluationError: If slides or cases are not known, or one is of several classes and `mixed_labels` is
                "error".

        Example:
            >>> some = Predictions.from_arrays(
            ...     probabilities=[1.0, 0.5, 0.25], labels=[1, 1, 0], cases=["a", "a", "b"], classes=("no", "yes"))
            >>> some.aggregate("case").positive.tolist()
            [0.75, 0.25]
        """
        wanted = Aggregation.of(aggregation)
        level, method = wanted.level, wanted.method
        if level == self.level:
            return self
        if self.level != "image":
            raise EvaluationError(
                f'These predictions are by {self.level} already; use aggregation="{self.level}", or aggregate the '
                "predictions of the images."
            )
        groups = group_rows(level, self.cases, self.slides)
        labels, kept = label_groups(
            self.labels, groups, classes=self.classes, level=level, mixed_labels=wanted.mixed_labels
        )
        whole = dataclasses.replace(
            self,
            probabilities=combine_rows(self.probabilities, self.decisions, groups, method).astype(np.float32),
            labels=labels,
            cases=common_values(self.cases, groups, ""),
            slides=common_values(self.slides, groups, ""),
            paths=None,
            magnifications=common_values(self.magnifications, groups, -1),
            subtypes=common_values(self.subtypes, groups, ""),
            # Half of the votes decide; a threshold for the probability of one image has been used in them.
            threshold=None if method == "majority" else self.threshold,
            level=level,
            aggregation_method=method,
        )
        return whole if kept.all() else whole[kept]

    def to_frame(self) -> pd.DataFrame:
        """Return a table, one row an image: what is known of it, `label`, `decision` and `probability_<class>`.

        The column `path` has the files as they can be opened; `to_csv` writes them relative to `root`.
        """
        known = {
            "path": self.paths,
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
        return pd.DataFrame(columns)

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write `to_frame()` as CSV, which `from_csv` reads back, and return the path.

        Columns `level`, `aggregation_method`, `threshold`, `part` and `calibration` are added where they are not the
        default. Paths are relative to `root`, or to the common folder of the files. What is lost: on which cases a
        calibration was fitted, and names of cases, slides and subtypes that pandas reads as missing, such as "NA".
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
        }
        for name in _ROW_FIELDS:
            value = self.relative_paths if name == "paths" else getattr(self, name)
            content[name] = None if value is None else value.tolist()
        return content

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the predictions as JSON and, given a path, write them there."""
        text = json.dumps(self.to_dict())
        if path is not None:
            write_text(path, text)
        return text

    def __str__(self) -> str:
        known = np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))
        parts = [f"{name} {count}" for name, count in zip(self.classes, known, strict=True)]
        if (self.labels < 0).any():
            parts.append(f"not known {int((self.labels < 0).sum())}")
        units = f"{len(self)} {self.level}s" if len(self) != 1 else f"1 {self.level}"
        cases = "" if self.cases is None or self.level == "case" else f" of {pd.unique(self.cases).size} cases"
        threshold = "" if self.threshold is None else f", threshold {self.threshold:.4g}"
        return f"Predictions: {units}{cases} ({', '.join(parts)}){threshold}"
