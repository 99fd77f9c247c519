"""Predictions: the output of any model with the true class and the origin of each image."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.similar_names import warn_similar_names
from breastcls.errors import EvaluationError
from breastcls.identifiers import read_distinct
from breastcls.predictions import array_arguments as arrays
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.grouped_rows import combine_rows, common_values, group_rows, label_groups
from breastcls.predictions.prediction_columns import aggregate_columns, check_columns
from breastcls.predictions.prediction_rows import PredictionRows
from breastcls.predictions.predictions_csv import read_columns
from breastcls.predictions.pseudonyms import Pseudonyms, hide_names
from breastcls.predictions.repeated_paths import check_paths_agree


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(PredictionRows):
    """Class probabilities of n images, from any model, with what is known of each image.

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
        distinct: Names of cases and slides that are different although they differ in spelling only; see `from_arrays`.
            They are not written to files.
        columns: Further columns, such as centre or scanner: a table of n rows, or None. `evaluate` scores the groups
            of a column.
        skipped: The images that `predict` left out because they cannot be read, with the columns `path` and `reason`;
            None if there are none.
        prediction_sets: bool (n, classes), the classes in the prediction set of each image, where `predict` was given a
            model that stores prediction sets of images (`breastcls.decisions.store_conformal`), else None.
        ood: bool (n,), whether each image is flagged as out-of-distribution, where the model stores a limit
            (`breastcls.uncertainty.store_ood_limit`), else None.
        engine: What ran the model: `name`, `version`, `precision` and, where another engine was asked for, a `note`
            with the reason; None for given predictions.

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
        <BLANKLINE>
        image  true       predicted  P(malignant)
        0      malignant  malignant  0.900
        1      benign     benign     0.200
        2      benign     malignant  0.600
    """

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
        distinct: Any = (),
        columns: Mapping[str, Any] | pd.DataFrame | None = None,
    ) -> Predictions:
        """Make predictions from the output of any model of any framework.

        Args:
            probabilities: (n, classes) with rows summing to one within 0.001, or within what rounding to two or more
                decimals, or to half precision, explains; for two classes also (n,) or (n, 1) with the probability of
                the positive class. Lists, arrays, Series, torch and TensorFlow tensors.
            labels: (n,) class indices, or class names, or None where the truth is not known. Numbers are always
                indices, text is always names.
            cases: (n,) names of the biological source. Without them every image counts as its own case, and
                `evaluate` says so. Names are formatted here as in datasets (white space, invisible characters and
                Unicode composition are uniform, 7.0 is "7"): a leak is found by equal names.
            classes: Class names in the order of the columns, positive class last.
            slides: (n,) slide names.
            paths: (n,) files, each of one image. A path with a folder stands for one file, which cannot be of several
                cases or classes; names alone may repeat, since folders often number their files alike, and
                `evaluate` then says that it cannot tell whether these are the same images.
            magnifications: (n,) integers.
            subtypes: (n,) subtype names.
            threshold: Decision threshold of two classes, chosen elsewhere than on these images.
            part: "train", "validation", "out-of-fold" or "test".
            distinct: Names of cases and slides that are different although they differ in letter case, leading zeros,
                separators or accents only, such as `[("P1", "p1")]`; True for all names. Others count as a possible
                leak where one is in the training and one in the test set.
            columns: Further columns by name, each (n,), such as `{"centre": centres}`.

        Raises:
            EvaluationError: If shapes disagree, a value is NaN or outside 0..1, a row does not sum to one, a label is
                not a class, one file has several cases or classes, or `part` is something else.

        Warns:
            DatasetWarning: If names of cases or slides differ in spelling only.

        Example:
            >>> Predictions.from_arrays(probabilities=[[2.0, -1.0]], labels=[0], classes=("benign", "malignant"))
            Traceback (most recent call last):
            ...
            breastcls.errors.EvaluationError: `probabilities` must lie in 0..1; row 0 is [2.0, -1.0]. If these are \
logits, apply softmax (or the sigmoid for one column) first, or load the model with load_model(path, outputs='logits').
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
        of_slides = arrays.check_names(slides, "slides", rows)
        different = read_distinct(distinct)
        warn_similar_names({"case": of_cases, "slide": of_slides}, different)
        return cls(
            probabilities=checked,
            labels=of_rows,
            classes=names,
            cases=of_cases,
            slides=of_slides,
            paths=files,
            magnifications=arrays.check_magnifications(magnifications, rows),
            subtypes=arrays.check_names(subtypes, "subtypes", rows),
            threshold=arrays.check_threshold(threshold, names),
            part=part,
            distinct=different,
            columns=check_columns(columns, rows),
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
        encoding: str | None = None,
        distinct: Any = (),
    ) -> Predictions:
        """Read predictions from a CSV file, one row an image.

        Args:
            path: The file: CSV with any common separator and encoding, decimal points or commas, also compressed by
                gzip, or an Excel workbook; see `breastcls.load_table`.
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
            subtype: Column of the subtype. Columns with other names are kept too; see `columns`.
            threshold: As in `from_arrays`. Default: from the column `threshold`, as `to_csv` writes it.
            part: As in `from_arrays`. Default: from the column `part`. The level of the rows, and how they were
                aggregated, is read from the columns `level` and `aggregation_method`; without them a row is an image.
            root: Folder that relative paths start from, where the files are to be opened; `to_csv` writes relative
                paths.
            encoding: Text encoding of the file; found from the content by default.
            distinct: As in `from_arrays`.

        Raises:
            EvaluationError: If the file cannot be read, a column is missing, naming those present, or one of `level`,
                `aggregation_method`, `threshold`, `part` and `calibration` does not hold the same value in every row,
                or the columns `prediction_set` and `out_of_distribution` do not hold what `to_csv` writes.
        """
        named = {
            "labels": label,
            "cases": case,
            "slides": slide,
            "paths": image,
            "magnifications": magnification,
            "subtypes": subtype,
        }
        given = {"threshold": threshold, "part": part, "encoding": encoding}
        arguments, record = read_columns(path, classes, probabilities, named, given)
        if root is not None and arguments["paths"] is not None:
            arguments["paths"] = [
                os.path.join(root, name) if isinstance(name, str) else "" for name in arguments["paths"]
            ]
            record["root"] = os.fspath(root)
        return dataclasses.replace(cls.from_arrays(**arguments, distinct=distinct), **record)

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
            columns=aggregate_columns(self.columns, groups),
            # Half of the votes decide; a threshold for the probability of one image has been used in them.
            threshold=None if method == "majority" else self.threshold,
            level=level,
            aggregation_method=method,
            # They are of single images.
            prediction_sets=None,
            ood=None,
        )
        return whole if kept.all() else whole[kept]
